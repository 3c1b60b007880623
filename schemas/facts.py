"""Facts: what a customer did, one aggregate a topic, each a fold of that topic's records alone.

How it works. Facts do not depend on the order of a log: they are what the set of its events says, and two of one topic
can be joined (`processors.joined`). Three kinds of bounds keep that exact. A list keeps its newest rows, in an order
made of their content; what fell out can never come back. A counter by time keeps the newest buckets: minutes fold into
hours, hours into days, all seen from the latest event. A counter by name keeps the first names in alphabetical order:
a name that was too many stays so.

What repeats lies as arrays, in the order of the fields; event names have the short keys of `schemas.codes`; texts are
cut at the lengths below. Where the latest counts, it is the latest by event time, then the greater content.
"""

from typing import Final

from msgspec import Struct, field

SEEN_SECONDS: Final = 86_400.0
"""Message ids are remembered at least so long, by the log's time ..."""
SEEN_MOST: Final = 4_096
"""... or this many of the newest, of a customer and topic."""
NAMES_MOST: Final = 64
"""A shop's own event names counted by name. Those of `schemas.codes` always are: no flood can hide an order."""
LINES_MOST: Final = 30
"""Lines added to carts, and lines taken out, each."""
VIEWED_MOST: Final = 20
"""Products looked at."""
LOOKS_MOST: Final = 8
"""Times of looking kept of each."""
RECEIPTS_MOST: Final = 150
RECEIPT: Final = 3
"""Orders kept: the newest that have at most so many products, each order counting as three more."""
ORDER_MOST: Final = 72
"""Products kept of one order."""
ALIASES_MOST: Final = 20
FLAGS_MOST: Final = 32
"""Purposes, and delivery channels, a customer can speak of; the longest untold are forgotten first."""
TOUCHES_MOST: Final = 100
OTHER: Final = "other"
"""Delivery channels that are too many, and places that are not known."""
PLACES_MOST: Final = 8
"""Stores, and kinds of devices."""
LIKED_MOST: Final = 12
"""Categories, brands, price bands, sizes of one month."""
MONTHS: Final = 3
"""Months of likes kept."""
COMPLAINTS_MOST: Final = 8
NEAR_MOST: Final = 32
"""Persons near."""
NAME_MOST: Final = 80
WORD_MOST: Final = 64
"""Characters kept of a product's name; of categories, brands, sizes, stores, devices, sources."""

TOUCH: Final = 6
"""Bytes of a touch in a timeline: 4 of seconds since the epoch, 1 of the event's number (`schemas.codes`), 1 of channel
(high half) and sentiment (low: 0 none told, 1 bad, 2 neither, 3 good)."""
MINUTES: Final = 300
HOUR: Final = 3_600
DAY: Final = 86_400
"""Seconds of a bucket of `minutes`, `hours`, `days`."""
MONTH: Final = 30 * DAY
"""Seconds of a month of likes."""
MONEY: Final = "$"
"""The key of micros among counters by time."""
MINUTES_MOST: Final = 12
HOURS_MOST: Final = 24
DAYS_MOST: Final = 30
"""Buckets back from the latest event: what is older folds into the next coarser, and after 30 days into `did`."""

Told = tuple[float, str]
"""A text with the event time it was told at."""
UNTOLD: Final[Told] = (0.0, "")


class Seen(Struct, dict=True, omit_defaults=True):
    """Digests of message ids (8 bytes each, back to back) in two generations: what a retry repeats is dropped.
    `dict`: an index of them is kept beside, in memory only (`processors.seen`)."""

    now: bytes = b""
    before: bytes = b""
    since: float = 0.0
    """Log time at which `now` began."""


class Did(Struct, array_like=True, gc=False):
    """Events of one name."""

    count: int
    at: float
    """Event time of the latest."""


class Cell(Struct, array_like=True, gc=False):
    """Counters of one bucket of time."""

    at: int
    """Number of the bucket: seconds since the epoch, divided by the bucket's."""
    counts: dict[str, int]
    """Key of an event name -> how many; `$` -> micros."""


class Likes(Struct, array_like=True, gc=False):
    """How often, in one month, products of these were looked at, added or bought."""

    categories: dict[str, int]
    brands: dict[str, int]
    bands: dict[int, int]
    """Price bands: 0 is free, band b begins at 2 ** (b - 1) units of money."""
    sizes: dict[str, int]


class Viewed(Struct, array_like=True, gc=False):
    """A product looked at."""

    id: str
    looks: bytes
    """When: 4 bytes each, seconds since the epoch, newest last."""
    name: str = ""
    category: str = ""
    brand: str = ""
    price: int = 0
    """As of the last look, micros."""


