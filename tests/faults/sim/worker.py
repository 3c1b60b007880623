"""A worker: partitions of the real engine in a world of ours. It can be killed, paused, and told the wrong thing.

How it works. Every way out of the engine passes `gate`: behind it a paused worker waits, and a dead one for ever. So a
kill or a pause falls between any two awaits that reach the outside, and all that is inside dies or freezes with it.
"""

import asyncio
import contextvars
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from processors.turn import Turn
from streams.engine.fetch import Fetch
from streams.engine.partition import Partition
from streams.engine.relay import Leaving
from streams.engine.world import World
from tests.faults.sim.chance import skew
from tests.faults.sim.clock import OWNER, START
from tests.faults.sim.lines import Lines, Way
from tests.faults.sim.source import Reader

if TYPE_CHECKING:
    from tests.faults.sim.history import History


class Worker:
    """One process."""

    def __init__(self, history: "History", number: int) -> None:
        self.history, self.number = history, number
        self.dead = False
        self.on_old: set[int] = set()
        """Partitions whose old primary it still talks to."""
        self.partitions: dict[int, Partition] = {}
        self.version = history.published
        self.takes: dict[int, tuple[bytes, bytes]] = {}
        """Partition -> what its last acquire asked."""
        self.skew = skew(history.profile.clock_bound, history.chance)
        self._awake = asyncio.Event()
        self._awake.set()
        self.reader = Reader(self)
        self.context = contextvars.copy_context()
        self.context.run(OWNER.set, self)
        self.reading = asyncio.get_running_loop().create_task(self.reader.run(), context=self.context)
        self.world = World(
            settings=history.settings,
            store=Lines(self).store(),
            source=self.reader,
            watch=Watcher(self),
            outlet=lambda partition: Way(self, partition),
            fold=lambda: history.folds[self.version],
            now=self.now,
            nonce=lambda: history.chance.randbytes(16),
        )

    def now(self) -> float:
        """Its clock."""
        return START + self.history.loop.time() + self.skew

    @property
    def paused(self) -> bool:
        return not self._awake.is_set()

    async def gate(self) -> None:
        """Between the engine and the world."""
        if self.dead:
            await asyncio.Event().wait()
        if not self._awake.is_set():
            await self._awake.wait()
            await self.gate()

    # -- what a group tells it

    def assign(self, partition: int) -> None:
        """Serve this one from here on."""
        self.revoke(partition)
        self.partitions[partition] = self.context.run(Partition, partition, self.world)
        self.history.born.append(self.partitions[partition])

    def revoke(self, partition: int) -> None:
        """Let go of this one."""
        self.reader.forget(partition)
        if ours := self.partitions.pop(partition, None):
            ours.stop()

    def put(self, topic: str, partition: int, fetch: Fetch) -> None:
        """A fetch comes out of its agent."""
        if ours := self.partitions.get(partition):
            ours.put(topic, fetch)

    # -- what happens to it

    def kill(self) -> None:
        """kill -9: what is on its way may still arrive, nothing else happens any more."""
        self.dead = True
        for task in self.history.loop.tasks(self):
            task.cancel()
        self.partitions.clear()

    def pause(self) -> None:
        self._awake.clear()

    def resume(self) -> None:
        self._awake.set()


class Watcher:
    """Counts what the engine tells those who look on."""

    def __init__(self, worker: Worker) -> None:
        self._count = worker.history.count

    def turned(self, partition: int, turn: Turn[Any], records: int) -> None:
        self._count("turns")
        self._count("revoked triggers", len(turn.revoked))

    def committed(self, partition: int, turn: Turn[Any], seconds: float) -> None:
        for name, count in turn.counts.items():
            if name.startswith("timer:"):
                self._count(f"timers {name[6:]}", count)

    def left(self, partition: int, leaving: Collection[Leaving], seconds: float) -> None:
        self._count("messages sent", len(leaving))

    def began(self, partition: int, steps: Mapping[str, float]) -> None:
        self._count("terms")

    def ended(self, partition: int, why: BaseException) -> None:
        self._count(f"terms ended by {type(why).__name__}")

    def halted(self, partition: int, why: str) -> None:
        self._count("halts")
