"""All we remember of one customer: facts and decisions, the value of a field in `{app:ppp}:customers`, as JSON.

*Facts* (`schemas.facts`) are one aggregate a topic, each a fold of that topic's records alone: they do not depend on
the order in which topics were read, and anyone can recompute them from the log. *Decisions* are what plays concluded.
What spans topics ("is this cart still open?") is asked of a view over the facts and compares event times.
"""

from typing import Final

from msgspec import Struct, field
from msgspec.json import Decoder, Encoder

from schemas.facts import CartFacts, ClickFacts, FeedbackFacts, PosFacts, Seen
from schemas.identity import Mark, Side
from schemas.trigger import Refusal, Why

FORMAT: Final = 2
"""Of customers in the state, kept in its meta. One more whenever values written before cannot be read, or would be read
as less than they say: such a state is made anew from the logs. 1: before facts could be joined."""
REFUSALS_MOST: Final = 20


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
    came: list[str] = []
    """Other ids of the person where it waited before: what they sent of it is not sent again."""


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
    segment: str = ""
    """The leaf the customer is in."""
    segment_since: float = 0.0
    stage: str = ""
    stage_since: float = 0.0
    """Event time of the change, or when the silence was over."""
    look: float = 0.0
    """When time alone may change segment or stage; 0: not known to."""
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
    read: list[str] = []
    """Topics whose own log has said so too: what lies before that in the others is still the customer's, and may name
    ids that must go as well."""


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
