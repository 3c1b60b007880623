"""All we remember of one customer: facts and decisions, the value of a field in `{app:ppp}:customers`, as JSON.

*Facts* are one aggregate a topic, each a fold of that topic's records alone: they do not depend on the order in which
topics were read, and anyone can recompute them from the log. *Decisions* are what plays concluded. What spans topics
("is this cart still open?") is asked of a view over the facts and compares event times.

Bounds are in the constants below: what is older or more than they say folds into counters or is forgotten.
"""

from typing import Final

from msgspec import Struct, field
from msgspec.json import Decoder, Encoder

from schemas.identity import Mark, Side
from schemas.trigger import Refusal, Why

SEEN_SECONDS: Final = 86_400.0
"""Message ids are remembered at least so long, by the log's time ..."""
SEEN_MOST: Final = 4_096
"""... or this many of the newest, of a customer and topic."""
NAMES_MOST: Final = 64
"""Event names counted by name. Names of `schemas.event` always are, so a flood of made-up ones cannot hide an order."""
LINES_MOST: Final = 50
VIEWED_MOST: Final = 20
BOUGHT_MOST: Final = 200
ORDER_MOST: Final = 50
"""Products and categories kept of the latest order."""
ALIASES_MOST: Final = 20
FLAGS_MOST: Final = 32
"""Purposes, and delivery channels, a customer can speak of; the longest untold are forgotten first."""
REFUSALS_MOST: Final = 20


class Seen(Struct, gc=False, omit_defaults=True):
    """Digests of message ids (8 bytes each, back to back) in two generations: what a retry repeats is dropped."""

    now: bytes = b""
    before: bytes = b""
    since: float = 0.0
    """Log time at which `now` began."""


class Viewed(Struct, gc=False, omit_defaults=True):
    """A product looked at."""

    id: str
    times: int = 0
    last: float = 0.0
    name: str = ""
    category: str = ""
    price: int = 0


class ClickFacts(Struct, omit_defaults=True):
    """Fold of `clickstream`."""

    next: int = 0
    """Offset after the last record of this customer."""
    seen: Seen = field(default_factory=Seen)
    events: int = 0
    first: float = 0.0
    last: float = 0.0
    """Event times of the earliest and the latest event, seconds since the epoch; 0 when there is none."""
    counts: dict[str, int] = {}
    """Event name -> how many; names beyond the bound count as `other`."""
    at: dict[str, float] = {}
    """Event name -> time of the latest."""
    channels: dict[str, int] = {}
    """web, app, store -> events seen there."""
    viewed: list[Viewed] = []
    """Newest last, VIEWED_MOST at most."""
    session: str = ""
    zone: str = ""
    consent: dict[str, bool] = {}
    reach: dict[str, bool] = {}
    name: str = ""
    tier: str = ""
    aliases: list[str] = []
    """anonymousIds it came with, newest last."""
    related: dict[str, str] = {}
    """Key of somebody near -> the relation: `child`, `holder`. Another person: nothing is joined."""
    identified: float = 0.0
    """Event time of the latest traits."""
    told: dict[str, float] = {}
    """`zone`, `name`, `tier`, `consent:<purpose>`, `reach:<channel>`, `related:<key>` -> event time it was told at:
    later ones win, so a no that arrives late is kept, and does not undo a later yes."""


class Line(Struct, gc=False, omit_defaults=True):
    """One Product Added, less what was removed since. Two adds of a product are two: an order may lie between."""

    id: str
    """Product id."""
    quantity: int
    price: int
    """Micros a piece."""
    added: float
    """Event time."""
    opened: str
    """The cart's id as the event names it, or the event's message id."""
    name: str = ""
    category: str = ""


class CartFacts(Struct, omit_defaults=True):
    """Fold of `cart`. It knows nothing of orders: which lines are still open is asked of the view."""

    next: int = 0
    seen: Seen = field(default_factory=Seen)
    events: int = 0
    first: float = 0.0
    last: float = 0.0
    counts: dict[str, int] = {}
    at: dict[str, float] = {}
    channels: dict[str, int] = {}
    lines: list[Line] = []
    """In order of adding, LINES_MOST at most."""
    currency: str = ""


