"""What grows: customers, timers, workers; and what a worker costs that has little to do.

All rows do W (`tests.bench.w`), as `tests.bench.crowd` has it: whatever the size of the crowd, turns see the same
customers as often. Each row has a Redis of its own, without an append-only file (it would be written anew all the time
while millions of states are put there), and ends with it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice
from typing import Any, Final

import aiohttp
from redis.asyncio import Redis

from schemas.event import encode_event
from schemas.topics import CLICKSTREAM, partition_of
from streams.settings import Settings, read_settings
from streams.tools.guarded import Ward
from tests.bench.crowd import DIFFERENT, VISIT, Crowd, Known, known, remember
from tests.bench.figures import Figures
from tests.bench.house import House
from tests.bench.load import Live, Written, pour
from tests.bench.process import cpu_seconds
from tests.bench.progress import HELD, LOOK, PATIENCE, Backlog, Ends, backlog, reach, watch
from tests.bench.shop import Shop, Visit, key
from tests.bench.w.bench import APART
from tests.bench.w.work import FACTS, ONCE, playbook

SILENT = "cold"
WITH_SILENCE = f"""
  - id: {SILENT}
    on: [Product Added]
    after: 24h
    unless: [Order Completed]
    when: cart.open
    occurrence: cart.id
    channels: [push, email]
"""
"""Added to W's playbook where there are timers: 24 hours, so that none is due while it is measured."""
SHIPPED = Settings.model_fields["session_seconds"].default
SETTLE = 2.0
"""Seconds between the last event and the measuring of idleness."""


@dataclass(frozen=True)
class Scale:
    """How much is done."""

    events: int = 200_000
    small: int = 5_000
    middle: int = 500_000
    large: int = 5_000_000
    many: int = 1_000_000
    """Customers, of whom all or none wait for a silence."""
    hot: int = 2_000
    """Customers who are about."""
    cache: int = 2_500
    """Customers a partition keeps in memory: all of the small crowd, and few of the others."""
    narrow: int = 250
    """The same, where it is fewer than are about."""
    idle: float = 30.0
    rate: float = 100.0
    live: float = 20.0


ROWS: Final = {
    "5k": "",
    "500k": "",
    "5m": "",
    "500k, small cache": "keeps fewer customers in memory than are about",
    "1m": "nobody waits for a silence when it begins; then the worker is started anew",
    "1m timers": "all wait for a silence",
    "1 worker": "5k, as are the others; all of the backlog is there when it begins",
    "2 workers": "",
    "4 workers": "",
    "quiet": "idle, then 100 events a second",
}
PAIRS: Final = (
    ("500k", "5k"),
    ("5m", "5k"),
    ("500k, small cache", "500k"),
    ("1m timers", "1m"),
    ("2 workers", "1 worker"),
    ("4 workers", "1 worker"),
)


@dataclass
class Place:
    """An installation that knows its crowd, and its Redis."""

    crowd: Crowd
    settings: Settings
    redis: Ward
    bytes: float
    """Of Redis, a customer."""
    written: Ends = field(default_factory=Ends)

    @cached_property
    def visits(self) -> list[Visit]:
        """Events to come."""
        return list(self.crowd.visits())

    async def write(self, visits: Sequence[Visit]) -> None:
        """Into the log; the last of it is now."""
        start, records = time.time() - len(visits) * APART, list[Written]()
        for number, (customer, event) in enumerate(visits):
            event.time = event.received = start + number * APART
            records.append((CLICKSTREAM, customer, encode_event(event), []))
            self.written[CLICKSTREAM, partition_of(customer, self.settings.partitions)] += 1
        await pour(self.settings, records)


