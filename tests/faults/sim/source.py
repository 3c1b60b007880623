"""Kafka in, for one worker: asks for fetches, and hands them over in time, late, twice or never.

What a fetch says of the log's end is noted when the answer comes, before its records are handed over: as the consumer's
thread does it.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from schemas.topics import INPUTS, TRIGGERS
from streams.engine.fetch import Ends, Fetch
from tests.faults.sim.kafka import Place
from tests.faults.sim.lines import ask_kafka

if TYPE_CHECKING:
    from tests.faults.sim.worker import Worker

STALE_SECONDS = 4.0


class Reader:
    """A Source, and what feeds the partitions from it."""

    def __init__(self, worker: "Worker") -> None:
        self.worker = worker
        self.ends: Ends = {}
        self.positions: dict[Place, int] = {}
        self.resumed: set[Place] = set()
        self._wanted = asyncio.Event()
        """Set while there is anything to look for."""
        self._kept: list[tuple[Place, Fetch]] = []
        """What came while the worker was paused."""
        self._last: dict[Place, Fetch] = {}
        self._slow: dict[Place, float] = {}
        """Logs whose broker is slow to this worker, and until when: so no two read the topics in one order."""
        self._haunted: set[int] = set()
        """Partitions whose next term meets all fetches of the last one before its own first one."""

    async def bounds(self, partition: int) -> dict[str, tuple[int, int]]:
        logs = self.worker.history.broker.logs
        return await ask_kafka(
            self.worker, partition, "bounds", lambda: {topic: (0, logs[topic, partition].stable) for topic in INPUTS}
        )

    async def seek(self, partition: int, positions: Mapping[str, int], resume: Collection[str]) -> None:
        await self._thread(partition)
        for topic, position in positions.items():
            self.positions[topic, partition] = position
            self.resumed.discard((topic, partition))
        self._look_for(partition, resume)
        if TRIGGERS in resume:
            self._remember_earlier(partition)
            self._slow_down(partition)

    def _remember_earlier(self, partition: int) -> None:
        """A term begins: what an earlier one asked for may still be under way."""
        history = self.worker.history
        often = 1.0 if partition in self._haunted else 3 * history.profile.odds.stale_fetch
        for place, fetch in self._last.items():
            if place[1] == partition and history.chance.random() < often:
                history.count("fetches of an earlier term")
                history.later(history.chance.uniform(0.0, 0.2), self._deliver, place, fetch)

    def _slow_down(self, partition: int) -> None:
        chance, now = self.worker.history.chance, self.worker.history.loop.time()
        odds = self.worker.history.profile.odds
        for topic in INPUTS:
            if chance.random() < (odds.slow_drain if topic == TRIGGERS else odds.slow_topic):
                self._slow[topic, partition] = now + chance.uniform(0.3, 4.0)
        if partition in self._haunted:
            self._haunted.discard(partition)
            self.slow_down(TRIGGERS, partition, chance.uniform(0.3, 2.0))

    def slow_down(self, topic: str, partition: int, seconds: float) -> None:
        """Nothing of this log comes for so long."""
        self._slow[topic, partition] = self.worker.history.loop.time() + seconds

    def haunt(self, partition: int) -> None:
        """The next term shall meet what this one had fetched, and wait for `triggers`."""
        self._haunted.add(partition)

    async def resume(self, partition: int, topics: Collection[str]) -> None:
        await self._thread(partition)
        self._look_for(partition, topics)

    def _look_for(self, partition: int, topics: Collection[str]) -> None:
        self.resumed |= {(topic, partition) for topic in topics}
        self._wanted.set()

    def forget(self, partition: int) -> None:
        """Revoked."""
        for topic in INPUTS:
            self.positions.pop((topic, partition), None)
            self.resumed.discard((topic, partition))

    async def _thread(self, partition: int) -> None:
        """A call to the consumer's thread; it never comes back once the partition is not ours any more."""
        await asyncio.sleep(self.worker.history.way() / 10)
        await self.worker.gate()
        if partition not in self.worker.partitions:
            await asyncio.Event().wait()

    async def run(self) -> None:
        """Look for fetches for ever."""
        history = self.worker.history
        while True:
            await asyncio.sleep(history.chance.expovariate(1 / history.profile.poll))
            if not self.resumed and not self._kept:
                self._wanted.clear()
                await self._wanted.wait()
            await self.worker.gate()
            self._hand_over_kept()
            self._commit_group()
            if not history.broker.down:
                await self._fetch()

    async def _fetch(self) -> None:
        worker, history = self.worker, self.worker.history
        now = history.loop.time()
        ready = [place for place in sorted(self.resumed) if self._slow.get(place, 0.0) <= now]
        wanted = {place: self.positions[place] for place in ready if self._has_room(place[1])}
        if not wanted:
            return
        asked = worker.now()
        await asyncio.sleep(history.way())
        answers = []
        for place, position in wanted.items():
            rows, end = history.broker.logs[place].fetch(position, history.profile.fetch_records)
            answers.append((place, Fetch(rows, position, end, asked, history.broker.tail(place))))
        await asyncio.sleep(history.way())
        await worker.gate()
        for place, fetch in answers:
            if self.positions.get(place) != fetch.start or place not in self.resumed:
                continue  # sought or revoked meanwhile
            self.ends[place] = asked, fetch.tail
            if fetch.end > fetch.start:
                self.positions[place] = fetch.end
                self._hand_over(place, fetch)

    def _has_room(self, partition: int) -> bool:
        ours = self.worker.partitions.get(partition)
        return ours is not None and ours.has_room

    def _hand_over(self, place: Place, fetch: Fetch) -> None:
        history = self.worker.history
        chance, odds = history.chance, history.profile.odds
        fate = chance.random()
        delay = history.way() / 10
        self._last[place] = fetch
        if fate < odds.lost_fetch and place[0] != TRIGGERS:
            history.count("lost fetches")
            history.lost.add(place)
            return
        if fate < odds.lost_fetch + odds.stale_fetch:
            history.count("stale fetches")
            delay = chance.uniform(0.2, STALE_SECONDS)
        elif fate < odds.lost_fetch + odds.stale_fetch + odds.doubled_fetch:
            history.count("doubled fetches")
            history.later(chance.uniform(0.0, STALE_SECONDS), self._deliver, place, fetch)
        history.later(delay, self._deliver, place, fetch)

    def _deliver(self, place: Place, fetch: Fetch) -> None:
        if self.worker.paused:
            self._kept.append((place, fetch))
            self._wanted.set()
        elif not self.worker.dead:
            self.worker.put(place[0], place[1], fetch)

    def _hand_over_kept(self) -> None:
        kept, self._kept = self._kept, []
        for place, fetch in kept:
            self._deliver(place, fetch)

    def _commit_group(self) -> None:
        """What dashboards see."""
        for number, partition in self.worker.partitions.items():
            if partition.term is not None:
                for topic, position in partition.term.turns.committed.items():
                    self.worker.history.broker.group[topic, number] = position
