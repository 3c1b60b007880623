"""Deliberately wrong engines: each must be caught, else the harness proves nothing.

KAIROS_WRONG names one; the harness's worker puts it in place of what is right. The simulator has many more.
"""

from collections.abc import Callable
from time import time
from typing import Any, Final

import streams.engine.partition as partition_room
from processors import identity
from processors.decide import Decider
from processors.joined import join
from processors.parcels import Home
from processors.persons import BETWEEN
from processors.policies import Case
from processors.turn import Turn
from schemas.customer import Sent
from schemas.event import Event, decode_event
from schemas.part import Part
from streams.engine.inbox import Inbox


def drain() -> None:
    """A term begins without reading what has left the house."""
    room: Any = partition_room
    honest = room.begin

    async def begin(*args: Any) -> Any:
        term, _, begun = await honest(*args)
        return term, -1, begun

    room.begin = begin


def catch_up() -> None:
    """Timers fire by the clock, whatever is still unread."""

    def now(_: Inbox) -> float:
        return time()

    setattr(Inbox, "caught_up", now)  # noqa: B010


def judge() -> None:
    """What waits when a term begins leaves as it is."""

    def keep(_: Decider, __: Turn[Any], ___: Any) -> None:
        return None

    setattr(Decider, "judge", keep)  # noqa: B010


def versions() -> None:
    """Parts are joined, whatever their version: one that comes again counts again, and its events are heard again."""
    honest = identity.keep

    def keep(home: Home, part: Part) -> list[Event] | None:
        held = home.side(part.topic).held.get(BETWEEN.join(part.path))
        if held is None or part.version > held.version:
            return honest(home, part)
        again = getattr(part, part.topic)
        if held.facts is not None and again is not None:
            held.facts = join(held.facts, again)
        return [] if home.identity.owner else [decode_event(told.event) for told in part.events]

    setattr(identity, "keep", keep)  # noqa: B010


def both() -> None:
    """An id that belongs to another tells it all it does, and goes on deciding."""
    honest = identity.elsewhere

    def elsewhere(*args: Any) -> bool:
        honest(*args)
        return False

    setattr(identity, "elsewhere", elsewhere)  # noqa: B010


def apart() -> None:
    """Caps count what an id sent itself, not what the person's other ids did."""

    def own(case: Case) -> list[Sent]:
        return case.customer.decisions.sent if case.customer.decisions else []

    setattr(Case, "sent", property(own))  # noqa: B010


WRONG: Final[dict[str, Callable[[], None]]] = {
    "drain": drain,
    "catch-up": catch_up,
    "judge": judge,
    "versions": versions,
    "both": both,
    "apart": apart,
}
"""Name -> puts it in place, in this process."""

CAUGHT: Final = {
    "drain": ("redis-cut", "id visible twice"),
    "catch-up": ("kill", "timer fired, its cancel in the log before"),
    "judge": ("revived", "cap exceeded by decided time"),
    "versions": ("redis-cut", "a part held is not what its sender's log says"),
    "both": ("calm", "an occurrence was decided by two ids"),
    "apart": ("calm", "cap of a person exceeded"),
}
"""Name -> the scenario in which it must be caught, and by which violation."""
