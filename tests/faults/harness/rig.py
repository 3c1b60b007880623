"""Crash points: decorators over what a partition is given, so the engine itself knows nothing of them.

KAIROS_CRASH_AT=<point>[:<nth>] ends the process by SIGKILL when it comes to the point for the nth time. Points are
`before-X` and `after-X`, with X one of

    acquire fence end open seek drain resume     how a term begins
    load absorb awaken judge commit              a turn
    send publish trim                            the relay; `publish` is the commit of its Kafka transaction

KAIROS_CLOCK_FILE names a file with seconds by which this process' clock is wrong; it is read again all the time.
"""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from processors.turn import Fold, OfCustomer, Turn
from streams.engine.relay import Leaving, Outlet
from streams.engine.world import Source, World
from streams.state.store import Commit, Committed, Opened, Slot, Store

STEPS = (
    *("acquire", "fence", "end", "open", "seek", "drain", "resume"),
    *("load", "absorb", "awaken", "judge", "commit", "send", "publish", "trim"),
)
POINTS = tuple(f"{side}-{step}" for step in STEPS for side in ("before", "after"))
MARK = "crash point"
"""What the last line of a process that died here begins with."""


class Fuse:
    """Burns down at one point."""

    def __init__(self, where: str) -> None:
        self.point, _, nth = where.partition(":")
        self._left = int(nth or 1)
        if self.point not in POINTS:
            raise SystemExit(f"KAIROS_CRASH_AT: wanted one of {', '.join(POINTS)}; got {self.point}")

    def __call__(self, point: str) -> None:
        """Die here, if here it is."""
        if point == self.point:
            self._left -= 1
            if self._left == 0:
                os.write(2, f"{MARK} {point}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)


def rig(world: World, fuse: Fuse) -> World:
    """The same world, with a fuse at every step."""
    return replace(
        world,
        store=RiggedStore(world.store, fuse),
        source=RiggedSource(world.source, fuse),
        outlet=lambda partition: RiggedOutlet(world.outlet(partition), fuse),
        fold=lambda: RiggedFold(world.fold(), fuse),
    )


class RiggedStore:
    """A Store whose slots are rigged."""

    def __init__(self, store: Store, fuse: Fuse) -> None:
        self._store, self._fuse = store, fuse

    def slot(self, partition: int) -> "RiggedSlot":
        return RiggedSlot(self._store.slot(partition), self._fuse)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class RiggedSlot:
    """A Slot with fuses."""

    def __init__(self, slot: Slot, fuse: Fuse) -> None:
        self._slot, self._fuse = slot, fuse

    async def acquire(self, token: bytes) -> None:
        self._fuse("before-acquire")
        await self._slot.acquire(token)
        self._fuse("after-acquire")

    async def open(self, token: bytes) -> Opened:
        self._fuse("before-open")
        opened = await self._slot.open(token)
        self._fuse("after-open")
        return opened

    async def load(self, tokens: tuple[bytes, bytes], customers: Sequence[bytes]) -> list[bytes | None]:
        self._fuse("before-load")
        values = await self._slot.load(tokens, customers)
        self._fuse("after-load")
        return values

    async def commit(self, commit: Commit) -> Committed:
        self._fuse("before-commit")
        answer = await self._slot.commit(commit)
        self._fuse("after-commit")
        return answer

    async def trim(self, ids: Sequence[bytes]) -> None:
        self._fuse("before-trim")
        await self._slot.trim(ids)
        self._fuse("after-trim")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._slot, name)


class RiggedSource:
    """A Source with fuses. The seek that begins a drain resumes `triggers` alone; the resume ends it."""

    def __init__(self, source: Source, fuse: Fuse) -> None:
        self._source, self._fuse = source, fuse
        self.ends = source.ends

    async def bounds(self, partition: int) -> dict[str, tuple[int, int]]:
        self._fuse("before-end")
        found = await self._source.bounds(partition)
        self._fuse("after-end")
        return found

    async def seek(self, partition: int, positions: Mapping[str, int], resume: Collection[str]) -> None:
        self._fuse("before-seek")
        await self._source.seek(partition, positions, resume)
        self._fuse("after-seek")
        self._fuse("before-drain")

    async def resume(self, partition: int, topics: Collection[str]) -> None:
        self._fuse("after-drain")
        self._fuse("before-resume")
        await self._source.resume(partition, topics)
        self._fuse("after-resume")


class RiggedOutlet:
    """An Outlet with fuses, also around the commit of its transaction, where it has one."""

    def __init__(self, outlet: Outlet, fuse: Fuse) -> None:
        self._outlet, self._fuse = outlet, fuse
        producer = getattr(outlet, "_producer", None)
        if producer is not None:
            producer.commit_transaction = self._around(producer.commit_transaction)

    def _around(self, commit: Callable[[], Any]) -> Callable[[], Any]:
        async def publish() -> None:
            self._fuse("before-publish")
            await commit()
            self._fuse("after-publish")

        return publish

    async def fence(self) -> None:
        self._fuse("before-fence")
        await self._outlet.fence()
        self._fuse("after-fence")

    async def send(self, leaving: deque[Leaving]) -> list[Leaving]:
        self._fuse("before-send")
        taken = await self._outlet.send(leaving)
        self._fuse("after-send")
        return taken

    async def close(self) -> None:
        await self._outlet.close()


class RiggedFold:
    """A Fold with fuses."""

    def __init__(self, fold: Fold[Any], fuse: Fuse) -> None:
        self._fold, self._fuse = fold, fuse

    def absorb(self, turn: Turn[Any], key: bytes, records: OfCustomer) -> None:
        self._fuse("before-absorb")
        self._fold.absorb(turn, key, records)
        self._fuse("after-absorb")

    def awaken(self, turn: Turn[Any], customers: Sequence[bytes]) -> None:
        self._fuse("before-awaken")
        self._fold.awaken(turn, customers)
        self._fuse("after-awaken")

    def judge(self, turn: Turn[Any], pending: Sequence[tuple[str, bytes]]) -> None:
        self._fuse("before-judge")
        self._fold.judge(turn, pending)
        self._fuse("after-judge")

    @property
    def version(self) -> str:
        return self._fold.version

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fold, name)


def wrong_clock(path: str, right: Callable[[], float] = time.time) -> Callable[[], float]:
    """A clock that is off by what a file says."""

    def now() -> float:
        try:
            with open(path) as file:
                return right() + float(file.read() or 0)
        except (OSError, ValueError):
            return right()

    return now
