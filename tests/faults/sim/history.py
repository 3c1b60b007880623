"""One history: a world is made, everything happens to it, it heals, comes to rest, and is checked."""

import asyncio
import random
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import KafkaError

from schemas.families import ALL, HABITS, write_families
from schemas.topics import INPUTS
from streams.engine.partition import Partition
from streams.settings import read_settings
from streams.state.store import Refused
from tests.faults.sim.chance import crowded, draw, healed, skew
from tests.faults.sim.clock import START, Numbered, Stalled, VirtualLoop, at_once
from tests.faults.sim.kafka import Broker, Place
from tests.faults.sim.nemesis import Nemesis
from tests.faults.sim.playbooks import APP, folds
from tests.faults.sim.store import Keeper, MemoryKeeper, Primary
from tests.faults.sim.traffic import LEAVES_EVERY, LINKED_EVERY, Traffic

FEWER_EVERY = 5
"""Of so many histories one keeps fewer facts."""
REST_SECONDS = 90.0
"""How long after healing everything must have come to rest. What is late by then takes 20 s to arrive."""


@dataclass
class Outcome:
    """What became of one history."""

    seed: int
    faults: list[str] = field(default_factory=list)
    """What of the promise is broken; empty: nothing."""
    counts: Counter[str] = field(default_factory=Counter)


class History:
    """Everything one seed leads to."""

    def __init__(self, seed: int, loop: VirtualLoop, keeper: Keeper) -> None:
        self.seed, self.loop = seed, loop
        self.chance = random.Random(seed)
        self.profile = draw(seed, self.chance)
        self.linked = seed % LINKED_EVERY == 0
        """Customers have several ids."""
        if self.linked:
            self.profile = crowded(self.profile, self.chance)
        self.leaves = seed % LEAVES_EVERY == 0
        """Somebody asks to be forgotten."""
        self.kept = frozenset({HABITS}) if seed % FEWER_EVERY == 1 else ALL
        """Families of facts: who is reached where, all playbooks here ask."""
        self.counts: Counter[str] = Counter()
        self.lost: set[Place] = set()
        """Logs of which a fetch was lost."""
        self.born: list[Partition] = []
        self.store_away = False
        self.store_back = asyncio.Event()
        self.folds = folds(self.profile.quiet, self.profile.clock_bound, self.linked, self.kept)
        self.published = next(iter(self.folds))
        bound = self.profile.clock_bound
        off = skew(bound, self.chance)
        self.broker = Broker(self.profile.partitions, lambda: START + loop.time() + off, self.count)
        self.primaries = [Primary(keeper, partition) for partition in range(self.profile.partitions)]
        self.settings = read_settings(
            app=APP,
            partitions=self.profile.partitions,
            clock_bound=bound,
            cache_customers=self.profile.cache,
            turn_records=self.profile.turn_records,
            room_records=self.profile.room_records,
            poison_percent=10 if self.profile.strict else 100,
            turn_history=0,
            facts=write_families(self.kept),
        )
        self.traffic = Traffic(self)
        self.nemesis = Nemesis(self)

    # -- what all parts of the world use

    def count(self, what: str, many: int = 1) -> None:
        self.counts[what] += many

    def way(self) -> float:
        """Seconds a call is on its way."""
        if self.chance.random() < self.profile.odds.slow:
            return self.chance.uniform(0.5, 4.0)
        return self.chance.expovariate(1 / self.profile.latency)

    def later(self, seconds: float, what: Callable[..., object], *args: Any) -> None:
        self.loop.call_later(seconds, what, *args)

    def lose_store(self) -> None:
        self.store_away = True
        self.store_back.clear()

    def restore_store(self) -> None:
        self.store_away = False
        self.store_back.set()

    # -- from start to rest

    async def live(self) -> list[str]:
        """All of it. Answers why it did not come to rest; nothing when it did."""
        for primary in self.primaries:
            primary.call(primary.slot, "create", self.profile.partitions, dict.fromkeys(INPUTS, 0), self.kept)
        traffic = asyncio.create_task(self.traffic.run())
        nemesis = asyncio.create_task(self.nemesis.run())
        await asyncio.sleep(self.profile.seconds)
        nemesis.cancel()
        await traffic
        self.profile = healed(self.profile)
        self.nemesis.heal()
        await asyncio.sleep(20.0)
        self.nemesis.rewind_idle()
        self.nemesis.heal()
        self.traffic.flush()
        await asyncio.sleep(5.0)
        end = self.loop.time() + REST_SECONDS
        while restless := self._restless():
            if self.loop.time() > end:
                break
            await asyncio.sleep(1.0)
        return restless

    def _restless(self) -> list[str]:
        """What is still to be done."""
        serving = [partition for worker in self.nemesis.workers for partition in worker.partitions.values()]
        found = [f"at rest: partition {one.number} is not ready" for one in serving if not one.ready]
        for primary in self.primaries:
            slot: Any = primary.slot
            meta = at_once(slot.meta())
            for topic in INPUTS:
                at, end = int(meta[f"next:{topic}"]), self.broker.logs[topic, primary.partition].end
                if at != end:
                    found.append(f"at rest: {topic}-{primary.partition} is read up to {at} of {end}")
            if waiting := at_once(slot.outbox_size()):
                found.append(f"at rest: {waiting} in the outbox of {primary.partition}")
            if pending := at_once(slot.timers_pending()):
                found.append(f"at rest: {pending} timers of {primary.partition} are pending")
        return found

    def _crashes(self) -> list[str]:
        """Partitions that ended by a bug, and those that go on though they were revoked."""
        found = []
        serving = [partition for worker in self.nemesis.workers for partition in worker.partitions.values()]
        for partition in self.born:
            task = partition.task
            if not task.done() and partition not in serving:
                if not (isinstance(task, Numbered) and task.owner.dead):
                    found.append(f"revoked: the task of partition {partition.number} goes on")
            elif task.done() and not task.cancelled() and (why := task.exception()):
                found.append("bug: " + "".join(traceback.format_exception(why))[-3000:])
        return found


def run(seed: int, keeper: Keeper | None = None) -> Outcome:
    """One history of the real engine, and what is broken in it."""
    from tests.faults.sim.checker import check

    random.seed(seed)
    loop = VirtualLoop()
    stray: list[str] = []

    def heed(_: object, context: dict[str, Any]) -> None:
        """A commit in flight when its term ends may be refused, and nobody asks. When it is told depends on the garbage
        collector, so it is not counted. Anything else is a bug."""
        if not isinstance(why := context.get("exception"), (Refused, KafkaError)):
            stray.append(f"stray: {context.get('message')} {why!r}")

    loop.set_exception_handler(heed)
    outcome = Outcome(seed)
    try:
        asyncio.set_event_loop(loop)
        history = loop.run_until_complete(_make(seed, loop, keeper or MemoryKeeper()))
        try:
            outcome.faults += loop.run_until_complete(history.live())
        except Stalled:
            outcome.faults.append("stalled: nothing is left to happen")
        outcome.faults += history._crashes()
        outcome.faults += check(history)
        outcome.counts = history.counts
        outcome.faults += stray
    finally:
        close(loop)
    return outcome


async def _make(seed: int, loop: VirtualLoop, keeper: Keeper) -> History:
    return History(seed, loop, keeper)


def close(loop: VirtualLoop) -> None:
    """End what still waits."""
    loop.set_exception_handler(lambda *_: None)
    for _ in range(3):
        for task in loop.tasks():
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.001))
    asyncio.set_event_loop(None)
    loop.close()
