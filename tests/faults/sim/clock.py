"""Time that jumps: an event loop that never waits and opens no socket.

How it works. Nothing here reads a real clock: when no task is ready, the loop's time becomes that of the next timer.
Tasks hash by their number, not by their address, so that sets of tasks have one order in every run of a seed.
"""

import asyncio
import itertools
from collections.abc import Coroutine
from contextvars import Context, ContextVar
from typing import Any, Final

START: Final = 1_790_000_000.0
"""Seconds since the epoch when a history begins: 2026-09-21 13:33:20 UTC."""

OWNER: ContextVar[Any] = ContextVar("owner", default=None)
"""The worker on whose behalf a task runs."""


class Stalled(Exception):
    """No task is ready and no timer is set: nothing will ever happen again."""


class Numbered(asyncio.Task[Any]):
    """A task with a number and an owner."""

    def __init__(self, number: int, owner: Any, coro: Coroutine[Any, Any, Any], **more: Any) -> None:
        self.number, self.owner = number, owner
        super().__init__(coro, **more)

    def __hash__(self) -> int:
        return self.number


class _Jump:
    """What the loop takes for a selector."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stalled
        self._loop.moment += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time, seconds from 0."""

    def __init__(self) -> None:
        super().__init__()
        self.moment = 0.0
        self._selector = _Jump(self)
        self._clock_resolution = 1e-6
        numbers = itertools.count(1)

        def make(loop: asyncio.AbstractEventLoop, coro: Any, context: Context | None = None) -> Numbered:
            owner = context.get(OWNER) if context else OWNER.get()
            return Numbered(next(numbers), owner, coro, loop=loop, context=context)

        self.set_task_factory(make)

    def time(self) -> float:
        return self.moment

    def tasks(self, owner: Any = None) -> list[Numbered]:
        """Tasks not done, of one owner or of all, in order of creation."""
        found = [task for task in asyncio.all_tasks(self) if isinstance(task, Numbered)]
        return sorted((t for t in found if owner is None or t.owner is owner), key=lambda t: t.number)

    def _process_events(self, events: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody else runs who could be asleep."""


def at_once(coro: Coroutine[Any, Any, Any]) -> Any:
    """The answer of a call that does not wait."""
    try:
        coro.send(None)
    except StopIteration as done:
        return done.value
    coro.close()
    raise RuntimeError(f"wanted an answer at once, {coro!r} waits")
