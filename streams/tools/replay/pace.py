"""When each event is sent, and when it is said to have happened.

How it works. The file spans from `first` to `last`. At speed S an event of time t is sent (t - first) / S after the
start. Its time is moved so that the last event happens at the moment it is sent: no event then lies in the future,
whatever S >= 1. Slower than the file's own pace the first event is the one that happens when it is sent. As fast as
possible (S = inf): the last event happens at the start.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from streams.tools.replay import segment
from streams.tools.replay.rows import Bad, Call, Item, Row

NAP = 0.005
"""Seconds ahead of time that are not worth a sleep."""
BREATH = 200
"""Items after which others may run, when nothing else makes us wait."""


@dataclass(frozen=True)
class Pace:
    """Times are seconds since the epoch; `start` is when the replay began."""

    start: float
    first: float
    last: float
    speed: float = math.inf
    keep_times: bool = False

    def due(self, time: float) -> float:
        """Seconds after the start at which an event of this time is sent."""
        return max(0.0, time - self.first) / self.speed

    def moved(self, time: float) -> float:
        """When it is said to have happened."""
        if self.keep_times:
            return time
        if self.speed < 1:
            return self.start + time - self.first
        return self.start + self.due(self.last) - (self.last - time)

    def move(self, item: Row | Call) -> Row | Call:
        """The item at its moved time."""
        if self.keep_times:
            return item
        if isinstance(item, Call):
            time = self.moved(item.time) if item.time else self.start
            return Call(item.line, item.customer, time, segment.at(item.body, time))
        event = msgspec.structs.replace(item.event, time=self.moved(item.time))
        return Row(item.line, item.customer, event, item.known)


async def paced(items: Iterable[Item], pace: Pace, stop: asyncio.Event) -> AsyncIterator[Item]:
    """Items when they are due, moved; until `stop` is set."""
    clock = asyncio.get_running_loop().time
    began = clock()
    for number, item in enumerate(items):
        if stop.is_set():
            return
        if isinstance(item, Bad):
            yield item
            continue
        ahead = began + pace.due(item.time or pace.first) - clock()
        if ahead > NAP:
            await _wait(stop, ahead)
        elif number % BREATH == 0:
            await asyncio.sleep(0)
        if stop.is_set():
            return
        yield pace.move(item)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
