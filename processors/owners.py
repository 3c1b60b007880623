"""To whom a log belongs, asked of the links its markers made.

A stretch belongs to the latest live link at or before its beginning; if there is none, to the first live link after it:
the past goes to the first who comes. What has no stretches belongs to the first. An id with too many owners in too
short a time is shared (a shop's tablet, a kiosk): it belongs to nobody. An owner who was erased goes on owning, without
a name: what belongs there is dropped.
"""

from collections.abc import Collection, Sequence

from processors.markers import tomb
from schemas.identity import MARKS_MOST, TOMB, Mark, Marker


def owner(marks: Sequence[Mark], at: int) -> str:
    """Of the stretch that began with the marker at this offset; empty: the id itself."""
    live = alive(marks)
    before = [mark for mark in live if mark.at <= at]
    return before[-1].to if before else live[0].to if live else ""


def first(marks: Sequence[Mark]) -> str:
    """Of what has no stretches."""
    live = alive(marks)
    return live[0].to if live else ""


def alive(marks: Sequence[Mark]) -> list[Mark]:
    """The links that count, in the order of the log."""
    live = [mark for mark in marks if not mark.dead]
    return [] if any(crowded(live, mark, end) for mark in live for end in (mark.time, mark.again)) else live


def crowded(live: Sequence[Mark], last: Mark, end: float) -> bool:
    """Whether there are too many owners in the time that ends with this link."""
    near = {mark.to for mark in live if mark.time <= end and mark.again > end - last.within}
    return 0 < last.most < len(near)


def add(marks: list[Mark], marker: Marker, time: float, at: int) -> bool:
    """Take a marker in. True when another stretch begins with it: not when it says what the one before said."""
    if marker.what == "erase":
        bury(marks, marker.to)
        return False
    to = named(marks, marker.to)
    if marker.what == "split":
        for mark in marks:
            mark.dead = mark.dead or mark.to == to
        return False
    last = marks[-1] if marks else None
    if last and last.to == to and not last.dead:
        if not marker.again:  # other logs know nothing of it, and all must find the same ids shared
            last.time, last.again = min(last.time, time), max(last.again, time)
        return False
    marks.append(Mark(to, time, time, at, marker.most, marker.within))
    return True


def bury(marks: list[Mark], owner: str) -> None:
    """An owner was erased. The links stay, without the name: what was theirs must not come to be another's."""
    for mark in marks:
        if mark.to == owner:
            mark.to = tomb(owner)


def named(marks: list[Mark], owner: str) -> str:
    """How the marks of this log call an owner."""
    buried = tomb(owner)
    return buried if any(mark.to == buried for mark in marks) else owner


def gone(owner: str) -> bool:
    """Whether this owner was erased."""
    return owner.startswith(TOMB)


def trim(marks: list[Mark], begins: Collection[int]) -> None:
    """Keep them bounded: what is dead goes first, then what no stretch began with (`begins`: offsets), but for the
    first and the last."""
    while len(marks) > MARKS_MOST:
        dead = (mark for mark in marks if mark.dead)
        idle = (mark for mark in marks[1:-1] if mark.at not in begins)
        marks.remove(next(dead, None) or next(idle, marks[1]))
