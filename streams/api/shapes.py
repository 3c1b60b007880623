"""What the profile API answers. The OpenAPI document is made of these shapes."""

from msgspec import Struct

from processors.touches import Touch
from processors.view import (
    CartView,
    CustomerView,
    EngagementView,
    EventsView,
    HabitsView,
    LikesView,
    OrdersView,
    RfmView,
    ServiceView,
    SpentView,
)
from schemas.customer import Sent, Waiting
from schemas.facts import CartFacts, ClickFacts, FeedbackFacts, PosFacts
from schemas.trigger import Refusal, Why


class Facts(Struct, omit_defaults=True):
    """What was read of each topic, of all ids of the person as one, packed as the state has it. For people there is
    the view."""

    clickstream: ClickFacts | None = None
    cart: CartFacts | None = None
    pos: PosFacts | None = None
    feedback: FeedbackFacts | None = None


class Decided(Struct):
    """What plays concluded. What is remembered, and for how long, says `remembered`."""

    sent: list[Sent]
    """Triggers that left or are about to, newest first."""
    refused: list[Refusal]
    """Proposals that policy did not allow, with the reason, newest first."""
    waiting: dict[str, Waiting]
    """Play -> its silence, or what quiet hours hold back."""
    remembered: dict[str, str]


class Provenance(Struct):
    """Where a word of a customer's comes from."""

    time: float
    """Event time it was told at, seconds since the epoch."""
    source: str
    """The name of the write key; empty: not known."""


class Sight(Struct):
    """What conditions of plays see at this moment."""

    customer: CustomerView
    cart: CartView
    orders: OrdersView
    score: float
    """Purchase intent, 0 to 1."""
    channel: str
    """The usual delivery channel."""
    complements: list[str]
    """Products that go with the latest order."""
    events: EventsView
    spent: SpentView
    likes: LikesView
    habits: HabitsView
    service: ServiceView
    rfm: RfmView
    engagement: EngagementView
    segment: str
    """The leaf the customer is in; empty: none yet."""
    segment_since: float
    stage: str
    stage_since: float
    consent: dict[str, bool]
    """Purpose -> yes or no."""
    reach: dict[str, bool]
    """Delivery channel -> whether it reaches the customer."""
    provenance: dict[str, Provenance]
    """`tier`, `points`, `consent:<purpose>` ... -> who told it, and when."""


class Profile(Struct, omit_defaults=True):
    """One person, whichever id was asked for."""

    customer: str
    """The person's own key: the plain value of a userId or anonymousId, else `kind:value`."""
    ids: list[str] = []
    """Keys of the ids that belong to it."""
    facts: Facts | None = None
    decisions: Decided | None = None
    view: Sight | None = None
    not_kept: list[str] = []
    """Families of facts this installation does not keep: `facts` lacks them, and what rests on them in `view` says
    nothing."""


class Timeline(Struct):
    """Newest first."""

    customer: str
    touches: list[Touch]
    kept: bool
    """False: this installation keeps no timeline."""


class Decisions(Struct):
    """Of one person."""

    customer: str
    decisions: Decided
    reasons: dict[str, Why]
    """Trigger id -> what led to it, of the newest asked for, as far as Kafka still has their records."""


class Asked(Struct):
    """An erasure that was put into the logs. It is done when the workers have read it: then GET answers 410."""

    customer: str
    ids: list[str]
    """Keys that are known to belong to the person. Others that turn out to are erased as well."""
    request: str
    by: str
    why: str
    time: float
    """Seconds since the epoch."""


class Problem(Struct):
    """Why there is no answer."""

    code: str
    """Short and stable."""
    message: str
