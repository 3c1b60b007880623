"""A backlog is worked off: CPU an event, after a part that is not measured."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.topics import EVENTS
from streams.settings import Settings
from streams.tools.guarded import Ward
from tests.bench.figures import Figures
from tests.bench.house import House
from tests.bench.load import fill
from tests.bench.progress import HELD, Ends, Progress, backlog, ends_of, watch
from tests.bench.shop import Shop, Visit

SPAN = 7_200.0
"""Seconds of the shop's life that the backlog holds; it ends now."""
WARM_UP = 0.25
"""Share of the events that is not measured."""


@dataclass(frozen=True)
class Scale:
    """How much is done."""

    events: int = 300_000
    customers: int = 5_000


class Printed:
    """The progress of a process that prints how many it has read."""

    def __init__(self, path: Path, ends: Ends) -> None:
        self._path, self._ends = path, ends

    @property
    def events(self) -> int:
        return self._ends.total()

    async def read(self) -> int:
        lines = self._path.read_bytes().split(b"\n") if self._path.exists() else []
        return int(lines[-2]) if len(lines) > 1 else 0

    done = read


class Throughput:
    """The backlog, and who works it off."""

    def __init__(self, house: House, scale: Scale) -> None:
        self._house, self._scale = house, scale
        shop = Shop(scale.customers)
        self._visits: list[Visit] = [*shop.introductions(time.time()), *shop.visits(scale.events)]

    async def prepare(self, name: str) -> Settings:
        """An installation, and a backlog to come that ends now."""
        start, step = time.time() - SPAN, SPAN / len(self._visits)
        for number, (_, event) in enumerate(self._visits):
            event.time = event.received = start + number * step
        return await self._house.installation(name, session_seconds=HELD)

    async def kairos(self, settings: Settings) -> Figures:
        """A worker."""
        ends = Ends()
        async with backlog(settings, ends) as log:
            return await self._work_off(settings, ends, log, lambda: self._house.worker(settings))

    async def loop(self, settings: Settings) -> Figures:
        """A bare loop, in logs of its own."""
        apart = await self._house.installation(f"{settings.topic_prefix.strip('.')}-loop")
        path, ends = self._house.folder / f"{apart.app}.log", Ends()

        def start() -> Ward:
            topics = map(apart.topic, EVENTS)
            return self._house.module("loop", apart.kafka, str(apart.partitions), *topics, log=path)

        return await self._work_off(apart, ends, Printed(path, ends), start)

    async def _work_off(self, settings: Settings, ends: Ends, log: Progress, start: Callable[[], Ward]) -> Figures:
        warm_up = self._scale.customers + int(self._scale.events * WARM_UP)

        async def write(visits: Sequence[Visit]) -> None:
            await self._fill(settings, visits)
            ends.update(ends_of(visits, settings.partitions))

        await write(self._visits[:warm_up])
        ward = await asyncio.to_thread(start)
        try:
            return await watch([ward], log, lambda: write(self._visits[warm_up:]))
        finally:
            await asyncio.to_thread(ward.stop)

    async def _fill(self, settings: Settings, visits: Sequence[Visit]) -> None:
        await fill(settings, visits)
