"""What the harness is made of: fuses, the door, the load, the report."""

import asyncio
import os
import signal
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import CLICKSTREAM
from streams.engine.partition import Partition
from streams.tools.parts import free_port
from tests.faults.harness import report
from tests.faults.harness.load import Habits, Load
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.result import Result
from tests.faults.harness.rig import POINTS, STEPS, Fuse, RiggedOutlet, rig, wrong_clock
from tests.streams.engine.twin import Rig


class Blown(Exception):
    """Instead of SIGKILL."""


@pytest.fixture
def blows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Signals this process would have sent itself."""
    sent: list[int] = []

    def kill(pid: int, number: int) -> None:
        assert pid == os.getpid()
        sent.append(number)
        raise Blown

    monkeypatch.setattr(os, "kill", kill)
    return sent


def test_there_is_a_point_before_and_after_each_step() -> None:
    assert len(POINTS) == 2 * len(STEPS) >= 30


def test_a_fuse_burns_down_at_its_time(blows: list[int]) -> None:
    fuse = Fuse("after-commit:2")
    fuse("after-commit")
    fuse("before-commit")
    with pytest.raises(Blown):
        fuse("after-commit")
    assert blows == [signal.SIGKILL]


def test_a_point_that_does_not_exist_is_said() -> None:
    with pytest.raises(SystemExit, match="wanted one of before-acquire"):
        Fuse("after-lunch")


class Twin:
    """A producer as far as an outlet's rig sees it."""

    def __init__(self) -> None:
        self.committed = 0

    async def commit_transaction(self) -> None:
        self.committed += 1


class Out:
    """An outlet with a transaction."""

    def __init__(self) -> None:
        self._producer = Twin()

    async def fence(self) -> None: ...

    async def send(self, leaving: deque[Any]) -> list[Any]:
        await self._producer.commit_transaction()
        return list(leaving)

    async def close(self) -> None: ...


async def test_publish_is_the_commit_of_the_transaction() -> None:
    passed: list[str] = []
    fuse: Any = passed.append
    assert await RiggedOutlet(Out(), fuse).send(deque()) == []
    assert passed == ["before-send", "before-publish", "after-publish", "after-send"]


async def test_every_step_of_the_engine_passes_its_fuses() -> None:
    """With a fuse that never burns the engine does what it does, and comes by every point but those of Kafka's own
    transactions."""
    passed: Counter[str] = Counter()

    def fuse(point: str) -> None:
        passed[point] += 1

    r = Rig()
    await r.create()
    partition = r.serve()
    partition.stop()
    world: Any = partition.world
    burning: Any = fuse
    served = Partition(0, rig(world, burning))
    r.served = [(served, r.served[0][1])]
    r.broker.append(CLICKSTREAM, (b"ann", b"x"), (b"ann", b"timer 1000.1"), (b"ann", b"x"))
    await r.run(0.6)
    served.stop()
    assert (await r.customer(b"ann")).n == 3
    assert set(POINTS) - passed.keys() == {"before-publish", "after-publish"}


def test_a_clock_is_wrong_by_what_its_file_says(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    clock = wrong_clock(str(file), lambda: 100.0)
    assert clock() == 100.0
    file.write_text("-2.5")
    assert clock() == 97.5


# -- the door


@asynccontextmanager
async def echo() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that says what it heard; its port, and all it heard."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1000):
                heard.append(data)
                writer.write(data)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], heard
        server.close()
        await asyncio.sleep(0.05)  # the last of them see their end


async def test_a_door_passes_holds_and_lets_go() -> None:
    async with echo() as (port, heard), Proxy(free_port(), port) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"one")
        assert await reader.read(10) == b"one"
        door.trip = b"kairos", b"two"
        writer.write(b"kairos two")
        await asyncio.wait_for(door.tripped.wait(), 2)
        await asyncio.sleep(0.05)
        assert heard == [b"one"]
        door.heal()
        assert await reader.read(10) == b"kairos two"
        writer.close()


async def test_what_was_held_is_told_to_the_next_server() -> None:
    async with echo() as (first, _), echo() as (second, heard), Proxy(free_port(), first) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"one")
        await reader.read(10)
        door.hold()
        writer.write(b"two")
        await asyncio.sleep(0.05)
        for link in door._links:
            assert link._upstream
            link._upstream.close()
        await asyncio.sleep(0.05)
        door.target = second
        door.heal()
        assert await asyncio.wait_for(reader.read(10), 2) == b"two"
        assert heard == [b"two"]
        writer.close()


async def test_a_shut_door_breaks_lines_and_refuses_new_ones() -> None:
    async with echo() as (port, _), Proxy(free_port(), port) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"one")
        await reader.read(10)
        await door.shut()
        with pytest.raises(ConnectionError):
            if not await reader.read(10):
                raise ConnectionResetError
        writer.close()
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", door.port)
        await door.reopen()
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.close()


# -- the load and the report


def test_the_load_is_what_the_habits_say() -> None:
    load = Load("1", Habits(poison=0.1, twice=0.2), "", "", 4, "", "key")
    deeds = [load._next(storm=False) for _ in range(4000)]
    bad = sum(isinstance(deed.value, bytes) or deed.shift or deed.key is None for deed in deeds)
    ids = [deed.value["id"] for deed in deeds if isinstance(deed.value, dict)]
    assert 250 < bad < 550
    assert 500 < len(ids) - len(set(ids)) < 1000
    again = Load("1", Habits(poison=0.1, twice=0.2), "", "", 4, "", "key")
    assert [deed.key for deed in deeds] == [again._next(storm=False).key for _ in deeds]


def result(**changes: Any) -> Result:
    made = Result("kill", 7, 12.0)
    made.faults["worker killed"] = 3
    made.figures = {"records": 1000, "triggers": 10}
    made.recoveries = {"kill -9": [1.0, 2.0, 9.0]}
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_a_report_says_what_was_violated_and_what_was_vacuous() -> None:
    page = report.write([result(), result(vacuous=["halts"]), result(violations={"lag": {"count": 1, "first": "x"}})])
    assert "**3 runs in 1 minutes, 9 faults, 3,000 records, 1 runs with a violation, 1 vacuous.**" in page
    assert "| kill -9 | 9 | 2.0 | 9.0 | 9.0 |" in page
    assert "kill seed 7: no halts" in page
    assert "VIOLATED  kill seed 7" in page
