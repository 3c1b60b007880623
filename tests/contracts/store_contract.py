"""What every Store does, whoever keeps the state. A test class per Store inherits it and brings the fixtures.

`store`: a Store that is prepared and empty. `machine`: takes a slot's content and puts it back, as a server does that
loses its last writes.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol

import pytest

from schemas.customer import FORMAT
from streams.state.store import (
    DUE_AT_MOST,
    Commit,
    Committed,
    Exists,
    Missing,
    Opened,
    Refused,
    Slot,
    Store,
)

MADE = {"partitions": b"4", "format": b"%d" % FORMAT, "facts": b"windows,timeline,habits,likes,viewed"}
ODD = [b"", b"\x00", b"\xff\xfe", b"a\r\nb", b"{x}:{y}", b"*", b"$5\r\nhello\r\n", "ő😀".encode(), b" ", b"x" * 5000]


def token(n: int) -> bytes:
    return b"token %010d" % n


def turn(n: int, **changes: Any) -> Commit:
    """Commit n: from token n to token n + 1."""
    plain = Commit(token=token(n), new_token=token(n + 1), until=0.0, record=b"turn %d" % n, keep=0)
    return replace(plain, **changes)


class Machine(Protocol):
    """Takes a slot back in time."""

    async def save(self, partition: int) -> Any: ...

    async def restore(self, partition: int, saved: Any) -> None: ...


async def opened(store: Store, partition: int = 0) -> Slot:
    """A slot under token 1."""
    slot = store.slot(partition)
    await slot.create(4, {"clickstream": 0, "triggers": 7})
    await slot.acquire(token(1))
    return slot


async def everything(slot: Slot) -> tuple[Any, ...]:
    """All that can be seen of a slot."""
    customers = sorted([item async for item in slot.customers()])
    return (
        await slot.meta(),
        customers,
        await slot.outbox_size(),
        await slot.timers_pending(),
        await slot.records(),
    )


class StoreContract:
    """The suite."""

    # -- a slot's life

    async def test_a_new_slot_holds_where_to_begin(self, store: Store) -> None:
        slot = await opened(store)
        found = await slot.open(token(1))
        expected = MADE | {"seq": b"0", "next:clickstream": b"0", "next:triggers": b"7"}
        assert found == Opened(expected, [])
        assert await slot.meta() == expected | {"token": token(1)}

    async def test_a_slot_that_was_removed_is_missing_until_it_is_made_again(self, store: Store) -> None:
        slot = await opened(store)
        await slot.commit(turn(1, customers=[(b"ann", b"1")], wake=[(b"ann", 5.0)], outbox=[(b"id", b"x")]))
        await slot.remove()
        await slot.remove()
        assert await everything(slot) == ({}, [], 0, 0, [])
        with pytest.raises(Missing):
            await slot.commit(turn(2))
        await slot.create(4, {"clickstream": 0})
        with pytest.raises(Refused):
            await slot.commit(turn(2))

    async def test_create_never_overwrites(self, store: Store) -> None:
        slot = await opened(store)
        before = await everything(slot)
        with pytest.raises(Exists, match="partition 0"):
            await slot.create(4, {})
        assert await everything(slot) == before

    async def test_a_slot_says_which_facts_it_was_made_for(self, store: Store) -> None:
        kept = {number: frozenset(names) for number, names in enumerate(((), ("likes", "windows")))}
        for number, names in kept.items():
            await store.slot(number).create(4, {}, names)
        told = [(await store.slot(number).meta())["facts"] for number in kept]
        assert told == [b"none", b"windows,likes"]

    async def test_nothing_begins_by_itself(self, store: Store) -> None:
        slot = store.slot(3)
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: slot.acquire(token(1)),
            lambda: slot.open(token(1)),
            lambda: slot.load((token(1), token(1)), [b"ann"]),
            lambda: slot.commit(turn(1)),
        ]
        for call in calls:
            with pytest.raises(Missing, match="partition 3"):
                await call()
        assert await slot.meta() == {}
        assert await slot.customer(b"ann") is None
        assert await everything(slot) == ({}, [], 0, 0, [])
        await slot.trim([b"id"])

    async def test_partitions_do_not_touch(self, store: Store) -> None:
        one, two = await opened(store, 1), await opened(store, 2)
        before = await everything(two)
        changes = {"customers": [(b"ann", b"1")], "outbox": [(b"i", b"e")], "wake": [(b"ann", 5.0)]}
        await one.commit(turn(1, **changes))
        assert await everything(two) == before
        assert await store.slot(1).customer(b"ann") == b"1"

    # -- tokens

    async def test_a_stranger_is_refused_and_changes_nothing(self, store: Store) -> None:
        slot = await opened(store)
        await slot.commit(turn(1, customers=[(b"ann", b"1")]))
        before = await everything(slot)
        for stale in (token(1), token(99), b""):
            with pytest.raises(Refused, match="partition 0"):
                await slot.open(stale)
            with pytest.raises(Refused):
                await slot.load((stale, stale), [b"ann"])
            with pytest.raises(Refused):
                await slot.commit(turn(1, token=stale, new_token=token(50), customers=[(b"ann", b"2")]))
        assert await everything(slot) == before

    async def test_before_the_first_acquire_no_token_fits(self, store: Store) -> None:
        slot = store.slot(0)
        await slot.create(4, {})
        with pytest.raises(Refused):
            await slot.open(b"")
        with pytest.raises(Refused):
            await slot.load((b"", b""), [])
        with pytest.raises(Refused):
            await slot.commit(turn(1, token=b""))

    async def test_a_zombie_cannot_read_what_came_after_it(self, store: Store) -> None:
        slot = await opened(store)
        await slot.commit(turn(1, customers=[(b"ann", b"old")]))
        await slot.acquire(token(10))
        await slot.commit(turn(10, customers=[(b"ann", b"new")]))
        with pytest.raises(Refused):
            await slot.load((token(2), token(3)), [b"ann"])
        with pytest.raises(Refused):
            await slot.commit(turn(2, customers=[(b"ann", b"worse")]))
        assert await slot.customer(b"ann") == b"new"

    async def test_an_acquire_that_comes_late_is_refused(self, store: Store) -> None:
        slot = await opened(store)
        await slot.take(token(10), token(1))
        await slot.take(token(10), token(1))  # its reply was lost
        assert await slot.held() == token(10)
        await slot.commit(turn(10, customers=[(b"ann", b"1")]))
        before = await everything(slot)
        with pytest.raises(Refused, match="partition 0"):
            await slot.take(token(10), token(1))
        assert await everything(slot) == before
        assert await slot.records() == [b"A" + token(1), b"A" + token(1) + token(10), b"turn 10"]

    async def test_load_takes_the_token_before_and_after_a_commit_in_flight(self, store: Store) -> None:
        slot = await opened(store)
        both = (token(1), token(2))
        assert await slot.load(both, [b"ann"]) == [None]
        await slot.commit(turn(1, customers=[(b"ann", b"1")]))
        assert await slot.load(both, [b"ann", b"bob", b"ann"]) == [b"1", None, b"1"]
        assert await slot.load((token(2), token(2)), []) == []
        await slot.commit(turn(2))
        with pytest.raises(Refused):
            await slot.load(both, [b"ann"])

    async def test_acquire_twice_is_acquire_once(self, store: Store) -> None:
        slot = await opened(store)
        before = await everything(slot)
        await slot.acquire(token(1))
        assert await everything(slot) == before

    async def test_a_commit_whose_answer_was_lost_is_answered_again(self, store: Store) -> None:
        slot = await opened(store)
        commit = turn(1, until=9.0, customers=[(b"ann", b"1")], wake=[(b"ann", 8.5)], outbox=[(b"i", b"e")])
        first = await slot.commit(commit)
        before = await everything(slot)
        assert await slot.commit(commit) == first == Committed(8.5, [b"ann"])
        assert await everything(slot) == before
        await slot.commit(turn(2))
        with pytest.raises(Refused):
            await slot.commit(commit)

    async def test_a_store_that_went_back_in_time_refuses(self, store: Store, machine: Machine) -> None:
        slot = await opened(store)
        await slot.commit(turn(1, customers=[(b"ann", b"1")], meta={"next:clickstream": b"5"}))
        then = await everything(slot)
        saved = await machine.save(0)
        await slot.commit(turn(2, customers=[(b"ann", b"2")], meta={"next:clickstream": b"9"}, wake=[(b"ann", 1.0)]))
        await slot.acquire(token(20))
        await slot.commit(turn(20, outbox=[(b"i", b"e")]))
        await machine.restore(0, saved)
        assert await everything(slot) == then
        for stale in (20, 21, 3):
            with pytest.raises(Refused):
                await slot.commit(turn(stale))
            with pytest.raises(Refused):
                await slot.load((token(stale), token(stale + 50)), [b"ann"])
        await slot.acquire(token(30))
        assert (await slot.open(token(30))).meta["next:clickstream"] == b"5"
        assert (await slot.records())[-1] == b"A" + token(2) + token(30)

    # -- one commit

    async def test_all_of_a_commit_is_there(self, store: Store) -> None:
        slot = await opened(store)
        meta = {"seq": b"1", "next:clickstream": b"17", "count:applied:clickstream": b"17"}
        answer = await slot.commit(
            turn(
                1,
                meta=meta,
                customers=[(b"ann", b"{}"), (b"bob", b"[]")],
                wake=[(b"ann", 12.25), (b"bob", 3.5)],
                outbox=[(b"i1", b"one"), (b"i2", b"two")],
                until=5.0,
            )
        )
        assert answer == Committed(3.5, [b"bob"])
        found = await slot.open(token(2))
        assert found.meta == MADE | {"next:triggers": b"7"} | meta
        assert sorted(found.outbox) == [(b"i1", b"one"), (b"i2", b"two")]
        assert await slot.load((token(2), token(2)), [b"bob", b"ann", b"cat"]) == [b"[]", b"{}", None]
        assert [await slot.outbox_size(), await slot.timers_pending()] == [2, 2]

    async def test_the_later_word_holds(self, store: Store) -> None:
        slot = await opened(store)
        answer = await slot.commit(
            turn(
                1,
                customers=[(b"ann", b"1"), (b"ann", b"2")],
                wake=[(b"ann", 1.0), (b"ann", 2.0), (b"bob", 1.0)],
                sleep=[b"bob", b"nobody"],
                outbox=[(b"i", b"1"), (b"j", b"1"), (b"i", b"2")],
                left=[b"j", b"nothing"],
            )
        )
        assert answer == Committed(2.0, [])
        assert await slot.customer(b"ann") == b"2"
        assert (await slot.open(token(2))).outbox == [(b"i", b"2")]

    async def test_twenty_thousand_customers_in_one_commit(self, store: Store) -> None:
        slot = await opened(store)
        names = [b"customer %d" % n for n in range(20_000)]
        answer = await slot.commit(
            turn(
                1,
                customers=[(name, name * 2) for name in names],
                wake=[(name, float(n)) for n, name in enumerate(names)],
                outbox=[(name, b"entry") for name in names],
            )
        )
        assert answer.next_due == 0.0
        assert await slot.load((token(2), token(2)), names) == [name * 2 for name in names]
        assert len({item async for item in slot.customers()}) == 20_000
        await slot.trim(names[:9_001])
        await slot.commit(turn(2, sleep=names[:12_003], left=names[9_001:18_000]))
        assert [await slot.outbox_size(), await slot.timers_pending()] == [2_000, 7_997]

    async def test_odd_bytes_are_only_bytes(self, store: Store) -> None:
        slot = await opened(store)
        pairs = [(name, bytes(reversed(name))) for name in ODD]
        answer = await slot.commit(
            turn(1, customers=pairs, wake=[(name, 1.0) for name in ODD], outbox=pairs, until=1.0)
        )
        assert answer == Committed(1.0, sorted(ODD))
        assert await slot.load((token(2), token(2)), ODD) == [value for _, value in pairs]
        assert sorted([item async for item in slot.customers()]) == sorted(pairs)
        assert sorted((await slot.open(token(2))).outbox) == sorted(pairs)
        await slot.trim(ODD)
        await slot.commit(turn(2, sleep=ODD))
        assert [await slot.outbox_size(), await slot.timers_pending()] == [0, 0]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"wake": [(b"bob", float("nan"))]},
            {"wake": [(b"bob", 1.0), (b"bob", float("inf"))]},
            {"until": float("nan")},
            {"keep": -1},
            {"new_token": b"short"},
        ],
        ids=str,
    )
    async def test_a_badly_formed_commit_writes_nothing(self, store: Store, wrong: dict[str, Any]) -> None:
        slot = await opened(store)
        before = await everything(slot)
        good: dict[str, Any] = {"customers": [(b"ann", b"1")], "meta": {"seq": b"1"}, "outbox": [(b"i", b"e")]}
        with pytest.raises(ValueError, match="wanted"):
            await slot.commit(turn(1, **(good | wrong)))
        assert await everything(slot) == before
        await slot.commit(turn(1, **good))

    async def test_a_token_has_sixteen_bytes(self, store: Store) -> None:
        slot = await opened(store)
        with pytest.raises(ValueError, match="16 bytes"):
            await slot.acquire(b"short")
        assert (await slot.meta())["token"] == token(1)

    # -- timers

    async def test_due_comes_earliest_first_then_by_id(self, store: Store) -> None:
        slot = await opened(store)
        wake = [(b"c", 3.0), (b"b", 1.5), (b"a", 1.5), (b"d", -2.0), (b"e", 3.0000001)]
        answer = await slot.commit(turn(1, wake=wake, until=3.0))
        assert answer == Committed(-2.0, [b"d", b"a", b"b", b"c"])
        answer = await slot.commit(turn(2, sleep=[b"d", b"a"], wake=[(b"b", 9.0)], until=2.0))
        assert answer == Committed(3.0, [])
        answer = await slot.commit(turn(3, sleep=[b"b", b"c", b"e"], until=100.0))
        assert answer == Committed(None, [])

    async def test_no_more_than_the_limit_are_due_at_once(self, store: Store) -> None:
        slot = await opened(store)
        wake = [(b"%06d" % n, float(n)) for n in range(DUE_AT_MOST + 5)]
        answer = await slot.commit(turn(1, wake=wake, until=1e12))
        assert answer.due == [name for name, _ in wake[:DUE_AT_MOST]]
        answer = await slot.commit(turn(2, sleep=answer.due, until=1e12))
        assert answer == Committed(float(DUE_AT_MOST), [name for name, _ in wake[DUE_AT_MOST:]])

    @pytest.mark.parametrize("when", [0.1 + 0.2, 1_754_000_000.123_456_7, 1e-300, 1.7976931348623157e308, -0.0, 5e-324])
    async def test_times_are_kept_exactly(self, store: Store, when: float) -> None:
        slot = await opened(store)
        assert await slot.commit(turn(1, wake=[(b"ann", when)], until=when)) == Committed(when, [b"ann"])

    # -- outbox

    async def test_trim_takes_out_and_may_be_repeated(self, store: Store) -> None:
        slot = await opened(store)
        await slot.commit(turn(1, outbox=[(b"i1", b"one"), (b"i2", b"two"), (b"i3", b"three")]))
        await slot.trim([b"i1", b"i3"])
        await slot.trim([b"i1", b"unknown", b"i3"])
        await slot.trim([])
        assert await slot.outbox_size() == 1
        assert (await slot.open(token(2))).outbox == [(b"i2", b"two")]

    # -- turn records

    async def test_records_chain_across_acquires(self, store: Store) -> None:
        slot = await opened(store)
        await slot.commit(turn(1))
        await slot.acquire(token(10))
        await slot.commit(turn(10))
        assert await slot.records() == [
            b"A" + token(1),
            b"turn 1",
            b"A" + token(2) + token(10),
            b"turn 10",
        ]

    async def test_records_are_kept_as_many_as_the_commit_says(self, store: Store) -> None:
        slot = await opened(store)
        for n in range(1, 11):
            await slot.commit(turn(n))
        assert len(await slot.records()) == 11
        await slot.commit(turn(11, keep=4))
        assert await slot.records() == [b"turn 8", b"turn 9", b"turn 10", b"turn 11"]
        await slot.commit(turn(12, keep=4))
        await slot.acquire(token(20))
        await slot.commit(turn(20, keep=2))
        assert await slot.records() == [b"A" + token(13) + token(20), b"turn 20"]
        await slot.commit(turn(21, keep=100))
        assert len(await slot.records()) == 3

    # -- playbooks

    async def test_playbooks_are_kept_by_version(self, store: Store) -> None:
        assert await store.current() is None
        assert await store.playbook("v1") is None
        await store.publish("v1", b"plays: []")
        await store.publish("v2", b"\xff")
        assert [await store.current(), await store.playbook("v1")] == ["v2", b"plays: []"]
        await store.publish("v1", b"plays: []")
        assert [await store.current(), await store.playbook("v2")] == ["v1", b"\xff"]

    async def test_prepare_may_be_repeated(self, store: Store) -> None:
        slot = await opened(store)
        await store.prepare()
        await slot.commit(turn(1))
