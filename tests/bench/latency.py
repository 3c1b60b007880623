"""Events at a rate: from received to a trigger that a read_committed reader sees; beside it what the broker alone
takes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.event import decode_event
from schemas.topics import EVENTS, TRIGGERS
from schemas.trigger import decode_trigger
from streams.kafka import connect, places
from streams.settings import Settings
from streams.tools.parts import Failed
from tests.bench.figures import Figures, percentiles
from tests.bench.house import House
from tests.bench.load import Live, fill
from tests.bench.process import cpu_seconds, memory_mb
from tests.bench.shop import Shop

STRAGGLERS = 1.0
"""Seconds to wait for what is still on its way."""


@dataclass(frozen=True)
class Scale:
    """How much is done."""

    rate: int = 2_000
    warm_up: float = 5.0
    seconds: float = 20.0
    customers: int = 20_000


class Latency:
    """Live events, and who makes something of them."""

    def __init__(self, house: House, scale: Scale) -> None:
        self._house, self._scale = house, scale

    async def prepare(self, name: str) -> Settings:
        """An installation that knows its customers."""
        settings = await self._house.installation(name)
        now, self._shop = time.time(), Shop(self._scale.customers)
        known = list(self._shop.introductions(now))
        for _, event in known:
            event.time = now
        await fill(settings, known)
        return settings

    async def kairos(self, settings: Settings) -> Figures:
        """A worker: an event is received, a trigger is seen."""
        ward = await asyncio.to_thread(self._house.worker, settings)
        try:
            return await self._measure(settings, [TRIGGERS], lambda value: decode_trigger(value).received, ward.pid)
        finally:
            await asyncio.to_thread(ward.stop)

    async def echo(self, settings: Settings) -> Figures:
        """Nobody: an event is produced, the same event is seen. Elsewhere, so that no worker finds these events."""
        apart = await self._house.installation(f"{settings.topic_prefix}echo".replace(".", "-"))
        return await self._measure(apart, EVENTS, lambda value: decode_event(value).received)

    async def _measure(
        self, settings: Settings, topics: Sequence[str], received: Callable[[bytes], float], pid: int = 0
    ) -> Figures:
        scale = self._scale
        visits = Shop(scale.customers).visits(int(scale.rate * (scale.warm_up + scale.seconds + 1)))
        async with listening(settings, topics, received) as seen, Live(settings, list(visits), scale.rate) as live:
            since = await live.run(scale.warm_up)
            cpu, before = cpu_seconds(pid) if pid else 0.0, live.sent
            until = await live.run(scale.seconds)
            cpu, events = cpu_seconds(pid) - cpu if pid else 0.0, live.sent - before
            await asyncio.sleep(STRAGGLERS)
            taken = [took for start, took in seen if since <= start < until]
        if not taken:
            raise Failed(f"bench: nothing seen within {STRAGGLERS:g} s of the last event: the machine is too busy")
        return Figures(
            cpu_us_per_event=cpu / events * 1e6 if pid else None,
            events_per_second=events / (until - since),
            rss_mb=memory_mb(pid) if pid else None,
            triggers_percent=len(taken) / events * 100 if pid else None,
            **percentiles(taken),
        )


@asynccontextmanager
async def listening(
    settings: Settings, topics: Sequence[str], received: Callable[[bytes], float]
) -> AsyncIterator[list[tuple[float, float]]]:
    """(when received, seconds until it was seen) of all that comes from now on; 0 is no time."""
    consumer = AIOKafkaConsumer(**connect(settings), isolation_level="read_committed", enable_auto_commit=False)
    await consumer.start()
    consumer.assign([TopicPartition(*place) for place in places(map(settings.topic, topics), settings.partitions)])
    await consumer.seek_to_end()
    seen: list[tuple[float, float]] = []

    async def listen() -> None:
        while True:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                now = time.time()
                seen.extend((start, now - start) for record in records if (start := received(record.value)))

    task = asyncio.create_task(listen())
    try:
        yield seen
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await consumer.stop()
