"""Measures W: a backlog is worked off, then live events at a rate until their triggers are seen."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from msgspec import Struct

from schemas.event import encode_event
from schemas.facts import DAY
from schemas.topics import CLICKSTREAM, TRIGGERS, partition_of
from streams.kafka import connect
from streams.settings import Settings, read_settings
from streams.tools.guarded import Ward
from streams.tools.parts import Failed
from tests.bench.figures import Figures, percentiles
from tests.bench.house import ROOT, House
from tests.bench.latency import STRAGGLERS, listening
from tests.bench.load import Live, Written, pour
from tests.bench.progress import HELD, Ends, Progress, backlog, reach, watch
from tests.bench.shop import Shop, Visit
from tests.bench.w.job import STEP, Job
from tests.bench.w.outcome import Outcome, differences, left_by_kairos, left_by_peer
from tests.bench.w.peers import ECHO, PEERS
from tests.bench.w.work import FACTS, ONCE, playbook

KAIROS = "kairos"
APART = 0.018
"""Seconds of event time between two events of a backlog: 400,000 take two hours."""
WARM_UP = 0.5
"""Share of a backlog that is not measured: Java compiles meanwhile."""
SETTLE = 30.0
"""Seconds for states and triggers to arrive where they are looked for."""
TAKES_UP = 60.0
"""Seconds of live events until the first of them is answered within FOLLOWS."""
FOLLOWS = 1.0
"""Seconds. Who is slower than this cannot follow."""
COOLDOWN = 5.0
"""Of live events, in seconds: so that triggers come again and again."""


@dataclass(frozen=True)
class Scale:
    """How much is done. `events` and what a peer is given of them are multiples of STEP."""

    events: int = 300_000
    customers: int = 5_000
    rate: float = 2_000.0
    warm_up: float = 3.0
    seconds: float = 8.0
    live_customers: int = 20_000


class Told(Struct):
    """What trigger of anybody says."""

    received: float


decode_told = msgspec.json.Decoder(Told).decode


class W:
    """The backlog, the live events, and who works on them."""

    def __init__(self, house: House, scale: Scale) -> None:
        if scale.events % STEP:
            raise ValueError(f"wanted a multiple of {STEP} events, got {scale.events}")
        self._house, self._scale = house, scale
        self.wanted = Outcome()
        """What the whole backlog leaves."""
        self._backlog: list[Written] = []
        start = ends_within_a_day(time.time(), scale.events * APART) - scale.events * APART
        for number, (key, event) in enumerate(visits(scale.customers, scale.events)):
            event.time = event.received = start + number * APART
            self._backlog.append((CLICKSTREAM, key, encode_event(event), []))
            self.wanted.take(key, event, ONCE)

    async def prepare(self, name: str) -> Settings:
        """Where the round is: each row has installations of its own."""
        return read_settings(topic_prefix=f"{name}.")

    async def measure(self, row: str, settings: Settings) -> Figures:
        """Backlog and live events. Raises Failed when what is left is not what W leaves."""
        name, rate, events = f"{settings.topic_prefix.strip('.')}-{row}", self._scale.rate, self._scale.events
        if row == ECHO:
            return Figures(**await self.follow(row, await self._installation(name, COOLDOWN), rate))
        if row in PEERS:
            rate, events = min(rate, PEERS[row].rate or rate), min(events, PEERS[row].most or events)
        worked = await self.work_off(row, await self._installation(name, ONCE, session_seconds=HELD), events)
        apart = await self._installation(f"{name}-live", COOLDOWN)
        return replace(worked, **await self.follow(row, apart, rate))

    async def work_off(self, row: str, settings: Settings, events: int) -> Figures:
        """So much of the backlog, and what all of it left."""
        warm_up, ends = int(events * WARM_UP) // STEP * STEP, Ends()
        await self._write(settings, ends, self._backlog[:warm_up])
        async with (
            self._running(row, settings, ONCE) as (ward, job),
            self._progress(row, settings, ends, ward, job) as log,
        ):
            rest = self._backlog[warm_up:events]
            figures = await watch([ward], log, lambda: self._write(settings, ends, rest))
            if events == self._scale.events:
                await self._compare(row, settings, job)
        return figures

    async def leave(self, row: str, settings: Settings) -> None:
        """All of the backlog, unmeasured. Raises Failed when what is left is not what W leaves."""
        apart, ends = await self._installation(f"{settings.topic_prefix.strip('.')}-{row}", ONCE), Ends()
        await self._write(apart, ends, self._backlog)
        async with self._running(row, apart, ONCE) as (ward, job), self._progress(row, apart, ends, ward, job) as log:
            await reach(log.done, log.events)
            await self._compare(row, apart, job)

    async def _write(self, settings: Settings, ends: Ends, records: Sequence[Written]) -> None:
        await pour(settings, records)
        ends.update((topic, partition_of(key, settings.partitions)) for topic, key, _, _ in records)

    async def follow(self, row: str, settings: Settings, rate: float) -> dict[str, float]:
        """Live events: from received to a trigger that a read_committed reader sees. Empty when it cannot follow."""
        scale, topic, visits = self._scale, sink_of(row), self._visits
        async with (
            nullcontext() if row == ECHO else self._running(row, settings, COOLDOWN),
            listening(settings, [topic], lambda value: decode_told(value).received) as seen,
            Live(settings, visits, rate, CLICKSTREAM) as live,
        ):
            give_up = time.monotonic() + TAKES_UP
            while not (seen and seen[-1][1] < FOLLOWS):
                if time.monotonic() > give_up:
                    return {}
                await live.run(0.2)
            since = await live.run(scale.warm_up)
            until = await live.run(scale.seconds)
            await asyncio.sleep(STRAGGLERS)
            taken = [took for start, took in seen if since <= start < until]
        return percentiles(taken) if taken else {}

    @cached_property
    def _visits(self) -> list[Visit]:
        """Live events: enough for whoever takes them up at the last moment."""
        scale = self._scale
        return list(visits(scale.live_customers, int(scale.rate * (2 * TAKES_UP + scale.warm_up + scale.seconds))))

    async def _installation(self, name: str, cooldown: float, **given: Any) -> Settings:
        path = self._house.folder / f"w-{cooldown:g}.yaml"
        path.write_text(playbook(cooldown))
        return await self._house.installation(name, playbook=path, facts=FACTS, **given)

    @asynccontextmanager
    async def _running(self, row: str, settings: Settings, cooldown: float) -> AsyncIterator[tuple[Ward, Job]]:
        """Its process, and what it was told."""
        job = self._job(row, settings, cooldown)
        if row == KAIROS:
            ward = await asyncio.to_thread(self._house.worker, settings)
        else:
            await make_topic(settings, sink_of(row))
            ward = self._start(PEERS[row].argv(job), job)
        try:
            yield ward, job
        finally:
            if ward.state != "died":
                await asyncio.to_thread(ward.stop)

    def _start(self, argv: list[str], job: Job) -> Ward:
        """A peer: it counts as ready at once."""
        Path(job.folder).mkdir()
        return self._house.run(argv, "", {"PYTHONPATH": str(ROOT)}, self._log(job))

    @asynccontextmanager
    async def _progress(
        self, row: str, settings: Settings, ends: Ends, ward: Ward, job: Job
    ) -> AsyncIterator[Progress]:
        """How far it has come."""
        if row != KAIROS:
            yield Said(ward, self._log(job), ends)
            return
        async with backlog(settings, ends) as log:
            yield log

    def _job(self, row: str, settings: Settings, cooldown: float) -> Job:
        name = f"{settings.app}-{row}"
        return Job(
            name=name,
            kafka=settings.kafka,
            redis=settings.redis,
            source=settings.topic(CLICKSTREAM),
            sink=settings.topic(sink_of(row)),
            partitions=settings.partitions,
            cooldown=cooldown,
            folder=str(self._house.folder / name),
        )

    def _log(self, job: Job) -> Path:
        return Path(f"{job.folder}.log")

    async def _compare(self, row: str, settings: Settings, job: Job) -> None:
        """Wait until it has left what W leaves. Raises Failed."""
        give_up, wrong = time.monotonic() + SETTLE, ["nothing looked at"]
        outside = row == KAIROS or PEERS[row].outside
        while wrong:
            if row == KAIROS:
                got = await left_by_kairos(settings)
            else:
                got = await left_by_peer(settings, job, sink_of(row), list(self.wanted.states))
            wrong = differences(self.wanted, got, outside)
            if wrong and time.monotonic() > give_up:
                raise Failed("\n  ".join([f"bench: {row} left something else than W:", *wrong]))


def ends_within_a_day(now: float, span: float) -> float:
    """When a backlog ends: now, or at the last midnight (UTC) if it began before. W's occurrence is the day, and a new
    one is dearer to refuse; so no result hangs on the hour it was measured at."""
    midnight = now - now % DAY
    return midnight - APART if now - span < midnight else now


def visits(customers: int, events: int) -> Iterator[Visit]:
    """A shop's, of customers with one id each: W joins no ids, and a link costs Kairos four records."""
    for visit in Shop(customers).visits(events):
        visit[1].anonymous = ""
        yield visit


def sink_of(row: str) -> str:
    """The topic of its triggers; of the echo, that of the events."""
    return {KAIROS: TRIGGERS, ECHO: CLICKSTREAM}.get(row, f"w-{row}")


class Said:
    """The progress of a peer: what its log says last."""

    def __init__(self, ward: Ward, log: Path, ends: Ends) -> None:
        self._ward, self._log, self._ends = ward, log, ends

    @property
    def events(self) -> int:
        return self._ends.total()

    async def read(self) -> int:
        if self._ward.state == "died":
            raise Failed(f"{self._ward.name} {self._ward.why}")
        return last(self._log)

    done = read


def last(log: Path) -> int:
    """Events of the last line that tells of them; 0 when there is none."""
    found = re.findall(rb"^done (\d+)$", log.read_bytes(), re.M) if log.exists() else []
    return int(found[-1]) if found else 0


async def make_topic(settings: Settings, name: str) -> None:
    """A topic like the others."""
    admin = AIOKafkaAdminClient(**connect(settings))
    await admin.start()
    try:
        await admin.create_topics([NewTopic(settings.topic(name), settings.partitions, 1)])
    finally:
        await admin.close()
