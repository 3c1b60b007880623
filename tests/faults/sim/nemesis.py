"""The one who does it all: kills, pauses, moves, takes the store back in time, and in the end lets everything heal."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from schemas.topics import TRIGGERS
from tests.faults.sim.lines import Line, arrive_late
from tests.faults.sim.store import Primary
from tests.faults.sim.worker import Worker

if TYPE_CHECKING:
    from tests.faults.sim.history import History

WORKERS = 3
POINTS = ("take", "fence", "bounds", "open", "load", "commit", "commit", "produce", "end", "trim")
"""Requests after which an ambush waits."""
HELD_LOAD, LATE_END, RELIVED = "held load", "late end", "relived"


class Nemesis:
    """Does one deed after another."""

    def __init__(self, history: "History") -> None:
        self.history, self.chance = history, history.chance
        self.workers = [Worker(history, number) for number in range(WORKERS)]
        self._born = WORKERS
        self._traps: set[str] = set()
        """Where ambushes wait."""
        self._held: dict[int, Callable[[], object]] = {}
        """Partition -> the end of a transaction that the next fence meets."""

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
        self._traps.clear()
        for partition in list(self._held):
            self.let_go(partition)
        history.restore_store()
        history.broker.down = False
        if history.settings.poison_percent < 100:
            # a deploy: what halted at faulty records now dead-letters them
            history.settings = history.settings.model_copy(update={"poison_percent": 100})
            for worker in list(self.workers):
                self._replace(worker)
        for worker in self.workers:
            worker.on_old.clear()
            worker.resume()
        for partition in range(history.profile.partitions):
            serving = [worker for worker in self.workers if partition in worker.partitions]
            stay = len(serving) == 1 and not serving[0].partitions[partition].task.done()
            if not stay or self.chance.random() < 0.5:
                self._give(partition, self.chance.choice(self.workers), 0.0)

    def rewind_idle(self) -> None:
        """Sometimes the store goes back once more when nothing is left to do, and no event will tell."""
        if self.chance.random() < 0.2:
            self._rewind()

    def forget(self, partition: int) -> None:
        """The store of a partition goes back to its beginning."""
        if self.history.profile.deeds:
            self._lose(self.history.primaries[partition], len(self.history.primaries[partition].versions))

    # -- deeds

    def _kill(self) -> None:
        worker = self.chance.choice(self.workers)
        served = list(worker.partitions)
        self._replace(worker)
        for partition in served:
            self.history.later(self.chance.uniform(0.05, 3.0), self._take_over, partition)

    def _replace(self, worker: Worker) -> None:
        worker.kill()
        self.workers[self.workers.index(worker)] = Worker(self.history, self._born)
        self._born += 1

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
        self._lose(primary, depth)

    def _usurp(self) -> None:
        """A zombie's token is made good again: it sleeps, another serves for a while, and the store forgets all that
        just when the zombie wakes."""
        partition = self._partition()
        owner = next((w for w in self.workers if partition in w.partitions and not w.paused), None)
        if owner is not None:
            moment = self.chance.uniform(4.5, 8.0)
            self._make_zombie(owner, partition, moment, self._give_back)
            # the heir sends what the sleeper, too late for it, will not decide: what that one decides is one too many,
            # and it hears of the others only by the drain
            self.history.traffic.look(partition, (0.3, 1.5, moment - 0.1))
            owner.reader.slow_down(TRIGGERS, partition, moment + self.chance.uniform(0.5, 2.0))

    def _ambush(self) -> None:
        """The same to whoever next has one of its requests done; its answer is not read before it wakes."""
        self._traps.add(self.chance.choice((*POINTS, HELD_LOAD, HELD_LOAD)))

    def _overtake(self) -> None:
        """The next transaction ends late: just before the fence of who serves after; and its worker sleeps."""
        self._traps.add(LATE_END)

    def _relive(self) -> None:
        """Once the next transaction has ended, the store forgets what led to it, and the term that begins then meets
        the same fetches again before it hears what has left."""
        self._traps.add(RELIVED)

    def _photo_finish(self) -> None:
        self.history.traffic.photo_finish(self._partition())

    def passed(self, worker: Worker, partition: int, point: str) -> None:
        """A request was done, and its answer is on the way."""
        if point == "end" and self._walks_into(RELIVED, worker, partition):
            self._lose(self.history.primaries[partition], self.chance.randint(1, 4))
            self.history.count("relived ends")
            worker.reader.haunt(partition)
        if not self._walks_into(point, worker, partition):
            return
        moment = self.chance.choice((self.chance.uniform(0.05, 1.0), self.chance.uniform(1.0, 5.0)))
        self._make_zombie(worker, partition, moment, self.chance.choice((self._give_back, self._take_again, None)))

    def hold_up(self, worker: Worker, partition: int) -> float:
        """A load leaves. Answers how many seconds it is on its way while who asked sleeps: it is to see what the heir
        wrote, and who asked is to find its token good."""
        if not self._walks_into(HELD_LOAD, worker, partition):
            return 0.0
        moment = self.chance.uniform(0.5, 4.0)
        self._make_zombie(worker, partition, moment, self._give_back)
        return moment * 0.95

    def hold_back(self, worker: Worker, partition: int, end: Callable[[], object]) -> bool:
        """A transaction is to end. Answers whether its end waits for the next fence while who asked sleeps."""
        if partition in self._held or not self._walks_into(LATE_END, worker, partition):
            return False
        self._held[partition] = end
        self._make_zombie(worker, partition, self.chance.uniform(2.0, 6.0), None)
        return True

    def let_go(self, partition: int) -> None:
        """A fence is about to be done."""
        if partition in self._held:
            self.history.count("late ends")
            arrive_late(self._held.pop(partition))

    def _walks_into(self, trap: str, worker: Worker, partition: int) -> bool:
        if trap not in self._traps or worker.paused or worker.dead or partition not in worker.partitions:
            return False
        self._traps.discard(trap)
        return True

    def _make_zombie(
        self, owner: Worker, partition: int, moment: float, spring: Callable[[int, Worker, object], None] | None
    ) -> None:
        """It sleeps, another serves; after about `moment` seconds it wakes, and something happens to the store."""
        others = [worker for worker in self.workers if worker is not owner and not worker.paused]
        if not others:
            return
        self.history.count("zombies")
        owner.pause()
        heir = self.chance.choice(others)
        self._give(partition, heir, moment + self.chance.uniform(3.0, 7.0))
        if spring is not None:
            left = self.history.primaries[partition].versions[-1]
            self.history.later(moment, spring, partition, owner, left)
        if self.chance.random() < 0.7:  # the heir sleeps through it
            self.history.later(max(0.0, moment - self.chance.uniform(0.0, 1.0)), heir.pause)
            self.history.later(moment + self.chance.uniform(0.5, 3.0), heir.resume)
        self.history.later(max(0.0, moment + self.chance.uniform(-0.05, 0.3)), owner.resume)

    def _take_again(self, partition: int, owner: Worker, _: object) -> None:
        """A copy of its acquire, late on its way, arrives."""
        if self.history.profile.deeds:
            Line(owner, partition).take_again()

    def _give_back(self, partition: int, _: Worker, left: object) -> None:
        """The store is again what it was when the sleeper went to sleep."""
        if self.history.profile.deeds:
            primary = self.history.primaries[partition]
            self._lose(primary, primary.since(left))

    def _undo(self) -> None:
        """The last acquire was not kept: who served before it holds a good token again."""
        primary = self.history.primaries[self._partition()]
        self._lose(primary, primary.since_take())

    def _lose(self, primary: Primary, versions: int) -> None:
        lost, linked = primary.rewind(versions)
        if lost:
            self.history.count("rewinds")
            self.history.count("versions lost", lost)
        for what in linked:
            self.history.count(f"rewinds of {what}")

    def _split(self) -> None:
        """A failover that some workers did not notice: they talk to the old primary, which nobody reads any more."""
        partition = self._partition()
        primary = self.history.primaries[partition]
        primary.split()
        left = self.chance.sample(self.workers, self.chance.randint(1, WORKERS - 1))
        for worker in left:
            worker.on_old.add(partition)
        if self.chance.random() < 0.5:
            self._lose(primary, self.chance.randint(1, 5))
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
