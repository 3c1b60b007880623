"""When what is committed leaves."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schemas.topics import PARTS, TRIGGERS
from schemas.turn import Message
from streams.engine import relay
from streams.engine.relay import Leaving, Relay
from streams.state.memory import MemoryStore


class Gate:
    """An outlet that takes all there is, and tells when."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, list[str]]] = []

    async def fence(self) -> None: ...

    async def send(self, leaving: deque[Leaving]) -> list[Leaving]:
        taken = list(leaving)
        leaving.clear()
        self.taken.append((asyncio.get_running_loop().time(), [id for id, _ in taken]))
        return taken

    async def close(self) -> None: ...


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Relay, Gate]]:
    gate = Gate()
    ours = Relay(MemoryStore().slot(0), gate, lambda taken, seconds: None)
    task = asyncio.create_task(ours.run())
    try:
        yield ours, gate
    finally:
        task.cancel()
        await asyncio.wait([task])


def of(topic: str, id: str) -> Leaving:
    return id, Message(topic, b"ann", b"{}", [])


@pytest.fixture(autouse=True)
def _long(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a busy machine does not look like one that waits."""
    monkeypatch.setattr(relay, "APART", 1.0)


async def until(gate: Gate, many: int) -> list[list[str]]:
    """What left, once so many transactions have."""
    async with asyncio.timeout(5):
        while len(gate.taken) < many:  # noqa: ASYNC110 - an outlet sets no event
            await asyncio.sleep(0.001)
    return [ids for _, ids in gate.taken]


async def test_after_a_rest_all_leaves_at_once_and_parts_then_wait_for_each_other() -> None:
    async with running() as (ours, gate):
        ours.put([of(PARTS, "a")])
        await until(gate, 1)
        for id in ("b", "c", "d"):
            ours.put([of(PARTS, id)])
            await asyncio.sleep(0.02)
        assert await until(gate, 2) == [["a"], ["b", "c", "d"]]
        assert gate.taken[1][0] - gate.taken[0][0] >= relay.APART * 0.99


async def test_a_trigger_waits_for_nobody_and_takes_along_what_waits() -> None:
    async with running() as (ours, gate):
        ours.put([of(PARTS, "a")])
        await until(gate, 1)
        ours.put([of(PARTS, "b")])
        await asyncio.sleep(0.02)
        ours.put([of(TRIGGERS, "c")])
        assert await until(gate, 2) == [["a"], ["b", "c"]]
        assert gate.taken[1][0] - gate.taken[0][0] < relay.APART * 0.9


async def test_many_parts_do_not_wait() -> None:
    async with running() as (ours, gate):
        ours.put([of(PARTS, "a")])
        await until(gate, 1)
        ours.put([of(PARTS, str(number)) for number in range(relay.MANY)])
        await until(gate, 2)
        assert gate.taken[1][0] - gate.taken[0][0] < relay.APART * 0.9
