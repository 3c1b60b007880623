"""A part: what one id tells another of the same person. The value of a record in `parts`, keyed by who shall know.

A part of facts says all that the receiver owns of one log, as of `version`: the greater version wins, so repeats,
zombies and a store that went back in time can neither lose nor double anything. Its events are those the sender folded
since the part before; the receiver hears the ones it has not had.
"""

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder, Encoder

from schemas.customer import Intent, Sent, Waiting
from schemas.facts import CartFacts, ClickFacts, FeedbackFacts, PosFacts
from schemas.identity import Id, Marker

PATH_MOST = 16


class Told(Struct):
    """An event to be heard at the receiver."""

    at: int
    """Its offset in the sender's log."""
    event: Raw
    """As it lies there."""


class Belongings(Struct, omit_defaults=True):
    """What an id hands over that is no fact."""

    waiting: dict[str, Waiting] = {}
    """Its silences; from here on they are the receiver's."""
    sent: list[Sent] = []
    warmth: dict[str, Intent] = {}
    """Id -> how warm it was when it was linked."""
    stage: str = ""
    stage_since: float = 0.0
    """Where it had come to when it was linked, and since when."""


class Part(Struct, omit_defaults=True):
    """One of three: facts with their events, belongings, or a marker."""

    path: Annotated[list[Id], Meta(max_length=PATH_MOST)] = []
    """From the id whose events they are to the sender."""
    topic: Literal["", "clickstream", "cart", "pos", "feedback"] = ""
    version: tuple[int, int] = (0, 0)
    """The sender's position. Of feedback, which has no stretches: the position at which its owner last changed, then
    its own."""
    clickstream: ClickFacts | None = None
    cart: CartFacts | None = None
    pos: PosFacts | None = None
    feedback: FeedbackFacts | None = None
    """All that is the receiver's; none: nothing is, any more."""
    kept: Annotated[str, Meta(max_length=200)] = ""
    """Families of facts the sender keeps, by commas, or `none`; empty: all."""
    events: list[Told] = []
    belongings: Belongings | None = None
    marker: Marker | None = None
    id: str = ""
    """Of a marker: what a repeat repeats."""
    time: float = 0.0
    """Of a marker: event time of the claim."""

    def __post_init__(self) -> None:
        if self.marker is None and not (self.path and (self.topic or self.belongings is not None)):
            raise ValueError("wanted a marker, or a path with a topic or belongings")


decode_part = Decoder(Part).decode
encode_part = Encoder().encode
