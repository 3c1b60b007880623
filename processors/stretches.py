"""The facts of one log, cut where its markers lie: which piece belongs to whom."""

from collections.abc import Iterator
from typing import Any

from processors import owners
from processors.joined import join, together
from schemas.facts import Seen
from schemas.identity import STRETCHES_MOST, Marker, Side, Stretch


def mark(side: Side[Any], facts: Any, marker: Marker, time: float, at: int) -> tuple[Any, set[str]]:
    """A marker at offset `at`: answers the facts that go on from here, and the owners who now have more or less."""
    if owners.add(side.marks, marker, time, at):
        facts = cut(side, facts, at)
    moved: set[str] = set()
    for stretch in side.closed:
        before, stretch.owner = stretch.owner, owners.owner(side.marks, stretch.at)
        if before != stretch.owner:
            moved |= {before, stretch.owner}
    before, side.owner = side.owner, owners.owner(side.marks, side.since)
    if before != side.owner and facts.events:
        moved |= {before, side.owner}
    facts = drop(side, facts)
    bound(side)
    if marker.what == "erase":
        moved.discard(marker.to)  # nobody is there to be told
    return facts, {owner for owner in moved if owner and not owners.gone(owner)}


def drop(side: Side[Any], facts: Any) -> Any:
    """What belongs to an erased owner goes. Digests of message ids stay: a repeat is not the next owner's."""
    side.closed = [stretch for stretch in side.closed if not owners.gone(stretch.owner)]
    if not owners.gone(side.owner):
        return facts
    side.claims = {}
    return type(facts)(next=facts.next, seen=facts.seen)


def cut(side: Side[Any], facts: Any, at: int) -> Any:
    """Close the going stretch if anything happened in it, and begin another."""
    fresh = type(facts)(next=facts.next, seen=facts.seen)
    if facts.events:
        facts.next, facts.seen = 0, Seen()
        side.closed.append(Stretch(side.since, facts, side.owner))
    side.since = at
    return fresh


def bound(side: Side[Any]) -> None:
    """Join the oldest two of one owner while there are too many. More owners than that need more stretches."""
    while len(side.closed) >= STRETCHES_MOST:
        pair = next(pairs(side.closed), None)
        if pair is None:
            break
        older, newer = pair
        older.facts = join(older.facts, newer.facts)
        side.closed.remove(newer)
    owners.trim(side.marks, {side.since, *(stretch.at for stretch in side.closed)})


def pairs(closed: list[Stretch[Any]]) -> Iterator[tuple[Stretch[Any], Stretch[Any]]]:
    """Two stretches of one owner, the oldest first."""
    for number, older in enumerate(closed):
        for newer in closed[number + 1 :]:
            if newer.owner == older.owner:
                yield older, newer
                break


def owned(side: Side[Any], facts: Any, owner: str) -> Any:
    """All facts of this log that belong to an owner, as one; None: there are none. Empty: what is the id's own."""
    return together(belonging(side, facts, owner))


def belonging(side: Side[Any], facts: Any, owner: str) -> list[Any]:
    """The facts of each stretch of an owner, oldest first; `facts`: those of the one that goes on."""
    mine = [stretch.facts for stretch in side.closed if stretch.owner == owner]
    return [*mine, facts] if side.owner == owner else mine
