"""Deliberately wrong engines: each must be caught, else the harness proves nothing.

KAIROS_WRONG names one; the harness's worker puts it in place of what is right. The simulator has many more.
"""

from collections.abc import Callable
from time import time
from typing import Any, Final

import streams.engine.partition as partition_room
from processors.decide import Decider
from processors.turn import Turn
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


WRONG: Final[dict[str, Callable[[], None]]] = {"drain": drain, "catch-up": catch_up, "judge": judge}
"""Name -> puts it in place, in this process."""

CAUGHT: Final = {
    "drain": ("redis-cut", "id visible twice"),
    "catch-up": ("kill", "timer fired, its cancel in the log before"),
    "judge": ("revived", "cap exceeded by decided time"),
}
"""Name -> the scenario in which it must be caught, and by which violation."""
