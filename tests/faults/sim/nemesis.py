"""The one who does it all: kills, pauses, moves, takes the store back in time, and in the end lets everything heal."""

import asyncio
from typing import TYPE_CHECKING

from tests.faults.sim.worker import Worker

if TYPE_CHECKING:
    from tests.faults.sim.history import History

WORKERS = 3


class Nemesis:
    """Does one deed after another."""

    def __init__(self, history: "History") -> None:
        self.history, self.chance = history, history.chance
        self.workers = [Worker(history, number) for number in range(WORKERS)]
        self._born = WORKERS

    async def run(self) -> None:
        """Deeds until the history heals."""
        deeds = self.history.profile.deeds
        for partition in range(self.history.profile.partitions):
            self._awake().assign(partition)
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / self.history.profile.pause))
            deed = self.chance.choices(list(deeds), list(deeds.values()))[0]
            self.history.count(deed)
            getattr(self, "_" + deed)()

    def heal(self) -> None:
        """Everything mends; one worker, told so, serves each partition."""
        history = self.history
        history.restore_store()
        history.broker.down = False
        for worker in self.workers:
            worker.on_old.clear()
            worker.resume()
        for partition in range(history.profile.partitions):
            serving = [worker for worker in self.workers if partition in worker.partitions]
            stay = len(serving) == 1 and not serving[0].partitions[partition].task.done()
            if not stay or self.chance.random() < 0.5:
                self._give(partition, self.chance.choice(self.workers), 0.0)

    # -- deeds

    def _kill(self) -> None:
        worker = self.chance.choice(self.workers)
        served = list(worker.partitions)
        worker.kill()
        self.workers[self.workers.index(worker)] = Worker(self.history, self._born)
        self._born += 1
        for partition in served:
            self.history.later(self.chance.uniform(0.05, 3.0), self._take_over, partition)

    def _pause(self) -> None:
        """SIGSTOP; its partitions are taken over, most often; it wakes as a zombie."""
        worker = self.chance.choice([w for w in self.workers if w.partitions] or self.workers)
        if worker.paused:
            return
        worker.pause()
        seconds = self.chance.choice((self.chance.uniform(0.05, 2.0), self.chance.uniform(1.0, 14.0)))
        self.history.later(seconds, worker.resume)
        if self.chance.random() < 0.8:
            for partition in list(worker.partitions):
                self.history.count("zombies")
                self._give(partition, self._awake(), seconds + self.chance.uniform(0.0, 3.0))

    def _move(self) -> None:
        """A rebalance: who had it is told now, or a little later than who gets it."""
        self._give(self._partition(), self._awake(), self.chance.choice((0.0, self.chance.uniform(0.0, 2.0))))

    def _double(self) -> None:
        """Several serve one partition, and nobody tells the first for a while."""
        self._give(self._partition(), self._awake(), self.chance.uniform(1.0, 8.0))

    def _rewind(self) -> None:
        primary = self.history.primaries[self._partition()]
        few = self.chance.randint(1, min(40, self.history.profile.deepest_rewind))
        depth = self.chance.choice((few, few, self.chance.randint(1, self.history.profile.deepest_rewind)))
        if lost := primary.rewind(depth):
            self.history.count("rewinds")
            self.history.count("versions lost", lost)

    def _usurp(self) -> None:
        """A zombie's token is made good again: it sleeps, another serves for a while, and the store forgets all that
        just when the zombie wakes."""
        partition = self._partition()
        owner = next((w for w in self.workers if partition in w.partitions and not w.paused), None)
        others = [worker for worker in self.workers if worker is not owner and not worker.paused]
        if owner is None or not others:
            return
        self.history.count("zombies")
        owner.pause()
        heir = self.chance.choice(others)
        self._give(partition, heir, self.chance.uniform(8.0, 12.0))
        moment = self.chance.uniform(1.0, 7.0)
        self.history.later(moment, self._undo, partition)
        if self.chance.random() < 0.7:  # the heir sleeps through it
            self.history.later(moment, heir.pause)
            self.history.later(moment + self.chance.uniform(0.3, 3.0), heir.resume)
        self.history.later(max(0.0, moment + self.chance.uniform(-0.05, 0.3)), owner.resume)

    def _undo(self, partition: int | None = None) -> None:
        """The last acquire was not kept: who served before it holds a good token again."""
        if not self.history.profile.deeds:
            return  # it heals
        primary = self.history.primaries[self._partition() if partition is None else partition]
        if lost := primary.rewind(primary.since_take()):
            self.history.count("rewinds")
            self.history.count("versions lost", lost)

    def _split(self) -> None:
        """A failover that some workers did not notice: they talk to the old primary, which nobody reads any more."""
        partition = self._partition()
        primary = self.history.primaries[partition]
        primary.split()
        left = self.chance.sample(self.workers, self.chance.randint(1, WORKERS - 1))
        for worker in left:
            worker.on_old.add(partition)
        if self.chance.random() < 0.5:
            primary.rewind(self.chance.randint(1, 5))
        self.history.later(self.chance.uniform(0.5, 6.0), self._end_split, partition, left)

    def _end_split(self, partition: int, left: list[Worker]) -> None:
        for worker in left:
            worker.on_old.discard(partition)

    def _store_away(self) -> None:
        self.history.lose_store()
        self.history.later(self.chance.uniform(0.2, 6.0), self.history.restore_store)

    def _kafka_away(self) -> None:
        self.history.broker.down = True
        self.history.later(self.chance.uniform(0.2, 5.0), self._kafka_back)

    def _kafka_back(self) -> None:
        self.history.broker.down = False

    def _publish(self) -> None:
        """Another playbook: each worker takes it up in its own time."""
        self.history.published = self.chance.choice(list(self.history.folds))
        for worker in self.workers:
            self.history.later(self.chance.uniform(0.0, 1.5), self._take_up, worker, self.history.published)

    def _take_up(self, worker: Worker, version: str) -> None:
        worker.version = version

    def _stranger(self) -> None:
        self.history.traffic.stranger()

    # -- the group

    def _give(self, partition: int, to: Worker, told: float) -> None:
        """`to` gets a partition; whoever else serves it is told after `told` seconds."""
        for other in self.workers:
            if other is not to and partition in other.partitions:
                if told:
                    self.history.later(told, self._tell, other, to, partition)
                else:
                    other.revoke(partition)
        to.assign(partition)

    def _tell(self, other: Worker, to: Worker, partition: int) -> None:
        """It is not yours any more; unless it is again."""
        if not other.dead and to.partitions.get(partition) is not None:
            other.revoke(partition)

    def _take_over(self, partition: int) -> None:
        if not any(partition in worker.partitions for worker in self.workers):
            self._awake().assign(partition)

    def _partition(self) -> int:
        return self.chance.randrange(self.history.profile.partitions)

    def _awake(self) -> Worker:
        return self.chance.choice([worker for worker in self.workers if not worker.paused] or self.workers)
