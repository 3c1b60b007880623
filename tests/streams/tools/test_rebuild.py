"""`kairos rebuild`: when it makes a state anew, and when it must not."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from processors.playbook import BadPlaybook
from schemas.customer import FORMAT
from schemas.topics import INPUTS, PARTS
from streams.cli import app
from streams.settings import Settings
from streams.state.memory import MemoryStore
from streams.tools import rebuild
from tests.streams.tools.test_books import FakeKafka

TOKEN = b"a" * 16


class House:
    """Two partitions whose logs begin at `first` and end at `end`; `workers` in the group."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch, self.store, self.workers = monkeypatch, MemoryStore(), 0
        self.logs()
        monkeypatch.setattr(rebuild, "open_store", lambda settings, patience=None: self.store)
        monkeypatch.setattr(rebuild, "members", self._members)
        monkeypatch.setattr("streams.tools.here.settings_here", lambda: {"partitions": 2, "topic_prefix": "x-"})

    def logs(self, first: int = 0, end: int = 10) -> None:
        FakeKafka(self.monkeypatch, first=first, end=end)

    async def _members(self, _: Settings) -> int:
        return self.workers

    async def make(self, partition: int, **offsets: int) -> None:
        slot = self.store.slot(partition)
        await slot.create(2, dict.fromkeys(INPUTS, 3) | offsets)
        await slot.acquire(TOKEN)

    async def next(self, partition: int) -> dict[str, int]:
        meta = await self.store.slot(partition).meta()
        return {topic: int(meta[f"next:{topic}"]) for topic in INPUTS} if meta else {}

    def run(self, *arguments: str, said: str = "") -> Result:
        return CliRunner().invoke(app, ["rebuild", *arguments], input=said)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    return House(monkeypatch)


async def called(house: House, *arguments: str, said: str = "") -> Result:
    """In a thread: a command runs a loop of its own."""
    return await asyncio.to_thread(lambda: house.run(*arguments, said=said))


async def test_an_empty_store_is_made_anew_from_the_logs(house: House) -> None:
    result = await called(house, "--yes", "--json")
    assert result.exit_code == 0, result.output
    assert '{"partition":0,"was":"missing","begins":{"triggers":0' in result.stdout
    assert len(result.stdout.splitlines()) == 2


async def test_what_is_sound_stays(house: House) -> None:
    await house.make(0)
    await house.make(1)
    result = await called(house, "--yes")
    assert "nothing to rebuild" in result.output
    assert await house.next(0) == dict.fromkeys(INPUTS, 3)


async def test_only_what_is_beyond_its_log_is_made_anew(house: House) -> None:
    house.workers = 3  # they serve the other one, and have halted this one
    await house.make(0)
    await house.make(1, clickstream=11)
    result = await called(house, "--yes")
    assert result.exit_code == 0, result.output
    assert await house.next(0) == dict.fromkeys(INPUTS, 3)
    assert await house.next(1) == dict.fromkeys(INPUTS, 0)
    assert (await house.store.slot(1).meta())["token"] == b""


async def test_a_partition_that_may_be_served_is_left_alone(house: House) -> None:
    await house.make(0)
    await house.make(1)
    house.workers = 1
    result = await called(house, "--yes", "--partition", "1")
    assert result.exit_code == 1
    assert "stop the workers first" in result.output
    house.workers = 0
    assert (await called(house, "--yes", "--partition", "1")).exit_code == 0
    assert await house.next(1) == dict.fromkeys(INPUTS, 0)


async def test_a_cut_log_needs_a_word(house: House) -> None:
    house.logs(first=4)
    result = await called(house, "--yes")
    assert result.exit_code == 1
    assert "triggers-0 begins at 4" in result.output
    assert await house.next(0) == {}
    assert (await called(house, "--yes", "--from-what-is-there")).exit_code == 0
    assert await house.next(0) == dict.fromkeys(INPUTS, 4)


async def test_it_asks_first(house: House) -> None:
    result = await called(house, said="n\n")
    assert result.exit_code == 1
    assert await house.next(0) == {}
    assert (await called(house, said="y\n")).exit_code == 0
    assert await house.next(0) == dict.fromkeys(INPUTS, 0)


async def test_a_partition_there_is_not(house: House) -> None:
    result = await called(house, "--partition", "2")
    assert "wanted partitions 0 to 1, got [2]" in str(result.exception)


async def test_without_a_playbook_the_settings_one_is_published(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("plays: []\n")
    monkeypatch.setenv("KAIROS_PLAYBOOK", str(path))
    await called(house, "--yes")
    version = await house.store.current()
    assert version and await house.store.playbook(version) == b"plays: []\n"


@pytest.mark.parametrize(
    ("first", "end", "stands"), [(0, 3, "sound"), (4, 9, "beyond the log"), (0, 2, "beyond the log")]
)
def test_how_it_stands(first: int, end: int, stands: str) -> None:
    meta = {"format": b"%d" % FORMAT} | {f"next:{topic}": b"3" for topic in INPUTS}
    assert rebuild.stands(meta, dict.fromkeys(INPUTS, (first, end))) == stands


@pytest.mark.parametrize("format", [{}, {"format": b"1"}, {"format": b"%d" % (FORMAT + 1)}])
async def test_what_another_version_kept_is_made_anew(house: House, format: dict[str, bytes]) -> None:
    house.workers = 1  # it has halted both
    for partition in range(2):
        await house.make(partition)
        content = house.store.slot(partition).snapshot()
        assert content is not None and content.meta.pop("format")
        content.meta |= format
        house.store.slot(partition).restore(content)
    result = await called(house, "--yes")
    assert result.exit_code == 0 and "partition 1: of another format; replay" in result.output
    assert await house.next(0) == await house.next(1) == dict.fromkeys(INPUTS, 0)
    assert "nothing to rebuild" in (await called(house, "--yes")).output


async def test_other_facts_are_folded_anew_when_no_worker_is_left(house: House) -> None:
    for partition in range(2):
        await house.make(partition)
    house.monkeypatch.setenv("KAIROS_FACTS", "likes")
    house.workers = 1  # with which setting, nobody knows
    result = await called(house, "--yes")
    assert result.exit_code == 1 and "stop the workers first" in result.output
    house.workers = 0
    result = await called(house, "--yes")
    assert isinstance(result.exception, BadPlaybook) and "events.week rests on windows" in str(result.exception)
    assert await house.next(0) == dict.fromkeys(INPUTS, 3)
    await house.store.publish("v1", b"plays: []")
    result = await called(house, "--yes")
    assert result.exit_code == 0 and "partition 1: of other facts; replay" in result.output
    metas = [await house.store.slot(partition).meta() for partition in range(2)]
    assert [meta["facts"] for meta in metas] == [b"likes", b"likes"]
    assert await house.next(0) == await house.next(1) == dict.fromkeys(INPUTS, 0)
    assert "nothing to rebuild" in (await called(house, "--yes")).output


def test_a_topic_that_is_new_was_not_read(house: House) -> None:
    """A state from before there were parts goes on, if that log still has its beginning."""
    meta = {"format": b"%d" % FORMAT} | {f"next:{topic}": b"3" for topic in INPUTS if topic != PARTS}
    bounds = dict.fromkeys(INPUTS, (0, 9))
    assert rebuild.stands(meta, bounds) == "sound"
    assert rebuild.stands(meta, bounds | {PARTS: (1, 9)}) == "beyond the log"
