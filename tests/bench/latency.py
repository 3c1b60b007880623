"""Events at a rate: from received to a trigger that a read_committed reader sees; beside it what the broker alone
takes. Rates are few, some and half of what a worker can do; and a worker without any events."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.event import decode_event
from schemas.topics import EVENTS, TRIGGERS
from schemas.trigger import decode_trigger
from streams.kafka import connect, places
from streams.settings import Settings
from streams.tools.guarded import Ward
from streams.tools.parts import Failed
from tests.bench.figures import Figures, percentiles
from tests.bench.house import House
from tests.bench.load import Live, fill
from tests.bench.process import cpu_seconds, memory_mb
from tests.bench.progress import backlog, ends_of, reach
from tests.bench.shop import Shop
from tests.bench.throughput import Scale as Backlog
from tests.bench.throughput import Throughput

STRAGGLERS = 1.0
"""Seconds to wait for what is still on its way."""


@dataclass(frozen=True)
class Scale:
    """How much is done."""

    rate: int = 2_000
    few: int = 500
    most: float = 0.0
    """Events/s a worker can do; 0: measured in the first round, by a backlog."""
    backlog: int = 100_000
    idle: float = 30.0
    """Seconds without an event."""
    warm_up: float = 5.0
    seconds: float = 20.0
    customers: int = 20_000


class Latency:
    """Live events, and who makes something of them."""

    def __init__(self, house: House, scale: Scale) -> None:
        self._house, self._scale = house, scale

    async def prepare(self, name: str) -> str:
        """The name of a round: each row has an installation of its own. The first finds out what a worker can do."""
        if not self._scale.most:
            work = Throughput(self._house, Backlog(events=self._scale.backlog))
            done = await work.kairos(await work.prepare(f"{name}-most"))
            self._scale = replace(self._scale, most=done.events_per_second or 0.0)
        return name

    async def measure(self, row: str, name: str) -> Figures:
        """`kairos` or `echo`, at its rate; or `idle`."""
        who, _, pace = row.partition("-")
        rate = {"": self._scale.rate, "few": self._scale.few, "half": self._scale.most / 2}[pace]
        settings = await self._house.installation(f"{name}-{row}")
        if who == "echo":
            return await self._measure(settings, rate, EVENTS, lambda value: decode_event(value).received)
        async with self._serving(settings) as ward:
            if who == "idle":
                return await self._rest(ward)
            return await self._measure(settings, rate, [TRIGGERS], lambda value: decode_trigger(value).received, ward)

    @asynccontextmanager
    async def _serving(self, settings: Settings) -> AsyncIterator[Ward]:
        """A worker that knows its customers, and has nothing left to do."""
        now, scale = time.time(), self._scale
        known = list(Shop(scale.customers).introductions(now))
        for _, event in known:
            event.time = now
        await fill(settings, known)
        ward = await asyncio.to_thread(self._house.worker, settings)
        try:
            async with backlog(settings, ends_of(known, settings.partitions)) as log:
                await reach(log.done, log.events)
            yield ward
        finally:
            await asyncio.to_thread(ward.stop)

    async def _rest(self, ward: Ward) -> Figures:
        """Nothing happens."""
        await asyncio.sleep(self._scale.warm_up)
        cpu, since = cpu_seconds(ward.pid), time.monotonic()
        await asyncio.sleep(self._scale.idle)
        used = (cpu_seconds(ward.pid) - cpu) / (time.monotonic() - since)
        return Figures(idle_percent=used * 100, rss_mb=memory_mb(ward.pid))

    async def _measure(
        self,
        settings: Settings,
        rate: float,
        topics: Sequence[str],
        received: Callable[[bytes], float],
        ward: Ward | None = None,
    ) -> Figures:
        scale, pid = self._scale, ward.pid if ward else 0
        visits = Shop(scale.customers).visits(int(rate * (scale.warm_up + scale.seconds + 1)))
        async with listening(settings, topics, received) as seen, Live(settings, list(visits), rate) as live:
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
