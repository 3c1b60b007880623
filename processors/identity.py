"""One person, many ids: what links do to the chain.

How it works. A record is folded at the home of its id, whosever it is. Then this room is asked whose it is: an event in
a stretch of another owner is not heard here but told there (`parcels`); a claim becomes markers (`claims`); a marker
cuts the log (`stretches`). What comes in `parts` from ids that belong to this one is kept by path, the greater version
wins, and its new events are heard here; or, when this id itself belongs to another, passed on. Plays, policies and
views are asked of the person as a whole (`persons`).

Each of these follows from one log alone, never from what was read of another one meanwhile. So a partition that goes
back in time tells the same again, and who has heard it knows.
"""

from typing import Any

from msgspec import Raw

from processors import erasing, owners, plays, stretches
from processors.claims import claim, nothing_new
from processors.markers import onward
from processors.parcels import Home, Parcels, leave, move, note, part_of, send
from processors.persons import BETWEEN, whole
from processors.seen import repeated
from schemas.customer import Decisions, Identity
from schemas.event import Event, decode_event
from schemas.families import lacking
from schemas.identity import Held, Marker, Side
from schemas.part import Belongings, Part, Told
from schemas.playbook import IdentityRules, Play
from schemas.topics import PARTS


def mark(home: Home, parcels: Parcels, topic: str, event: Event, marker: Marker) -> None:
    """A marker in a log of events: another stretch begins, a link is taken back, or an owner is erased."""
    customer = home.customer
    if marker.what == "erase" and marker.to == home.id:
        parcels.pop(home.key, None)
        return erasing.erase(home, topic, marker, event.time)
    side, facts = home.side(topic), getattr(customer, topic)
    facts, moved = stretches.mark(side, facts, marker, event.time, home.record.offset)
    setattr(customer, topic, facts)
    parcel = note(parcels, home)
    for owner in moved:
        parcel.told.setdefault(owner, [])
    if marker.what == "erase" and erasing.spent(customer):
        home.turn.shred[home.key] = False


def own(known: Identity | None, side: Side[Any] | None, event: Event) -> bool:
    """Whether an event is the id's own and says nothing new of others, as nearly all do. `side`: of its topic."""
    if event.links or (known is not None and (known.owner or (side is not None and side.owner))):
        return False
    return not event.anonymous or (side is not None and nothing_new(side, event))


def elsewhere(home: Home, rules: IdentityRules, parcels: Parcels, topic: str, event: Event) -> bool:
    """What an event says of other ids, and whose it is: true when it is not to be heard here."""
    side = home.side(topic)
    if event.anonymous or event.links:
        claim(home.turn, rules, side, home.id, event)
    if not side.owner:
        return owners.gone(home.identity.owner)
    note(parcels, home).told.setdefault(side.owner, []).append(Told(home.record.offset, Raw(home.record.value or b"")))
    return True


def take(home: Home, part: Part, memory: float, named: dict[str, Play]) -> list[Event] | None:
    """A record of `parts`: answers the events to be heard here, None when it was here before."""
    home.identity.next = home.record.offset + 1
    if part.marker is not None:
        return belong(home, part, part.marker)
    if part.belongings is not None:
        receive(home, part, part.belongings, memory, named)
        return []
    return keep(home, part)


def belong(home: Home, part: Part, marker: Marker) -> list[Event] | None:
    """A marker in `parts`: all that has no stretches may have another owner now."""
    identity, record = home.identity, home.record
    if repeated(identity.seen, part.id, record.timestamp / 1000.0):
        return None
    if marker.what == "erase" and marker.to == home.id:
        erasing.erase(home, PARTS, marker, part.time)
        return []
    if owners.add(identity.marks, marker, part.time, record.offset) and marker.again:
        home.turn.messages += onward(home.id, marker, part.id, part.time)
    before, identity.owner = identity.owner, owners.first(identity.marks)
    owners.trim(identity.marks, ())
    if before != identity.owner:
        identity.since = record.offset + 1
        move(home, "" if marker.what == "erase" else before)
        if owners.gone(identity.owner):
            erasing.empty(home, PARTS)
    if marker.what == "erase" and erasing.spent(home.customer):
        home.turn.shred[home.key] = False
    return []


def keep(home: Home, part: Part) -> list[Event] | None:
    """A part of facts. Who belongs to another passes it on, and hears nothing. It may be from before a rebuild that
    changed which families are kept: then what is kept no longer does not stay, and where it lacks some, the same
    version is told again, with them."""
    held, name, at = home.side(part.topic).held, BETWEEN.join(part.path), home.record.offset
    facts, known = lacking(getattr(part, part.topic), home.turn.kept), held.get(name)
    short = facts is not None and part.kept != "" and not home.turn.kept <= {*part.kept.split(",")}
    before = known.version if known else (0, 0)
    if part.version < before or (part.version == before and (short or known is None or not known.short)):
        return None
    held[name] = Held(part.version, facts, short)
    if part.version == erasing.LAST:
        lose(home, part, held)
    fresh = [told.event for told in part.events if told.at >= before[1]]
    if not home.identity.owner:
        return [decode_event(event) for event in fresh]
    onward = part_of([*part.path, home.id], part.topic, (0, at + 1))
    send(home.turn, home.identity.owner, onward, facts, [Told(at, event) for event in fresh])
    return []


def lose(home: Home, part: Part, held: dict[str, Held[Any]]) -> None:
    """The sender was erased: what it passed on of others goes with it."""
    identity, at = home.identity, home.record.offset
    for name in [name for name in held if name.rpartition(BETWEEN)[2] == part.path[-1]]:
        path = name.split(BETWEEN)
        identity.warmth.pop(path[0], None)
        if held[name].facts is not None:
            held[name] = Held(erasing.LAST)
            if identity.owner:
                send(home.turn, identity.owner, part_of([*path, home.id], part.topic, (0, at + 1)), None)


def receive(home: Home, part: Part, given: Belongings, memory: float, named: dict[str, Play]) -> None:
    """What is no fact: what was sent counts here, silences go on here. `memory`: seconds for which the sent is kept."""
    identity = home.identity
    sent = {one.id: one for one in (*identity.sent, *given.sent)}
    identity.sent = [one for one in sent.values() if one.decided >= home.turn.now - memory]
    for id, intent in given.warmth.items():
        if intent.at >= identity.warmth.get(id, intent).at:
            identity.warmth[id] = intent
    path = [*part.path, home.id]
    if not identity.owner:
        adopt(home, part.path, given, named)
    elif identity.owner not in path:
        leave(home.turn, identity.owner, Part(path, belongings=given), f"on:{home.record.offset}")


def adopt(home: Home, path: list[str], given: Belongings, named: dict[str, Play]) -> None:
    """Silences that began elsewhere go on here. One of them may have ended there already, in a history that is lost:
    where they come from tells under which ids it was sent."""
    if not given.waiting:
        return
    decisions = home.customer.decisions = home.customer.decisions or Decisions()
    person = whole(home.customer)
    for id, waiting in given.waiting.items():
        waiting.came = sorted({*waiting.came, *path})
        plays.adopt(home.turn, person, decisions, id, named.get(id), waiting)
    home.turn.wake[home.key] = plays.wake(decisions)
