"""Fills the view, part by part: what no play asks of is never worked out.

It is a view of the customer as of the question: ask before the customer changes again.
"""

from collections.abc import Callable
from typing import Any, Final, cast

from processors import counters, intent, traits
from processors.carts import NO_CART, cart_view, purchases
from processors.channels import usual
from processors.looks import WIDTH, last
from processors.persons import intent_of
from processors.profile import at
from processors.view import (
    CartView,
    CustomerView,
    EngagementView,
    EventsView,
    EventView,
    HabitsView,
    ItemView,
    LikesView,
    OrdersView,
    RfmView,
    ServiceView,
    SpentView,
    View,
)
from processors.zones import day
from schemas.customer import Customer, Waiting
from schemas.event import MICROS, ORDERED, Event, Product
from schemas.facts import ClickFacts, PosFacts
from schemas.playbook import Playbook

NO_ORDERS: Final = OrdersView()


def look(customer: Customer, key: bytes, event: Event | Waiting, now: float, playbook: Playbook) -> View:
    """All a play may ask at the moment `now`, because of an event, or of what began a silence that is over."""
    return cast(View, Sight(customer, key, event, now, playbook))


class Part:
    """A part of a view, made by a method: worked out when it is first asked for, from then on the view's own."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.make, self._name = make, make.__name__

    def __get__(self, sight: Any, owner: type) -> Any:
        value = sight.__dict__[self._name] = self.make(sight)
        return value


class Sight:
    """A View that works out a part when it is first asked for."""

    def __init__(self, customer: Customer, key: bytes, cause: Event | Waiting, now: float, playbook: Playbook) -> None:
        self.now, self.of = now, customer
        self._key, self._cause, self._playbook = key, cause, playbook

    @Part
    def event(self) -> EventView:
        clicks = self.of.clickstream
        return event_view(self._cause, clicks.zone if clicks else "")

    @Part
    def customer(self) -> CustomerView:
        return customer_view(self.of, self._key)

    @Part
    def cart(self) -> CartView:
        cart = self.of.cart
        return cart_view(cart, self.of.pos) if cart and cart.lines else NO_CART

    @Part
    def orders(self) -> OrdersView:
        return orders_view(self.of.pos) if self.of.pos else NO_ORDERS

    @Part
    def score(self) -> float:
        model = self._playbook.intent
        return intent.score(intent_of(self.of, model.half_life), model, self.now)

    @Part
    def channel(self) -> str:
        return usual(self.of, self._playbook.channels)

    @Part
    def complements(self) -> list[str]:
        return complements(self.of.pos, self._playbook) if self.of.pos else []

    @Part
    def bought(self) -> dict[str, float]:
        return purchases(self.of.pos) if self.of.pos else {}

    @Part
    def events(self) -> EventsView:
        return counters.events(self.of, self.now)

    @Part
    def spent(self) -> SpentView:
        return counters.spent(self.of, self.now)

    @Part
    def likes(self) -> LikesView:
        return traits.likes(self.of, self.now)

    @Part
    def habits(self) -> HabitsView:
        return traits.habits(self.of, self.now)

    @Part
    def service(self) -> ServiceView:
        return traits.service(self.of)

    @Part
    def rfm(self) -> RfmView:
        return traits.rfm(self.of, self._playbook.rfm, self.now)

    @Part
    def engagement(self) -> EngagementView:
        return traits.engagement(self.of, self._playbook.engagement, self.now)

    @Part
    def segment(self) -> str:
        return self.of.decisions.segment if self.of.decisions else ""

    @Part
    def stage(self) -> str:
        return self.of.decisions.stage if self.of.decisions else ""


def event_view(event: Event | Waiting, zone: str) -> EventView:
    if isinstance(event, Waiting):
        return EventView(event.name, event.event, event.armed, day(event.armed, zone))
    return cast(EventView, EventSight(event, zone))


class EventSight:
    """An EventView of an event; what has to be made is made when it is first asked for."""

    def __init__(self, event: Event, zone: str) -> None:
        self._event, self._zone = event, zone

    def __getattr__(self, name: str) -> Any:
        """What the event says itself."""
        value = self.__dict__[name] = getattr(self._event, name)
        return value

    @Part
    def day(self) -> str:
        return day(self._event.time, self._zone)

    @Part
    def total(self) -> float:
        return self._event.total / MICROS

    @Part
    def product(self) -> ItemView:
        return self.products[0] if self._event.products else NOTHING

    @Part
    def products(self) -> list[ItemView]:
        return [item(product) for product in self._event.products]


NOTHING: Final = ItemView("")


def item(product: Product) -> ItemView:
    return ItemView(product.id, product.name, product.category, product.brand, product.price / MICROS, product.quantity)


def customer_view(customer: Customer, key: bytes) -> CustomerView:
    clicks, pos = customer.clickstream, customer.pos
    facts = [facts for facts in (clicks, customer.cart, pos) if facts]
    view = CustomerView(
        id=key.decode(),
        events=sum(one.events for one in facts),
        first=min((one.first for one in facts), default=0.0),
        last=max((one.last for one in facts), default=0.0),
    )
    if clicks:
        view.points = clicks.points
        view.name, view.tier, view.zone, view.session = clicks.name, clicks.tier, clicks.zone, clicks.session[1]
        view.viewed = viewed_since(clicks, at(pos, ORDERED))
        view.relations = sorted({near.relation for near in clicks.related.values()})
    return view


def viewed_since(clicks: ClickFacts, ordered: float) -> list[ItemView]:
    """Products looked at since the last order, newest first."""
    items = []
    for one in reversed(clicks.viewed):
        if (latest := last(one)) > ordered:
            looks, price = len(one.looks) // WIDTH, one.price / MICROS
            items.append(ItemView(one.id, one.name, one.category, one.brand, price, times=looks, last=float(latest)))
    return items


def orders_view(pos: PosFacts) -> OrdersView:
    latest = pos.receipts[-1] if pos.receipts else None
    return OrdersView(
        count=pos.orders,
        receipts=pos.tills,
        refunds=pos.refunds,
        refunded=pos.refunded / MICROS,
        spent=pos.spent / MICROS,
        last=at(pos, ORDERED),
        id=latest.id if latest else "",
        products=latest.products if latest else [],
        categories=latest.categories if latest else [],
    )


def complements(pos: PosFacts, playbook: Playbook) -> list[str]:
    """What goes with the latest order, by product first, and was never bought."""
    table, bought = playbook.complements, purchases(pos)
    names = (*pos.receipts[-1].products, *pos.receipts[-1].categories) if pos.receipts else ()
    fitting = (one for name in names for one in table.get(name, ()))
    return [one for one in dict.fromkeys(fitting) if one not in bought]
