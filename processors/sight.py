"""Fills the view, part by part: what no play asks of is never worked out.

It is a view of the customer as of the question: ask before the customer changes again.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from processors import intent
from processors.channels import usual
from processors.persons import intent_of
from processors.view import CartView, CustomerView, EventView, ItemView, OrdersView, View
from processors.zones import day
from schemas.customer import CartFacts, Customer, Line, PosFacts, Waiting
from schemas.event import MICROS, ORDERED, Event, Product
from schemas.playbook import Playbook

NO_CART: Final = CartView()
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
    return sight._of.pos.bought if sight._of.pos else {}


PARTS: Final[dict[str, Callable[[Sight], Any]]] = {
    "event": event_of,
    "customer": customer_of,
    "cart": cart_of,
    "orders": orders_of,
    "score": score_of,
    "channel": channel_of,
    "complements": complements_of,
    "bought": bought_of,
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
        view.name, view.tier, view.zone, view.session = clicks.name, clicks.tier, clicks.zone, clicks.session
        view.relations = sorted(set(clicks.related.values()))
        ordered = pos.at.get(ORDERED, 0.0) if pos else 0.0
        view.viewed = [
            ItemView(one.id, one.name, one.category, price=one.price / MICROS, times=one.times, last=one.last)
            for one in reversed(clicks.viewed)
            if one.last > ordered
        ]
    return view


def cart_view(cart: CartFacts, pos: PosFacts | None) -> CartView:
    """Adds of one product are one item here."""
    items: dict[str, ItemView] = {}
    first, touched, value = "", 0.0, 0
    for line in open_lines(cart, pos):
        first = first or line.opened
        touched = max(touched, line.added)
        value += line.price * line.quantity
        one = items.setdefault(line.id, ItemView(line.id, quantity=0))
        one.quantity += line.quantity
        if line.added >= one.last:
            one.name, one.category, one.price, one.last = line.name, line.category, line.price / MICROS, line.added
    dearest = sorted(items.values(), key=lambda one: -one.price * one.quantity)
    count = sum(one.quantity for one in dearest)
    return CartView(bool(items), first, value / MICROS, count, dearest, touched) if items else NO_CART


def open_lines(cart: CartFacts, pos: PosFacts | None) -> Iterator[Line]:
    """Lines that were added after any order that would have held them."""
    if pos is None:
        return iter(cart.lines)
    online, bought = pos.last_online, pos.bought
    return (line for line in cart.lines if line.added > online and line.added > bought.get(line.id, 0.0))


def orders_view(pos: PosFacts) -> OrdersView:
    return OrdersView(
        count=pos.orders,
        receipts=pos.receipts,
        spent=pos.spent / MICROS,
        last=pos.at.get(ORDERED, 0.0),
        id=pos.last_order,
        products=pos.last_products,
        categories=pos.last_categories,
    )


def complements(pos: PosFacts, playbook: Playbook) -> list[str]:
    """What goes with the latest order, by product first, and was never bought."""
    table, bought = playbook.complements, pos.bought
    fitting = (one for name in (*pos.last_products, *pos.last_categories) for one in table.get(name, ()))
    return [one for one in dict.fromkeys(fitting) if one not in bought]
