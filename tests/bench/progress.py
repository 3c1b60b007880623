"""How far a worker has come with a backlog.

How it works. Links are told to all logs of the lesser id, and a marker is applied like an event: whoever counts what
was applied counts those too, and is done too early. So what is counted are places: how much of what was written is
behind the worker. All of it is done only when also what the worker made of it has been read, and nothing waits.

A worker folds up to 10,000 records of each partition before any of it shows. Whoever looks in the middle of a backlog
sees too little done, and takes the CPU spent on the rest for that of the warm-up. So `watch` measures a backlog of its
own, from rest to rest; while it is written the processes are held, so that they meet all of it at once.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from schemas.topics import CLICKSTREAM, partition_of
from schemas.wire.names import ROUTES
from streams.settings import Settings
from streams.state import open_store
from streams.state.meta import positions
from streams.state.store import Store
from streams.tools.books import lags
from streams.tools.guarded import Ward
from tests.bench.figures import Figures
from tests.bench.process import cpu_seconds, memory_mb
from tests.bench.shop import Visit

LOOK = 0.02
PATIENCE = 600.0
HELD = 60.0
"""Session, in seconds, of workers that are held for a while."""

Ends = Counter[tuple[str, int]]
"""(topic, partition) -> records written there, from offset 0 on."""


class Progress(Protocol):
    """How far somebody has come."""

    @property
    def events(self) -> int:
        """How many were written."""

    async def read(self) -> int:
        """How many of them are done, as far as it shows."""

    async def done(self) -> int:
        """The same; all of them only when nothing of them is under way any more."""


def ends_of(visits: Iterable[Visit], partitions: int) -> Ends:
    """Of these events."""
    return Counter((ROUTES.get(event.name, CLICKSTREAM), partition_of(key, partitions)) for key, event in visits)


class Backlog:
    """The progress of workers. `ends` may grow."""

    def __init__(self, settings: Settings, store: Store, ends: Ends) -> None:
        self._settings, self._store, self._ends = settings, store, ends

    @property
    def events(self) -> int:
        return self._ends.total()

    async def read(self) -> int:
        slots = [self._store.slot(number) for number in range(self._settings.partitions)]
        at = [positions(meta) for meta in await asyncio.gather(*(slot.meta() for slot in slots))]
        return sum(min(at[partition][topic], end) for (topic, partition), end in self._ends.items())

    async def done(self) -> int:
        read = await self.read()
        return read if read < self.events or await rests(self._settings, self._store) else read - 1


@asynccontextmanager
async def backlog(settings: Settings, ends: Ends) -> AsyncIterator[Backlog]:
    """Looks at the state of this installation."""
    store = open_store(settings)
    try:
        yield Backlog(settings, store, ends)
    finally:
        await store.close()


async def rests(settings: Settings, store: Store) -> bool:
    """Whether all is read and all has left."""
    waiting = await asyncio.gather(*(store.slot(p).outbox_size() for p in range(settings.partitions)))
    return not any(waiting) and not any((await lags(settings, store)).values())


async def at_rest(settings: Settings, store: Store) -> None:
    """Wait until all is read and all has left. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not await rests(settings, store):  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(LOOK)


async def reach(done: Callable[[], Awaitable[int]], wanted: int) -> None:
    """Wait until so many are done. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while await done() < wanted:  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(LOOK)


async def watch(
    wards: Sequence[Ward], log: Progress, write: Callable[[], Awaitable[None]], redis: Ward | None = None
) -> Figures:
    """What `write` adds to the logs, worked off by these processes together. `redis`: whose CPU is told too."""
    before = log.events
    await reach(log.done, before)
    for ward in wards:
        await asyncio.to_thread(ward.pause)
    await write()
    cpu, asked, since = used(wards), used([redis] if redis else []), time.monotonic()
    for ward in wards:
        await asyncio.to_thread(ward.resume)
    await reach(log.read, log.events)
    seconds = time.monotonic() - since
    await reach(log.done, log.events)
    measured = log.events - before
    return Figures(
        (used(wards) - cpu) / measured * 1e6,
        measured / seconds,
        sum(memory_mb(ward.pid) for ward in wards),
        redis_us_per_event=(used([redis]) - asked) / measured * 1e6 if redis else None,
    )


def used(wards: Iterable[Ward]) -> float:
    """CPU seconds of processes so far."""
    return sum(cpu_seconds(ward.pid) for ward in wards)