class Growth:
    """The rows."""

    def __init__(self, house: House, scale: Scale) -> None:
        self._house, self._scale = house, scale

    async def prepare(self, name: str) -> Settings:
        """Where the round is; each row makes an installation of its own."""
        return read_settings(topic_prefix=f"{name}.")

    async def measure(self, row: str, settings: Settings) -> Figures:
        """One row."""
        scale, round = self._scale, settings.topic_prefix.rstrip(".")
        rows: dict[str, Callable[[str], Awaitable[Figures]]] = {
            "5k": lambda name: self.sized(name, scale.small, scale.cache),
            "500k": lambda name: self.sized(name, scale.middle, scale.cache),
            "5m": lambda name: self.sized(name, scale.large, scale.cache),
            "500k, small cache": lambda name: self.sized(name, scale.middle, scale.narrow),
            "1m": self.many,
            "1m timers": self.timers,
            "1 worker": lambda name: self.crew(name, 1),
            "2 workers": lambda name: self.crew(name, 2),
            "4 workers": lambda name: self.crew(name, 4),
            "quiet": self.quiet,
        }
        return await rows[row](f"{round}-{row.replace(', ', '-').replace(' ', '-')}")

    async def sized(self, name: str, customers: int, cache: int) -> Figures:
        """A backlog of a crowd of this size."""
        async with self._place(name, customers, cache_customers=cache) as place:
            return await self._work_off(place)

    async def many(self, name: str) -> Figures:
        """A large crowd nobody of whom waits for a silence, and a worker that begins anew."""
        async with self._place(name, self._scale.many, silences=True) as place:
            figures = await self._work_off(place)
            return replace(figures, restart_seconds=await self._restart(place))

    async def timers(self, name: str) -> Figures:
        """A large crowd all of whom wait for a silence."""
        async with self._place(name, self._scale.many, silences=True) as place:
            before = await memory(place.redis)
            await self._remember(place.settings, place.crowd, SILENT)
            added = (await memory(place.redis) - before) / place.crowd.customers
            return replace(await self._work_off(place), redis_bytes_per_timer=added)

    async def crew(self, name: str, workers: int) -> Figures:
        """Several workers."""
        async with self._place(name, self._scale.small) as place, self._working(place, workers) as (wards, log):
            await shared(wards, place.settings.partitions)
            return await self._second_half(place, wards, log)

    async def quiet(self, name: str) -> Figures:
        """Nothing to do, then a few events a second."""
        scale = self._scale
        async with (
            self._place(name, scale.small, session_seconds=SHIPPED) as place,
            self._working(place) as ([ward], log),
        ):
            await reach(log.done, log.events)
            await asyncio.sleep(SETTLE)
            cpu, since = cpu_seconds(ward.pid), time.monotonic()
            await asyncio.sleep(scale.idle)
            idle = (cpu_seconds(ward.pid) - cpu) / (time.monotonic() - since)
            async with Live(place.settings, place.crowd.visits(), scale.rate, CLICKSTREAM) as live:
                since = await live.run(SETTLE)
                cpu, before = cpu_seconds(ward.pid), live.sent
                until = await live.run(scale.live)
                cpu, events = cpu_seconds(ward.pid) - cpu, live.sent - before
        return Figures(cpu / events * 1e6, events / (until - since), idle_percent=idle * 100)

    async def _work_off(self, place: Place) -> Figures:
        async with self._working(place) as (wards, log):
            figures = await self._second_half(place, wards, log)
        return replace(figures, redis_bytes_per_customer=place.bytes)

    async def _second_half(self, place: Place, wards: Sequence[Ward], log: Backlog) -> Figures:
        return await watch(wards, log, lambda: place.write(place.visits[len(place.visits) // 2 :]), place.redis)

    @asynccontextmanager
    async def _working(self, place: Place, workers: int = 1) -> AsyncIterator[tuple[list[Ward], Backlog]]:
        """Workers, and the first half of the events."""
        await place.write(place.visits[: len(place.visits) // 2])
        worker = partial(self._house.worker, place.settings)
        wards = await asyncio.gather(*(asyncio.to_thread(worker) for _ in range(workers)))
        try:
            async with backlog(place.settings, place.written) as log:
                yield list(wards), log
        finally:
            await asyncio.gather(*(asyncio.to_thread(ward.stop) for ward in wards))

    async def _restart(self, place: Place) -> float:
        """Seconds from starting a worker until it has applied a new event in each partition."""
        keys = map(key, range(place.crowd.customers))
        first = {partition_of(one, place.settings.partitions): one for one in islice(keys, place.crowd.hot)}
        await place.write(list(Shop(0).visits_of(list(first.values()))))
        async with backlog(place.settings, place.written) as log:
            since = time.monotonic()
            starting = asyncio.create_task(asyncio.to_thread(self._house.worker, place.settings))
            try:
                await reach(log.read, log.events)
                return time.monotonic() - since
            finally:
                await asyncio.to_thread((await starting).stop)

    @asynccontextmanager
    async def _place(self, name: str, customers: int, silences: bool = False, **given: Any) -> AsyncIterator[Place]:
        """All of it is gone in the end."""
        crowd, book = Crowd(customers, self._scale.hot, self._scale.events), playbook(ONCE)
        path = self._house.folder / f"scale-{silences}.yaml"
        path.write_text(book + WITH_SILENCE if silences else book)
        kind = self._house.kinds["redis"]
        redis = (await asyncio.to_thread(self._house.guard.add, {"name": f"redis-{name}", "kind": kind, "aof": False}))[
            0
        ]
        try:
            ours = {"redis": redis.address, "playbook": path, "session_seconds": HELD, "facts": FACTS}
            settings = await self._house.installation(name, **ours | given)
            before = await memory(redis)
            await self._remember(settings, crowd)
            yield Place(crowd, settings, redis, (await memory(redis) - before) / customers)
        finally:
            await asyncio.to_thread(redis.stop)

    async def _remember(self, settings: Settings, crowd: Crowd, silent: str = "") -> None:
        """All of them, until before the backlog begins. `silent`: for which play they wait."""
        assert settings.playbook
        book, until = settings.playbook.read_text(), time.time() - crowd.events * APART
        others, coming = known(book, VISIT, until, silent), known(book, crowd.earlier, until, silent)

        def what(number: int) -> Known:
            return (coming if number < crowd.coming else others)[number % DIFFERENT]

        await remember(settings, range(crowd.customers), what)


async def memory(redis: Ward) -> int:
    """Bytes a Redis has in use."""
    async with Redis.from_url(redis.address) as client:
        told: dict[str, int] = await client.info("memory")
    return told["used_memory"]


async def shared(wards: Sequence[Ward], partitions: int) -> None:
    """Until each of these workers serves a part of the partitions. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
        while True:
            served = [await serving(session, ward) for ward in wards]
            if all(served) and sum(served) == partitions:
                return
            await asyncio.sleep(LOOK)


async def serving(session: aiohttp.ClientSession, ward: Ward) -> int:
    """How many partitions a worker serves; 0 while it begins."""
    async with session.get(f"{ward.address}/readyz") as answer:
        told = await answer.json()
        return len(told["partitions"]) if told["ready"] else 0