class PosFacts(Struct, omit_defaults=True):
    """Fold of `pos`: orders online and at the till."""

    next: int = 0
    seen: Seen = field(default_factory=Seen)
    events: int = 0
    first: float = 0.0
    last: float = 0.0
    counts: dict[str, int] = {}
    at: dict[str, float] = {}
    channels: dict[str, int] = {}
    orders: int = 0
    receipts: int = 0
    """Of the orders, those at the till."""
    refunds: int = 0
    spent: int = 0
    """Micros, refunds taken off."""
    last_online: float = 0.0
    """Event time of the latest order that was not at the till: it ends the cart."""
    last_order: str = ""
    last_categories: list[str] = []
    last_products: list[str] = []
    """What the latest order held."""
    bought: dict[str, float] = {}
    """Product id -> event time of the latest purchase, online or at the till; BOUGHT_MOST newest."""
    currency: str = ""


class FeedbackFacts(Struct, omit_defaults=True):
    """Fold of `feedback`."""

    next: int = 0
    seen: Seen = field(default_factory=Seen)
    events: int = 0
    last: float = 0.0
    counts: dict[str, dict[str, int]] = {}
    """Delivery channel -> what -> how many."""


class Intent(Struct, gc=False, omit_defaults=True):
    """Sums that decay with the playbook's half-lives; all as of `at`."""

    at: float = 0.0
    sums: dict[str, float] = {}


class Waiting(Struct, omit_defaults=True):
    """A play that wants waking: its silence has begun, or quiet hours hold its proposal back."""

    due: float
    armed: float
    """Event time that started it."""
    event: str = ""
    """Message id that started it."""
    name: str = ""
    """Event name that started it."""
    held: bool = False
    """True: policy said yes but for the hour; asked again when due. What follows is of a held proposal: what is decided
    already."""
    time: float = 0.0
    """Event time, or when the silence was over."""
    occurrence: str = ""
    data: dict[str, str] = {}
    why: Why | None = None


class Sent(Struct, gc=False, omit_defaults=True):
    """A trigger that left the house or waits in the outbox."""

    id: str
    play: str
    channel: str
    decided: float
    span: float = 0.0
    """Seconds from decided to expires: caps are wider by it."""
    purpose: str = ""


class Decisions(Struct, omit_defaults=True):
    """What plays concluded, sent or not."""

    intent: Intent = field(default_factory=Intent)
    waiting: dict[str, Waiting] = {}
    """Play -> its timer."""
    concluded: dict[str, float] = {}
    """Play -> the arming time last concluded: fired, refused or cancelled."""
    sent: list[Sent] = []
    """Remembered for the longest cap window plus the horizon."""
    refused: list[Refusal] = []
    """The newest, REFUSALS_MOST at most."""


class Identity(Struct, omit_defaults=True):
    """What links made of an id: its own logs, and what it knows of other ids' logs."""

    clickstream: Side[ClickFacts] | None = None
    cart: Side[CartFacts] | None = None
    pos: Side[PosFacts] | None = None
    feedback: Side[FeedbackFacts] | None = None
    """Only parts of others: feedback of one's own has no stretches, it follows `owner`."""
    next: int = 0
    """Offset after the last record of `parts`."""
    seen: Seen = field(default_factory=Seen)
    marks: list[Mark] = []
    owner: str = ""
    """To whom all goes that has no stretches: parts, feedback, silences, what was sent. The first live link."""
    since: int = 0
    """Offset after the marker that last changed it."""
    sent: list[Sent] = []
    """What other ids of this person sent."""
    warmth: dict[str, Intent] = {}
    """Other id -> how warm it was when it was linked."""


class Erased(Struct, gc=False, omit_defaults=True):
    """What stays of an erased id."""

    time: float
    """When it was asked for, seconds since the epoch."""
    by: str = ""
    why: str = ""


class Customer(Struct, omit_defaults=True):
    """One person."""

    clickstream: ClickFacts | None = None
    cart: CartFacts | None = None
    pos: PosFacts | None = None
    feedback: FeedbackFacts | None = None
    decisions: Decisions | None = None
    identity: Identity | None = None
    """None: no link ever touched it."""
    erased: Erased | None = None
    """Then nothing else is here, but for `forgotten`, and every later record is refused."""
    forgotten: dict[str, str] = {}
    """Trigger id -> play, of what was sent before an erasure: it may come back from Kafka, and is counted once."""


decode_customer = Decoder(Customer).decode
encode_customer = Encoder().encode
