"""What one id of a person must tell another: parts on their way.

An id that belongs to another decides nothing any more. Its events are folded at home as ever, and each batch of them
leaves as one part an owner: all facts that are the owner's, and the batch's events. What the parts of a batch say
depends on the log alone, never on how it was cut into batches.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from msgspec import Struct, field
from msgspec.structs import replace

from processors import plays
from processors.markers import markers
from processors.owners import gone
from processors.persons import BETWEEN, FACTS
from processors.stretches import owned
from processors.turn import Record, Turn
from schemas.customer import Customer, Identity, Sent
from schemas.facts import FeedbackFacts, Seen
from schemas.families import ALL, write_families
from schemas.identity import Marker, Side
from schemas.part import PATH_MOST, Belongings, Part, Told, encode_part
from schemas.topics import FEEDBACK, PARTS, TRIGGERS
from schemas.turn import Message

RECORD_BYTES: Final = 200_000
"""Of events in one record: a batch of the relay must hold it."""
HEADERS: Final = [("content-type", b"application/json")]


class Home(Struct):
    """A record at the home of its id."""

    turn: Turn[Customer]
    record: Record
    key: bytes
    customer: Customer

    @property
    def id(self) -> str:
        return self.key.decode()

    @property
    def identity(self) -> Identity:
        """What links made of it; from now on there is something."""
        if self.customer.identity is None:
            self.customer.identity = Identity()
        return self.customer.identity

    def side(self, topic: str) -> Side[Any]:
        side: Side[Any] | None = getattr(self.identity, topic)
        if side is None:
            side = Side()
            setattr(self.identity, topic, side)
        return side


class Parcel(Struct):
    """What the batch of one log brought of one id."""

    customer: Customer
    told: dict[str, list[Told]] = field(default_factory=dict)
    """Owner -> events to be heard there; none: only the facts moved."""


Parcels = dict[bytes, Parcel]


def note(parcels: Parcels, home: Home) -> Parcel:
    """The id was touched."""
    parcel = parcels.get(home.key)
    if parcel is None:
        parcel = parcels[home.key] = Parcel(home.customer)
    return parcel


def dispatch(turn: Turn[Customer], topic: str, parcels: Parcels) -> None:
    """All that a batch of one topic has to tell leaves with the turn."""
    for key, parcel in parcels.items():
        customer, identity = parcel.customer, parcel.customer.identity
        if identity is None:
            continue
        for owner, told in parcel.told.items():
            facts = getattr(customer, topic)
            mine = owned(getattr(identity, topic), facts, owner)
            send(turn, owner, part_of([key.decode()], topic, (0, facts.next)), mine, told)
        if topic == FEEDBACK and identity.owner:
            version = identity.since, customer.feedback.next if customer.feedback else 0
            send(turn, identity.owner, part_of([key.decode()], FEEDBACK, version), customer.feedback)


def send(turn: Turn[Customer], owner: str, part: Part, facts: Any, told: Sequence[Told] = ()) -> None:
    """A part of facts. One that has come too far, or would come back, stays. Many events leave in several records, each
    with all the facts: what is heard there shall be seen there. So one may know more than its version says; the last
    one does not, and the greatest version is what stays."""
    if owner in part.path or len(part.path) >= PATH_MOST:
        return open_ring(turn, owner, part.path, f"{part.topic}:{part.version}")
    known = None if facts is None else replace(facts, next=0, seen=Seen())
    if known is not None and turn.kept != ALL:
        part = replace(part, kept=write_families(turn.kept))
    *before, last = chunks(told)
    for few in before:
        leave(turn, owner, filled(part, (0, few[-1].at + 1), known, few), f"{part.topic}:{few[-1].at + 1}")
    leave(turn, owner, filled(part, part.version, known, last), f"{part.topic}:{part.version}")


def filled(part: Part, version: tuple[int, int], facts: Any, told: list[Told]) -> Part:
    """A part as it leaves."""
    copy = replace(part, version=version, events=told)
    if facts is not None:
        setattr(copy, part.topic, facts)
    return copy


def open_ring(turn: Turn[Customer], owner: str, path: list[str], place: str) -> None:
    """Two claims that crossed made each of some ids belong to the next: then nobody decides. The greatest of them takes
    its link back, and is the person. The others know it by the same rule."""
    own = path[-1]
    if owner in path and own == max(path[path.index(owner) :]):
        marker = Marker("split", owner, by="kairos", why="a ring of links")
        turn.messages += markers(own, marker, f"ring:{place}", turn.now)
        turn.counts["unlinked:ring"] += 1


def chunks(told: Sequence[Told]) -> Iterator[list[Told]]:
    """In pieces that fit into one record each; one at least."""
    few: list[Told] = []
    size = 0
    for one in told:
        size += len(one.event)
        if few and size > RECORD_BYTES:
            yield few
            few, size = [], len(one.event)
        few.append(one)
    yield few


def hand_over(home: Home, topic: str, *, all: bool = False) -> None:
    """An id's silences become its owner's; when it is linked (`all`) what it sent, how warm it is and its stage go too.
    Asked of each record alone: how records are cut into batches must not show."""
    decisions, identity = home.customer.decisions, home.identity
    given = Belongings()
    if decisions and decisions.waiting:
        given.waiting, decisions.waiting = decisions.waiting, {}
        home.turn.counts["timer:cancelled"] += len(given.waiting)
        home.turn.wake[home.key] = plays.wake(decisions)
    if all:
        given.sent = [*(decisions.sent if decisions else ()), *identity.sent]
        given.warmth = dict(identity.warmth)
        if decisions and decisions.intent.sums:
            given.warmth[home.id] = decisions.intent
        if decisions:
            given.stage, given.stage_since = decisions.stage, decisions.stage_since
    if given != Belongings():
        leave(home.turn, identity.owner, Part([home.id], belongings=given), f"{topic}:{home.record.offset}")


def pass_on(home: Home, sent: Sent) -> None:
    """What an id of another person sent counts there. Told of each that is read back: it may have been decided here
    when the marker of `parts` was read already, and that of its own topic was not."""
    if owner := home.identity.owner:
        leave(home.turn, owner, Part([home.id], belongings=Belongings(sent=[sent])), f"{TRIGGERS}:{home.record.offset}")


def leave(turn: Turn[Customer], owner: str, part: Part, place: str) -> None:
    """Into the outbox. `place` tells this part from all others that wait there. Who was erased is told nothing."""
    if gone(owner):
        return
    what = "belongings" if part.belongings else "part"
    id = f"{what}:{place}:{BETWEEN.join(part.path)}:{owner}"
    turn.messages.append((id, Message(PARTS, owner.encode(), encode_part(part), HEADERS)))


def move(home: Home, before: str) -> None:
    """What has no stretches has another owner since this marker in `parts`."""
    customer, identity, at = home.customer, home.identity, home.record.offset
    for topic in FACTS:
        side: Side[Any] | None = getattr(identity, topic)
        for name, held in side.held.items() if side else ():
            if held.facts is not None:
                both(home, before, [*name.split(BETWEEN), home.id], topic, (0, at + 1), held.facts)
    feedback = customer.feedback or FeedbackFacts()
    if before or feedback.events:  # it may have had some, before this partition went back in time
        both(home, before, [home.id], FEEDBACK, (identity.since, feedback.next), feedback)
    if identity.owner:
        hand_over(home, PARTS, all=True)


def part_of(path: list[str], topic: str, version: tuple[int, int]) -> Part:
    """A part without anything in it. `topic` is one that has facts."""
    return Part(path, cast(Any, topic), version)


def both(home: Home, before: str, path: list[str], topic: str, version: tuple[int, int], facts: Any) -> None:
    """The one has nothing any more, the other all."""
    if before:
        send(home.turn, before, part_of(path, topic, version), None)
    if home.identity.owner:
        send(home.turn, home.identity.owner, part_of(path, topic, version), facts)
