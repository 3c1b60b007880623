"""The view: what conditions, occurrences and `data` of a play may ask of a customer at one moment.

It spans the facts of all topics, so it compares event times, never order of arrival. Money is in units (not
micros), times are seconds since the epoch. Filled by `look` (sight.py).
"""

from msgspec import Struct, field

from schemas.customer import Customer


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
    points: int = 0
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
    """Of them, those at the till."""
    refunds: int = 0
    refunded: float = 0.0
    spent: float = 0.0
    """Refunds taken off."""
    last: float = 0.0
    id: str = ""
    """Id of the latest order."""
    products: list[str] = []
    """Product ids of the latest order."""
    categories: list[str] = []


class EventsView(Struct):
    """How many events, of whatever name, in the time before `now`: to the bucket (processors/windows.py)."""

    hour: int = 0
    day: int = 0
    week: int = 0
    month: int = 0
    ever: int = 0


class SpentView(Struct):
    """Money spent, refunds taken off, in the time before `now`."""

    hour: float = 0.0
    day: float = 0.0
    week: float = 0.0
    month: float = 0.0
    ever: float = 0.0


class LikesView(Struct):
    """What is looked at, added and bought most, newer months counting more; empty when there is nothing to tell."""

    category: str = ""
    brand: str = ""
    size: str = ""
    price_from: float = 0.0
    """The price band liked most begins here ..."""
    price_to: float = 0.0
    """... and ends before this price."""


class HabitsView(Struct):
    """When and where most events were."""

    hour: int = 0
    """Of the day, by the clock of the customer's zone."""
    weekday: int = 0
    """1 is Monday, by UTC; 0: not known."""
    store: str = ""
    channel: str = ""
    """web, app or store."""
    device: str = ""


class ServiceView(Struct):
    """How it is going with us."""

    complaint: bool = False
    """Whether one is open."""
    complaints: int = 0
    """Ever opened."""
    nps: int = -1
    """The latest answer, 0 to 10; -1: never asked."""
    sentiment: float = 0.0
    """Mean of the timelines' (the newest 100 touches of each topic), -1 to 1."""


class RfmView(Struct):
    """Recency, frequency and money of orders, each from 1 to one more than the playbook has bounds (usually 5, the
    best); 0: never ordered."""

    recency: int = 0
    frequency: int = 0
    monetary: int = 0


class EngagementView(Struct):
    """How busy: events of the last month, and the tier the playbook gives for so many."""

    events: int = 0
    tier: str = ""


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
    events: EventsView
    spent: SpentView
    likes: LikesView
    habits: HabitsView
    service: ServiceView
    rfm: RfmView
    engagement: EngagementView
    segment: str
    """The leaf the customer is in; empty: none yet."""
    stage: str
    of: Customer
    """The customer itself: `did(name)`, `views(what)`, `reaches(channel)` and `consents(purpose)` ask it."""
