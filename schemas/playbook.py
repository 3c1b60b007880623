"""Plays and policies as marketers write them: the shape of `playbook.yaml`.

pydantic, because a file with five mistakes shall name all five, each with its place; nothing here is on the hot path.
`python -m schemas.playbook` prints the JSON Schema, for editors.
"""

import json
from datetime import time
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

from schemas.codes import KEY_OF
from schemas.identity import KINDS

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def seconds(value: object) -> object:
    """`45m`, `24h`, `7d` or a number of seconds, as seconds."""
    if not isinstance(value, str):
        return value
    for unit, size in sorted(UNITS.items(), key=lambda item: -len(item[0])):
        number = value.strip().removesuffix(unit)
        if number != value.strip() and number.isascii() and number.replace(".", "", 1).isdigit():
            return float(number) * size
    raise ValueError(f"wanted a duration as 45m, 24h or 7d; got {value!r}")


Duration = Annotated[float, BeforeValidator(seconds), Field(gt=0, le=400 * 86_400)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Hour = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$"), AfterValidator(lambda text: text)]


class Part(BaseModel):
    """What all parts share: no unknown fields, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Cap(Part):
    """At most `most` triggers in any window of `within`, for the customer, each channel, play or purpose."""

    per: Literal["customer", "channel", "play", "purpose"]
    most: Annotated[int, Field(ge=1, le=1000)]
    within: Duration


class Quiet(Part):
    """Hours in which nothing leaves. From may be later than to: then they span midnight."""

    from_: Hour = Field(alias="from")
    to: Hour
    zone: str = "customer"
    """`customer`, or the IANA zone to use for everyone."""
    otherwise: str = "UTC"
    """Zone of customers who told none."""
    then: Literal["hold", "drop"] = "hold"
    purposes: list[str] = ["marketing"]

    def hours(self) -> tuple[time, time]:
        """From and to, as times of day."""
        return time.fromisoformat(self.from_), time.fromisoformat(self.to)


class JustBought(Part):
    """After an order, online or at the till, these purposes are silent."""

    within: Duration
    purposes: list[str] = ["marketing"]


class Consent(Part):
    """What counts when a customer said neither yes nor no to a purpose. A no always refuses."""

    unknown: Literal["allow", "refuse"] = "refuse"
    required: list[str] = ["marketing"]
    """Purposes that need consent; others are asked for a no only."""


class Policies(Part):
    """What must hold for a proposal to leave the house."""

    consent: Consent = Consent()
    caps: list[Cap] = []
    quiet: Quiet | None = None
    just_bought: JustBought | None = None
    remember: Duration = 35 * 86_400.0
    """How long what was sent is remembered, at least; also how far back the store may ever be restored."""


class IntentModel(Part):
    """A logistic model over sums that decay: score = 1 / (1 + exp(-(bias + sum of weight * log1p(sum))))."""

    half_life: Duration = 900.0
    bias: FiniteFloat = -3.0
    weights: dict[
        Literal["views", "searches", "lists", "adds", "removes", "checkouts", "orders", "dwell"], FiniteFloat
    ] = {}
    fitted_on: str = ""
    """What the weights were fitted on, in words."""


OTHERS = "others"
"""The leaf of those no other leaf takes."""


class Leaf(Part):
    """A segment. The condition is CEL over the view, without the event."""

    id: Name
    when: str


class Level(Part):
    """Leaves of one kind, as demographic, behavioural, real time."""

    level: Name
    leaves: Annotated[list[Leaf], Field(min_length=1)]


class Segments(Part):
    """A waterfall: levels and leaves in order, and the first leaf whose condition holds takes the customer."""

    every: Duration = 86_400.0
    """How often conditions that ask `now` or `intent.score` are asked again though nothing happened."""
    levels: list[Level] = []


class Move(Part):
    """A row of the table of stages: on these events, when this holds, from these stages to that."""

    from_: Annotated[list[Name], Field(alias="from", min_length=1)]
    on: Annotated[list[str], Field(min_length=1)]
    when: str = "true"
    to: Name


class Lapse(Part):
    """Silence of so long lets a customer lapse from a stage to another."""

    from_: Name = Field(alias="from")
    after: Duration
    to: Name


class Stages(Part):
    """A state machine. Everybody begins in the first stage."""

    first: Name
    table: Annotated[list[Move], Field(min_length=1)]
    lapse: list[Lapse] = []


Bounds = Annotated[list[FiniteFloat], Field(min_length=1, max_length=9)]


class Rfm(Part):
    """Bounds between the classes of recency, frequency and money, usually quantiles of the shop's own customers."""

    recency: Annotated[list[Duration], Field(min_length=1, max_length=9)] = [
        30 * 86_400.0,
        90 * 86_400.0,
        180 * 86_400.0,
        365 * 86_400.0,
    ]
    """Times since the latest order, shortest first: within the first is best."""
    frequency: Bounds = [2, 3, 5, 9]
    """Orders ever, least first: as many as the last, or more, is best."""
    monetary: Bounds = [50, 100, 250, 500]
    """Money spent ever."""


class Tier(Part):
    """A tier of engagement, and the events in the last 30 days it begins at."""

    name: Name
    events: Annotated[int, Field(ge=0)]


class Channels(Part):
    """Delivery channels, and which of them is usual for where a customer is seen."""

    names: list[Name] = ["web", "push", "email", "line", "sms"]
    """Channels that plays may name; a shop with others lists all it has."""
    usual: dict[str, str] = {"web": "web", "app": "push", "store": "email"}
    """web, app, store -> delivery channel. Who was seen there is reachable there unless told otherwise."""
    unknown: Literal["allow", "refuse"] = "refuse"
    """Whether a channel reaches those who neither told so nor were seen there."""


Kind = Literal["user", "card", "email", "phone", "line", "device", "anonymous"]


class Limit(Part):
    """An id that more than `most` persons log in with inside `within` is shared: it links nobody."""

    most: Annotated[int, Field(ge=1, le=1000)]
    within: Duration


class IdentityRules(Part):
    """Which ids of a customer are joined, and whom we believe it."""

    kinds: list[Kind] = list(KINDS)
    """Greatest first: an id belongs to one of a greater kind. A kind that is left out links nobody."""
    limits: dict[Kind, Limit] = {
        "anonymous": Limit(most=5, within=7 * 86_400.0),
        "device": Limit(most=5, within=7 * 86_400.0),
    }
    blocked: list[str] = ["null", "none", "undefined", "nan", "unknown", "anonymous", "guest", "0", "00*", "test@*"]
    """Values that link nobody; `*` stands for anything, case does not count. Addresses come hashed, so no pattern meets
    them."""
    sources: list[str] = []
    """Sources that may link; empty: all."""
    trust: list[Literal["server", "token"]] = ["server", "token"]


class Play(Part):
    """One rule, read like a sentence. Conditions and values of `data` are CEL over the view."""

    id: Name
    purpose: Name = "marketing"
    on: Annotated[list[str], Field(min_length=1)]
    """Events that make us look."""
    after: Duration | None = None
    """Silence that must follow; each `on` event starts it again."""
    unless: list[str] = []
    """Events that end the silence: their event time decides, not their arrival."""
    when: str = "true"
    occurrence: str
    """CEL giving a string: one trigger for each of these, ever."""
    offer: dict[str, str] = {}
    channels: Annotated[list[Name], Field(min_length=1)]
    data: dict[str, str] = {}
    """Name -> CEL giving the text."""
    priority: int = 0
    """Plays are asked highest first."""
    cooldown: Duration | None = None
    expires: Duration = 3600.0
    steps: list[object] = Field(
        default=[], max_length=0, description="room for journeys: plays with more than one step"
    )

    @cached_property
    def ends(self) -> tuple[str, ...]:
        """Keys by which the events of `unless` are counted."""
        return tuple(KEY_OF.get(name, name) for name in self.unless)


class Playbook(Part):
    """All plays and policies, one version."""

    policies: Policies = Policies()
    intent: IntentModel = IntentModel()
    channels: Channels = Channels()
    segments: Segments = Segments()
    stages: Stages | None = None
    rfm: Rfm = Rfm()
    engagement: list[Tier] = [
        Tier(name="high", events=30),
        Tier(name="medium", events=8),
        Tier(name="low", events=1),
        Tier(name="none", events=0),
    ]
    """Tiers, most events first: the first that is reached counts."""
    identity: IdentityRules = IdentityRules()
    complements: dict[str, list[str]] = {}
    """Product id or category -> products that go with it, best first."""
    plays: list[Play] = []


if __name__ == "__main__":
    print(json.dumps(Playbook.model_json_schema(), indent=2))
