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
from processors.view import CartView, CustomerView, EventView, ItemView, OrdersView, View
from processors.zones import day
from schemas.customer import Customer, Waiting
from schemas.event import MICROS, ORDERED, Event, Product
from schemas.facts import ClickFacts, PosFacts
from schemas.playbook import Playbook

NO_ORDERS: Final = OrdersView()


def look(customer: Customer, key: bytes, event: Event | Waiting, now: float, playbook: Playbook) -> View:
    """All a play may ask at the moment `now`, because of an event, or of what began a silence that is over."""
    return cast(View, Sight(customer, key, event, now, playbook))


class Sight:
    """A View that works out a part when it is first asked for."""

    def __init__(self, customer: Customer, key: bytes, cause: Event | Waiting, now: float, playbook: Playbook) -> None:
        self.now = now
        self._of, self._key, self._cause, self._playbook = customer, key, cause, playbook

    def __getattr__(self, name: str) -> Any:
        part = PARTS.get(name)
        if part is None:
            raise AttributeError(f"a view has {', '.join(PARTS)}; wanted {name}")
        value = self.__dict__[name] = part(self)
        return value


def event_of(sight: Sight) -> EventView:
    clicks = sight._of.clickstream
    return event_view(sight._cause, clicks.zone if clicks else "")


def customer_of(sight: Sight) -> CustomerView:
    return customer_view(sight._of, sight._key)


def cart_of(sight: Sight) -> CartView:
    cart = sight._of.cart
    return cart_view(cart, sight._of.pos) if cart and cart.lines else NO_CART


def orders_of(sight: Sight) -> OrdersView:
    return orders_view(sight._of.pos) if sight._of.pos else NO_ORDERS


def score_of(sight: Sight) -> float:
    model = sight._playbook.intent
    return intent.score(intent.terms(intent_of(sight._of, model.half_life), model, sight.now))


def channel_of(sight: Sight) -> str:
    return usual(sight._of, sight._playbook.channels)


def complements_of(sight: Sight) -> list[str]:
    return complements(sight._of.pos, sight._playbook) if sight._of.pos else []


def bought_of(sight: Sight) -> dict[str, float]:
    return purchases(sight._of.pos) if sight._of.pos else {}


def segment_of(sight: Sight) -> str:
    return sight._of.decisions.segment if sight._of.decisions else ""


def stage_of(sight: Sight) -> str:
    return sight._of.decisions.stage if sight._of.decisions else ""


PARTS: Final[dict[str, Callable[[Sight], Any]]] = {
    "event": event_of,
    "customer": customer_of,
    "cart": cart_of,
    "orders": orders_of,
    "score": score_of,
    "channel": channel_of,
    "complements": complements_of,
    "bought": bought_of,
    "events": lambda sight: counters.events(sight._of, sight.now),
    "spent": lambda sight: counters.spent(sight._of, sight.now),
    "likes": lambda sight: traits.likes(sight._of, sight.now),
    "habits": lambda sight: traits.habits(sight._of, sight.now),
    "service": lambda sight: traits.service(sight._of),
    "rfm": lambda sight: traits.rfm(sight._of, sight._playbook.rfm, sight.now),
    "engagement": lambda sight: traits.engagement(sight._of, sight._playbook.engagement, sight.now),
    "segment": segment_of,
    "stage": stage_of,
    "of": lambda sight: sight._of,
}
"""Field of the view -> how it comes about."""


def event_view(event: Event | Waiting, zone: str) -> EventView:
    if isinstance(event, Waiting):
        return EventView(event.name, event.event, event.armed, day(event.armed, zone))
    products = [item(product) for product in event.products]
    return EventView(
        name=event.name,
        id=event.id,
        time=event.time,
        day=day(event.time, zone),
        channel=event.channel,
        session=event.session,
        order=event.order,
        cart=event.cart,
        coupon=event.coupon,
        query=event.query,
        dwell=event.dwell,
        total=event.total / MICROS,
        product=products[0] if products else NOTHING,
        products=products,
        properties=event.properties,
    )


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
