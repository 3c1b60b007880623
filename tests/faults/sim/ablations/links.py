"""Guards of persons with several ids: what makes a part, a marker or what was sent count once, and nowhere else."""

from typing import Any

from msgspec.structs import replace as changed

from processors import claims, identity, parcels
from processors.markers import markers
from processors.parcels import Home
from processors.persons import BETWEEN
from processors.policies import Case
from processors.standing import Standing
from processors.turn import Turn
from schemas.customer import Sent
from schemas.event import Event
from schemas.identity import Held, Marker
from schemas.part import Part
from schemas.topics import PARTS
from schemas.turn import Message
from tests.faults.sim.ablations.put import Put


def newer_part(put: Put) -> None:
    """A part that is older than the one that is kept takes its place."""
    honest = identity.keep

    def keep(home: Home, part: Part) -> list[Event] | None:
        events = honest(home, part)
        if events is None:
            home.side(part.topic).held[BETWEEN.join(part.path)] = Held(part.version, getattr(part, part.topic))
        return events

    put(identity, "keep", keep)


def told_once(put: Put) -> None:
    """All events of a part are heard, those of the part before among them."""
    honest = identity.keep

    def keep(home: Home, part: Part) -> list[Event] | None:
        held, name = home.side(part.topic).held, BETWEEN.join(part.path)
        if name in held and part.version > held[name].version:
            held[name] = Held((0, 0), held[name].facts)
        return honest(home, part)

    put(identity, "keep", keep)


def marker_once(put: Put) -> None:
    """A marker that comes again counts again."""
    honest = identity.belong

    def belong(home: Home, part: Part, marker: Marker) -> list[Event] | None:
        if (events := honest(home, part, marker)) is None:
            honest(home, changed(part, id=f"{part.id}@{home.record.offset}"), marker)
        return events

    put(identity, "belong", belong)


def sent_is_told(put: Put) -> None:
    """What an id sent is not told to its owner."""
    _keep_back(put, sent=[])


def silences_are_told(put: Put) -> None:
    """The silences of an id end where it is linked."""
    _keep_back(put, waiting={})


def caps_of_the_person(put: Put) -> None:
    """Caps count what the id itself sent."""

    def sent(case: Case) -> list[Sent]:
        return case.customer.decisions.sent if case.customer.decisions else []

    put(Case, "sent", property(sent))


def marker_in_each_log(put: Put) -> None:
    """A link is told to the log of parts only."""

    def to_parts(*told: Any) -> list[tuple[str, Message]]:
        return [item for item in markers(*told) if item[1].topic == PARTS]

    put(claims, "markers", to_parts)


def owned_stands_nowhere(put: Put) -> None:
    """An id that belongs to another keeps its segment and stage."""
    put(Standing, "leave", lambda *_: None)


def _keep_back(put: Put, **fields: Any) -> None:
    honest = parcels.leave

    def leave(turn: Turn[Any], owner: str, part: Part, place: str) -> None:
        if part.belongings is not None:
            part = changed(part, belongings=changed(part.belongings, **fields))
        honest(turn, owner, part, place)

    put(parcels, "leave", leave)
    put(identity, "leave", leave)


def owner_before_is_told(put: Put) -> None:
    """Who owned something before keeps what it was told of it."""
    honest = parcels.send

    def send(turn: Turn[Any], owner: str, part: Part, facts: Any, told: Any = ()) -> None:
        if facts is not None or told:
            honest(turn, owner, part, facts, told)

    put(parcels, "send", send)
    put(identity, "send", send)
