"""Erasing a customer: all that is theirs goes, here and at the ids that belong to them.

How it works. An erasure is a marker. In a log of the customer's own id it empties the whole home: a date stays, and
every later record is refused. From there it spreads as links do, as markers in the logs of the ids that belong here,
each with the name of its owner: there it takes the stretches of that owner only, for a device may have had others, and
whoever logs in next begins anew. Whatever still comes from such an id is refused and answered by the same marker, so
what was on its way is found too.

Nobody knows here what of the sent is still in the outbox. So ids of triggers stay (`Customer.forgotten`), and the turn
is told to judge what is pending (`Turn.erased`).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from processors.claims import claim
from processors.markers import markers
from processors.owners import gone
from processors.parcels import Home, part_of, send
from processors.persons import BETWEEN, FACTS
from processors.standing import uncount
from processors.turn import Lost, Turn
from schemas.customer import Customer, Erased, Identity
from schemas.event import Event
from schemas.facts import FeedbackFacts
from schemas.identity import Marker, Side
from schemas.part import Part
from schemas.playbook import IdentityRules
from schemas.topics import EVENTS, PARTS, TRIGGERS

LAST: Final = (2**53, 0)
"""Version of a part after which none comes: whatever is still on its way is older."""


def refuses(customer: Customer, topic: str) -> bool:
    """Whether what comes of this topic belongs to somebody who was erased."""
    if customer.erased is not None:
        return True
    identity = customer.identity
    if identity is None:
        return False
    if topic not in EVENTS:
        return gone(identity.owner)
    side: Side[Any] | None = getattr(identity, topic)
    return side is not None and gone(side.owner)


def erase(home: Home, topic: str, marker: Marker, time: float) -> None:
    """The id itself: nothing stays but when, by whom and why."""
    customer = home.customer
    forget(home)
    if customer.identity is not None:
        tell_owners(home, customer.identity)
        spread(home, topic, below(customer.identity))
    customer.clickstream = customer.cart = customer.pos = customer.feedback = None
    customer.identity = None
    customer.erased = Erased(time, marker.by, marker.why, [topic])
    home.turn.shred[home.key] = True
    home.turn.changed.add(home.key)


def empty(home: Home, topic: str) -> None:
    """The owner of all that has no stretches was erased: what of it lies here goes, and what others sent here."""
    customer, identity = home.customer, home.identity
    forget(home)
    spread(home, topic, below(identity))
    identity.sent, identity.warmth = [], {}
    for name in FACTS:
        side: Side[Any] | None = getattr(identity, name)
        if side is not None:
            side.held = {}
    if customer.feedback is not None:
        customer.feedback = FeedbackFacts(next=customer.feedback.next, seen=customer.feedback.seen)


def spent(customer: Customer) -> bool:
    """Whether all that ever came under this id belonged to persons who were erased: then its data keys may go. Asked of
    every log's links, for nobody else may be on the way."""
    if customer.erased is not None:
        return True
    identity = customer.identity
    if identity is None or not gone(identity.owner):
        return False
    sides: list[Side[Any] | None] = [getattr(identity, topic) for topic in EVENTS]
    if any(side is None or side.closed or not gone(side.owner) for side in sides):
        return False
    marks = [*identity.marks, *(mark for side in sides if side for mark in side.marks)]
    return all(gone(mark.to) for mark in marks)


def answer(home: Home, topic: str, part: Part) -> None:
    """Something of an erased customer's came from another id: it shall go there too."""
    if part.marker is not None:
        deny(home, topic, part.marker)
    elif part.belongings is not None or part.events or any(getattr(part, name) is not None for name in FACTS):
        spread(home, topic, part.path[-1:])


def pass_over(turn: Turn[Customer], topic: str, lost: Sequence[Lost]) -> None:
    """Nobody can read them any more. A part that still comes leads to who sent it, as one that can be read does."""
    turn.counts[f"erased:{topic}"] += len(lost)
    for one in lost:
        key = one.record.key or b""
        customer = turn.customers.get(key)
        if one.sender and topic == PARTS and customer is not None and refuses(customer, PARTS):
            spread(Home(turn, one.record, key, customer), PARTS, [one.sender])


def forget(home: Home) -> None:
    """Decisions go: silences end, and what is decided and not yet committed never was."""
    customer, turn, decisions = home.customer, home.turn, home.customer.decisions
    turn.erased.append(home.key)
    if decisions is None:
        return
    if decisions.waiting:
        turn.counts["timer:cancelled"] += len(decisions.waiting)
    turn.wake[home.key] = None
    uncount(turn, decisions)
    fresh = {id for id, message in turn.messages if message.topic == TRIGGERS and message.key == home.key}
    turn.messages = [item for item in turn.messages if item[0] not in fresh]
    for one in decisions.sent:
        if one.id in fresh:
            turn.counts[f"trigger:{one.play}"] -= 1
        else:
            customer.forgotten[one.id] = one.play
    customer.decisions = None


def tell_owners(home: Home, identity: Identity) -> None:
    """To whom this id was linked meanwhile, has nothing of it any more."""
    everywhere = {mark.to for mark in identity.marks}
    for topic in FACTS:
        side: Side[Any] = getattr(identity, topic) or Side()
        for owner in sorted(everywhere | {mark.to for mark in side.marks}):
            send(home.turn, owner, part_of([home.id], topic, LAST), None)
        for name in side.held if identity.owner else ():
            send(home.turn, identity.owner, part_of([*name.split(BETWEEN), home.id], topic, LAST), None)


def late(home: Home, rules: IdentityRules, topic: str, event: Event) -> None:
    """Something came to an erased id. What its log holds before the erasure may still tell of other ids: they are
    linked and erased as if it had been read in time."""
    erased, marker = home.customer.erased, event.marker
    assert erased is not None
    if marker is not None and marker.what == "erase" and marker.to == home.id:
        if topic not in erased.read:
            erased.read.append(topic)
            home.turn.changed.add(home.key)
    elif marker is not None:
        deny(home, topic, marker)
    elif (event.anonymous or event.links) and topic not in erased.read:
        side: Side[Any] = Side()
        claim(home.turn, rules, side, home.id, event)
        spread(home, topic, sorted(side.claims))


def deny(home: Home, topic: str, marker: Marker) -> None:
    """A link of an erased id: its owner is told that there is nothing. It may have been told of something, before this
    partition went back in time."""
    if marker.what == "link":
        for name in FACTS if topic == PARTS else (topic,):
            send(home.turn, marker.to, part_of([home.id], name, LAST), None)


def below(identity: Identity) -> list[str]:
    """The ids that belong here, as far as this one knows: who sent parts, and who was claimed."""
    sides = [side for topic in FACTS if (side := getattr(identity, topic))]
    senders = {name.rpartition(BETWEEN)[2] for side in sides for name in side.held}
    return sorted(senders | {id for side in sides for id in side.claims})


def spread(home: Home, topic: str, ids: Iterable[str]) -> None:
    """A marker into the logs of each. Its id is made of the place of what led here, the same in every history."""
    marker, cause = Marker("erase", home.id, by="kairos", why="its owner was erased"), f"{topic}:{home.record.offset}"
    for id in ids:
        home.turn.messages += markers(id, marker, f"erase:{cause}", home.record.timestamp / 1000.0)
