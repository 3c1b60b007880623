"""A backlog is worked off: CPU an event between the first and the last, without the first part."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import IO

from schemas.topics import EVENTS
from streams.settings import Settings
from streams.state import open_store
from streams.state.store import Store
from streams.tools.guarded import Ward
from streams.tools.parts import Failed
from tests.bench.figures import Figures
from tests.bench.house import House
from tests.bench.load import fill
from tests.bench.process import cpu_seconds, memory_mb
from tests.bench.shop import Shop, Visit

SPAN = 7_200.0
"""Seconds of the shop's life that the backlog holds; it ends now."""
LOOK = 0.02
PATIENCE = 600.0
WARM_UP = 0.25
"""Share of the events that is not measured."""


@dataclass(frozen=True)
class Scale:
    """How much is done."""

    events: int = 300_000
    customers: int = 5_000


Done = Callable[[], Awaitable[int]]
"""Events done so far. All of them only when nothing of them is under way any more."""


class Throughput:
    """The backlog, and who works it off."""

    def __init__(self, house: House, scale: Scale) -> None:
        self._house, self._scale = house, scale
        shop = Shop(scale.customers)
        self._visits: list[Visit] = [*shop.introductions(time.time()), *shop.visits(scale.events)]

    async def prepare(self, name: str) -> Settings:
        """An installation with a backlog that ends now."""
        settings = await self._house.installation(name)
        start, step = time.time() - SPAN, SPAN / len(self._visits)
        for number, (_, event) in enumerate(self._visits):
            event.time = event.received = start + number * step
        await fill(settings, self._visits)
        return settings

    async def kairos(self, settings: Settings) -> Figures:
        """A worker."""
        store = open_store(settings)
        ward = await asyncio.to_thread(self._house.worker, settings)
        try:
            return await watch(ward, lambda: committed(store, settings.partitions), len(self._visits))
        finally:
            await asyncio.to_thread(ward.stop)
            await store.close()

    async def loop(self, settings: Settings) -> Figures:
        """A bare loop."""
        log = self._house.guard.folder / f"{settings.app}.log"
        names = [settings.topic(topic) for topic in EVENTS]
        ward = self._house.module("loop", settings.kafka, str(settings.partitions), *names, log=log)
        try:
            with log.open("rb") as said:
                return await watch(ward, lambda: printed(said), len(self._visits))
        finally:
            await asyncio.to_thread(ward.stop)


async def watch(ward: Ward, done: Done, events: int, warm_up: float = WARM_UP) -> Figures:
    """From the end of the warm-up (a share of the events) to the last of so many events."""
    before = await reach(done, int(events * warm_up))
    cpu, since = cpu_seconds(ward.pid), time.monotonic()
    after = await reach(done, events)
    cpu, seconds = cpu_seconds(ward.pid) - cpu, time.monotonic() - since
    measured = after - before
    if not measured:
        raise Failed("bench: all was done before anybody looked: too few events, or the machine too busy")
    return Figures(cpu / measured * 1e6, measured / seconds, memory_mb(ward.pid))


async def reach(done: Done, wanted: int) -> int:
    """Wait until so many are done. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while (now := await done()) < wanted:  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(LOOK)
        return now


async def committed(store: Store, partitions: int) -> int:
    """Events in the state; less than all while a trigger waits for Kafka."""
    slots = [store.slot(number) for number in range(partitions)]
    metas = await asyncio.gather(*(slot.meta() for slot in slots))
    applied = sum(int(meta.get(f"count:applied:{topic}", 0)) for meta in metas for topic in EVENTS)
    waiting = await asyncio.gather(*(slot.outbox_size() for slot in slots))
    return applied - sum(waiting)


async def printed(log: IO[bytes]) -> int:
    """What the loop said last."""
    log.seek(0)
    lines = log.read().split(b"\n")
    return int(lines[-2]) if len(lines) > 1 else 0