class EventFacts(Struct, omit_defaults=True):
    """What is folded of every event, whatever its topic."""

    next: int = 0
    """Offset after the last record of this customer."""
    seen: Seen = field(default_factory=Seen)
    events: int = 0
    first: float = 0.0
    last: float = 0.0
    """Event times of the earliest and the latest event, seconds since the epoch; 0 when there is none."""
    did: dict[str, Did] = {}
    """Key of an event name -> events of it, ever."""
    minutes: list[Cell] = []
    hours: list[Cell] = []
    days: list[Cell] = []
    """An event of the last 30 days is in one of the three, oldest first."""
    touches: bytes = b""
    """The timeline: the newest 100, newest last, TOUCH bytes each."""
    channels: dict[str, int] = {}
    """web, app, store -> events seen there."""
    clock: dict[int, int] = {}
    """Hour of the day (UTC) -> events."""
    weekdays: dict[int, int] = {}
    """Day of the week (UTC, 1 is Monday) -> events."""
    stores: dict[str, int] = {}
    devices: dict[str, int] = {}
    likes: dict[int, Likes] = {}
    """Month (30 days, from the epoch) -> what was liked then."""


class Source(Struct, array_like=True, gc=False):
    """Where a word of a customer's comes from."""

    at: float
    """Event time it was told at: later words win, so a no that arrives late is kept and does not undo a later yes."""
    source: str = ""
    """The write key's."""


class Complaint(Struct, array_like=True, gc=False):
    """The latest word of one complaint."""

    at: float
    open: bool


class Near(Struct, array_like=True, gc=False, order=True):
    """Somebody near. Another person: nothing is joined."""

    at: float
    """Event time it was told at."""
    relation: str
    """`child`, `holder`, ..."""


class ClickFacts(EventFacts, omit_defaults=True):
    """Fold of `clickstream`."""

    viewed: list[Viewed] = []
    """By last look, newest last."""
    cut: int = 0
    """Looks until this second are forgotten: more products than VIEWED_MOST were looked at since."""
    session: Told = UNTOLD
    zone: str = ""
    name: str = ""
    tier: str = ""
    points: int = 0
    nps: int = 0
    """Whether anything was told, `told` knows."""
    consent: dict[str, bool] = {}
    reach: dict[str, bool] = {}
    told: dict[str, Source] = {}
    """`zone`, `name`, `tier`, `points`, `nps`, `consent:<purpose>`, `reach:<channel>` -> when, and by whom."""
    identified: float = 0.0
    """Event time of the latest traits."""
    aliases: dict[str, float] = {}
    """anonymousId it came with -> event time of the latest."""
    complaints: dict[str, Complaint] = {}
    related: dict[str, Near] = {}
    """Key of somebody near -> what they are to this one."""


class Line(Struct, array_like=True, gc=False, order=True):
    """One Product Added. Two adds of a product are two: an order may lie between."""

    added: float
    """Event time."""
    id: str
    """Product id."""
    quantity: int
    price: int
    """Micros a piece."""
    opened: str
    """The cart's id as the event names it, or the event's message id."""
    name: str = ""
    category: str = ""


class Taken(Struct, array_like=True, gc=False, order=True):
    """One Product Removed. What it takes out is asked of the view: the add may lie with another id of the person."""

    at: float
    id: str
    quantity: int


class CartFacts(EventFacts, omit_defaults=True):
    """Fold of `cart`. It knows nothing of orders: which lines are still open is asked of the view."""

    lines: list[Line] = []
    taken: list[Taken] = []
    currency: Told = UNTOLD


class Receipt(Struct, array_like=True, gc=False, order=True):
    """An order, online or at the till."""

    at: float
    id: str
    """Order id; the event's message id where it has none."""
    till: bool
    total: int
    """Micros."""
    products: list[str] = []
    categories: list[str] = []
    """Of the newest order only."""


class PosFacts(EventFacts, omit_defaults=True):
    """Fold of `pos`: orders online and at the till."""

    receipts: list[Receipt] = []
    """Newest last, RECEIPTS_MOST lines in all."""
    cut: Told = UNTOLD
    """Time and id of the newest order that was one too many: it and older ones are forgotten."""
    orders: int = 0
    tills: int = 0
    """Of the orders, those at the till."""
    refunds: int = 0
    spent: int = 0
    """Micros, refunds taken off."""
    refunded: int = 0
    last_online: float = 0.0
    """Event time of the latest order that was not at the till: it ends the cart."""
    currency: Told = UNTOLD


class FeedbackFacts(Struct, omit_defaults=True):
    """Fold of `feedback`."""

    next: int = 0
    seen: Seen = field(default_factory=Seen)
    events: int = 0
    last: float = 0.0
    counts: dict[str, dict[str, int]] = {}
    """Delivery channel -> what -> how many; channels beyond NAMES_MOST count as `other`."""
    touches: bytes = b""
