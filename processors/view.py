"""The view: what conditions, occurrences and `data` of a play may ask of a customer at one moment.

It spans the facts of all topics, so it compares event times, never order of arrival. Money is in units (not
micros), times are seconds since the epoch. Filled by `look` (sight.py).
"""

from msgspec import Struct, field


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
    relations: list[str] = []
    """What persons near are to this one: child, holder, receiver."""


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
