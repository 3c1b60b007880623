"""What the witnesses say: slots of a store, and a log that is read from a list."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from schemas.customer import FORMAT, Customer, Decisions, Waiting, encode_customer
from schemas.trigger import Trigger, encode_trigger
from streams import kafka
from streams.settings import Settings, read_settings
from streams.state.memory import MemoryStore
from streams.state.store import Commit, Unfit
from streams.tools import books
from streams.tools.asking import NoState, metas

SETTINGS = read_settings(partitions=2, topic_prefix="x-")


@dataclass
class Logged:
    topic: str
    value: bytes | None = None
    place: bytes | None = None
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    key: bytes | None = None
    headers: list[tuple[str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.topic = SETTINGS.topic(self.topic)
        if self.place:
            self.headers = [("place", self.place)]


class FakeKafka:
    """A log of these records; every partition begins at `first` and ends at `end`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *records: Logged, first: int = 0, end: int = 10) -> None:
        self.records, self.first, self.end = list(records), first, end
        for name in ("connected", "bounds", "ends", "read_log"):
            monkeypatch.setattr(kafka, name, getattr(self, name))

    @asynccontextmanager
    async def connected(self, _: Settings) -> AsyncIterator[None]:
        yield

    async def bounds(self, _: None, wanted: list[kafka.Place], **__: object) -> dict[kafka.Place, tuple[int, int]]:
        return {place: (self.first, self.end) for place in wanted}

    async def ends(self, _: None, wanted: list[kafka.Place], **__: object) -> dict[kafka.Place, int]:
        return {place: self.end for place in wanted}

    async def read_log(self, _: Settings, topics: list[str]) -> AsyncIterator[list[Logged]]:
        yield [record for record in self.records if record.topic in topics]


def trigger(id: str, play: str) -> bytes:
    return encode_trigger(Trigger(id, play, "v", "ann", "web", "o", 1.0, 1.0, 2.0))


async def store(meta: dict[str, bytes]) -> MemoryStore:
    made = MemoryStore()
    for partition in range(2):
        slot = made.slot(partition)
        await slot.create(2, {})
        await slot.acquire(b"a" * 16)
    waiting = Customer(decisions=Decisions(waiting={play: Waiting(9.0, 1.0) for play in ("one", "two")}))
    commit = Commit(
        token=b"a" * 16,
        new_token=b"b" * 16,
        until=0.0,
        record=b"r",
        keep=0,
        meta=meta,
        customers=[(b"ann", encode_customer(waiting)), (b"bob", encode_customer(Customer()))],
        wake=[(b"ann", 9.0)],
        outbox=[(b"id", b"entry")],
    )
    await made.slot(0).commit(commit)
    return made


async def test_slots_are_summed_and_customers_who_wait_are_counted() -> None:
    found = await books.ask_slots(SETTINGS, await store({"count:timer:armed": b"2"}))
    assert (found.counts["timer:armed"], found.outbox, found.sleepers) == (2, 1, 1)
    assert (found.waiting, found.waiting_customers) == (2, 1)


async def test_the_lag_is_what_was_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeKafka(monkeypatch, end=10)
    made = await store({"next:cart": b"8"})
    assert (await books.lags(SETTINGS, made))["cart"] == 12  # 2 in partition 0, all 10 in partition 1


async def test_no_state_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoState, match="partitions \\[0, 1\\]"):
        await metas(SETTINGS, MemoryStore())


async def test_what_another_version_kept_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unfit, match=f"partition 0 of .*: wanted customers in format {FORMAT}, got 1: .*kairos rebuild"):
        await metas(SETTINGS, await store({"format": b"1"}))


async def test_logs_are_counted_each_trigger_and_each_place_once(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeKafka(
        monkeypatch,
        Logged("cart"),
        Logged("cart"),
        Logged("triggers", trigger("1", "thanks")),
        Logged("triggers", trigger("1", "thanks")),
        Logged("triggers", b"no trigger"),
        Logged("dead-letters", place=b"cart/0/7"),
        Logged("dead-letters", place=b"cart/0/7"),
        Logged("dead-letters", place=b"http"),
        Logged("dead-letters", place=b"http"),
    )
    found = await books.count_logs(SETTINGS)
    assert (found.records["cart"], found.records["pos"], found.rejected) == (2, 0, 2)
    assert (found.triggers, found.dead, found.shortened) == ({"thanks": 1}, {"cart": 1}, frozenset())


async def test_what_retention_took_was_booked_before(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeKafka(monkeypatch, Logged("cart"), first=3)
    found = await books.count_logs(SETTINGS)
    assert found.records["cart"] == 1 + 2 * 3
    assert {"cart", "triggers"} <= found.shortened
