"""The view: what conditions, occurrences and `data` of a play may ask of a customer at one moment.

It spans the facts of all topics, so it compares event times, never order of arrival. Money is in units (not
micros), times are seconds since the epoch. Built once an event, and only when a play listens.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct, field

from processors import intent
from processors.channels import usual
from processors.zones import day
from schemas.customer import CartFacts, Customer, Line, PosFacts, Waiting
from schemas.event import MICROS, ORDERED, Event, Product
from schemas.playbook import Playbook


class ItemView(Struct, gc=False):
    """A product in the cart, in an event, or looked at."""

    id: str
    name: str = ""
    category: str = ""
    brand: str = ""
    price: float = 0.0
    quantity: int = 1
    times: int = 0
    last: float = 0.0


class EventView(Struct):
    """The event that made us look; for a timer, the event that armed it as far as it is remembered (name, id, time)."""

    name: str = ""
    id: str = ""
    time: float = 0.0
    day: str = ""
    """Date of `time` in the customer's zone, as 2026-11-22."""
    channel: str = ""
    session: str = ""
    order: str = ""
    cart: str = ""
    coupon: str = ""
    query: str = ""
    dwell: float = 0.0
    total: float = 0.0
    product: ItemView = field(default_factory=lambda: ItemView(""))
    products: list[ItemView] = []
    properties: dict[str, str | float | bool] = {}


class CustomerView(Struct):
    """Who it is."""

    id: str
    name: str = ""
    tier: str = ""
    zone: str = ""
    events: int = 0
    first: float = 0.0
    last: float = 0.0
    session: str = ""
    viewed: list[ItemView] = []
    """Products looked at since the last order, newest first."""


class CartView(Struct):
    """Lines no order closed: an online order closes all lines added before it, one at the till those it contains."""

    open: bool = False
    id: str = ""
    value: float = 0.0
    count: int = 0
    items: list[ItemView] = []
    """Dearest line first."""
    touched: float = 0.0


class OrdersView(Struct):
    """Orders, online and at the till."""

    count: int = 0
    receipts: int = 0
    spent: float = 0.0
    last: float = 0.0
    id: str = ""
    """Id of the latest order."""
    products: list[str] = []
    """Product ids of the latest order."""
    categories: list[str] = []


class View(Struct):
    """All of it. `now` is the moment asked about, from records: the event's time, or when the silence was over.

    `bought` holds every product id ever bought (newest 200); conditions call `bought(id)`.
    """

    now: float
    event: EventView
    customer: CustomerView
    cart: CartView
    orders: OrdersView
    score: float
    """Conditions read it as `intent.score`."""
    channel: str
    """The usual delivery channel; conditions read it as `channel.usual`."""
    complements: list[str]
    """Products that go with the latest order and were never bought, best first."""
    bought: dict[str, float]


NO_CART: Final = CartView()
NO_ORDERS: Final = OrdersView()


def look(customer: Customer, key: bytes, event: Event | Waiting, now: float, playbook: Playbook) -> View:
    """All a play may ask at the moment `now`, because of an event, or of what began a silence that is over."""
    pos, cart, clicks = customer.pos, customer.cart, customer.clickstream
    decisions = customer.decisions
    warmth = intent.terms(decisions.intent if decisions else None, playbook.intent, now)
    return View(
        now=now,
        event=event_view(event, clicks.zone if clicks else ""),
        customer=customer_view(customer, key),
        cart=cart_view(cart, pos) if cart and cart.lines else NO_CART,
        orders=orders_view(pos) if pos else NO_ORDERS,
        score=intent.score(warmth),
        channel=usual(customer, playbook.channels),
        complements=complements(pos, playbook) if pos and playbook.complements else [],
        bought=pos.bought if pos else {},
    )


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
        one.name, one.category, one.price, one.last = line.name, line.category, line.price / MICROS, line.added
        one.quantity += line.quantity
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
