"""A partition over a broker and a store in memory: what the protocol promises, rule by rule."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError, ProducerFenced

from processors.turn import OfCustomer, Turn, by_customer
from schemas.customer import FORMAT
from schemas.families import ALL, Kept, write_families
from schemas.topics import CART, CLICKSTREAM, PARTS, POS, TRIGGERS
from schemas.turn import Message, decode_turn, encode_message
from streams.engine import turn
from streams.engine.fetch import Fetch
from streams.engine.inbox import Inbox
from streams.state.memory import MemorySlot
from streams.state.store import Commit, Refused
from tests.streams.engine.twin import Rig, Row, TallyFold, each

A, B = (b"ann", b"x"), (b"bob", b"x")


@pytest.fixture
async def rig() -> AsyncIterator[Callable[..., Any]]:
    rigs: list[Rig] = []

    async def make(**given: Any) -> Rig:
        rigs.append(Rig(**given))
        await rigs[-1].create()
        return rigs[-1]

    yield make
    for made in rigs:
        made.stop()


async def test_what_comes_is_folded_and_what_is_decided_leaves_once(rig: Callable[..., Any]) -> None:
    r = await rig()
    r.serve()
    r.broker.append(CLICKSTREAM, A, A, B)
    r.broker.append(CART, A, A)
    await r.run(0.2)
    assert (await r.customer(b"ann")).n == 4
    assert r.broker.visible() == ["ann-2", "ann-4"]
    meta = await r.store.slot(0).meta()
    assert (meta["next:clickstream"], meta["next:cart"]) == (b"3", b"2")
    assert meta["count:applied:clickstream"] == b"3"
    assert await r.store.slot(0).outbox_size() == 0


async def test_the_next_worker_goes_on_where_the_state_says(rig: Callable[..., Any]) -> None:
    r = await rig()
    first = r.serve()
    r.broker.append(CLICKSTREAM, A, A, A)
    await r.run(0.1)
    first.stop()
    r.broker.append(CLICKSTREAM, A)
    r.serve()
    await r.run(0.1)
    assert (await r.customer(b"ann")).n == 4
    assert r.broker.visible() == ["ann-2", "ann-4"]


async def test_a_zombie_is_refused_and_its_producer_fenced(rig: Callable[..., Any]) -> None:
    r = await rig()
    r.serve()
    await r.run(0.05)
    r.serve()  # takes over; the first does not know
    await r.run(0.05)
    r.broker.append(CLICKSTREAM, A, A)
    await r.run(0.1)
    assert (await r.customer(b"ann")).n == 2
    assert r.broker.visible() == ["ann-2"]
    assert any(isinstance(why, (Refused, ProducerFenced)) for why in r.notes.ends)


async def test_a_lost_answer_of_kafka_sends_nothing_twice(rig: Callable[..., Any]) -> None:
    r = await rig()
    r.serve()
    await r.run(0.05)
    r.outlets[-1].fail, r.outlets[-1].late = KafkaTimeoutError(), True
    r.broker.append(CLICKSTREAM, A, A)
    await r.run(0.5)
    assert r.broker.visible() == ["ann-2"]
    assert await r.store.slot(0).outbox_size() == 0
    assert len(r.notes.began_steps) >= 2


async def test_what_never_reached_kafka_is_sent_by_the_next_term(rig: Callable[..., Any]) -> None:
    r = await rig()
    r.serve()
    await r.run(0.05)
    r.outlets[-1].fail = KafkaTimeoutError()
    r.broker.append(CLICKSTREAM, A, A)
    await r.run(0.5)
    assert r.broker.visible() == ["ann-2"]
    assert await r.store.slot(0).outbox_size() == 0


async def test_a_rewound_state_sends_no_id_again_and_judges_what_waits(rig: Callable[..., Any]) -> None:
    r = await rig(fold=TallyFold(most=1))
    first = r.serve()
    r.broker.append(CLICKSTREAM, A)
    await r.run(0.1)
    snapshot = r.store.slot(0).snapshot()
    r.broker.append(CLICKSTREAM, A)
    await r.run(0.1)
    assert r.broker.visible() == ["ann-2"]
    r.store.slot(0).restore(
        snapshot
    )  # the store loses its last writes: the trigger is in Kafka, the state knows nothing
    r.broker.append(CLICKSTREAM, A, A)
    await r.run(1.0)
    assert (await r.customer(b"ann")).n == 4
    assert r.broker.visible() == ["ann-2"]
    assert first.ready


async def test_a_waiting_trigger_that_now_breaks_a_cap_is_revoked(rig: Callable[..., Any]) -> None:
    r = await rig(fold=TallyFold(most=1))
    r.broker.append(TRIGGERS, (b"ann", b'{"id": "ann-of-a-lost-history"}'))
    slot = r.store.slot(0)
    await _put_waiting(slot)
    r.serve()
    await r.run(0.2)
    assert r.broker.visible() == ["ann-of-a-lost-history"]
    assert await slot.outbox_size() == 0
    judged = [decode_turn(record).judged for record in await slot.records() if record and record[:1] != b"A"]
    assert [b"ann-9"] in judged


async def _put_waiting(slot: Any) -> None:
    """A trigger that was decided and has not left."""
    token, after = b"t" * 16, b"u" * 16
    await slot.acquire(token)
    entry = encode_message(Message(TRIGGERS, b"ann", b'{"id": "ann-9"}', [], 0.0, 1))
    customer = b'{"n": 9, "sent": ["ann-9"]}'
    await slot.commit(Commit(token, after, 0.0, b"", 0, customers=[(b"ann", customer)], outbox=[(b"ann-9", entry)]))


async def test_an_answered_trim_that_is_lost_sends_nothing_twice(
    rig: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: Any) -> None:
        """The store says yes, and loses this one write: no token tells."""

    monkeypatch.setattr(MemorySlot, "trim", lost)
    r = await rig()
    first = r.serve()
    r.broker.append(CLICKSTREAM, A, A, (b"bob", b"poison"))
    await r.run(0.9)
    assert await r.store.slot(0).outbox_size() == 0
    first.stop()
    r.serve()
    await r.run(0.1)
    assert r.broker.visible() == ["ann-2"]
    assert len(r.broker.dead) == 1


async def test_the_drain_gathers_triggers_only(rig: Callable[..., Any]) -> None:
    r = await rig(fold=TallyFold(most=1))
    r.broker.append(TRIGGERS, (b"ann", b'{"id": "ann-of-a-lost-history"}'))
    r.broker.append(CLICKSTREAM, A, A)
    worker = r.serve()
    await asyncio.sleep(0.05)  # it waits for `triggers`; an earlier term had asked for these
    worker.put(CLICKSTREAM, Fetch(r.broker.logs[CLICKSTREAM], 0, 2, 1000.0, 2))
    worker.put(CLICKSTREAM, Fetch([], 5, 6, 1000.0, 6))
    await asyncio.sleep(0.05)
    assert (await r.store.slot(0).meta())["next:clickstream"] == b"0"
    assert r.served[0][1].resumed == {TRIGGERS}
    await r.run(0.2)
    assert (await r.customer(b"ann")).n == 2
    assert r.broker.visible() == ["ann-of-a-lost-history"]


async def test_no_customer_leaves_the_cache_before_its_commit_is_known(rig: Callable[..., Any]) -> None:
    r = await rig(cache_customers=0, turn_records=1)
    r.serve()
    await r.run(0.05)
    for topic in (CLICKSTREAM, CART, POS):  # three turns, one after the other
        r.broker.append(topic, A)
    await r.run(0.1)
    assert (await r.customer(b"ann")).n == 3


async def test_an_idle_term_sees_that_the_store_went_back(
    rig: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "PROOF", 0.05)
    r = await rig()
    r.serve()
    await r.run(0.05)
    before = r.store.slot(0).snapshot()
    r.broker.append(CLICKSTREAM, A)
    await r.run(0.05)
    r.store.slot(0).restore(before)
    await r.run(0.6)
    assert (await r.customer(b"ann")).n == 1


async def test_a_revoked_partition_stops_whatever_happens_just_then(rig: Callable[..., Any]) -> None:
    for steps in range(6):
        r = await rig()
        worker = r.serve()
        r.broker.append(CART, (b"ann", b"timer 99999.0"))  # a wait with a limit
        await r.run(0.05)
        worker.put(POS, Fetch([], 0, 1, 1000.0, 1))
        for _ in range(steps):
            await asyncio.sleep(0)
        worker.stop()
        await asyncio.sleep(0.05)
        assert worker.task.cancelled(), f"after {steps} steps"


async def test_a_lost_fetch_is_fetched_again(rig: Callable[..., Any]) -> None:
    r = await rig()
    _, reader = r.serve(), r.served[-1][1]
    await r.run(0.05)
    reader.lose = 1
    r.broker.append(POS, A)
    await r.run(0.03)
    r.broker.append(POS, A, B)
    await r.run(0.2)
    assert (await r.customer(b"ann")).n == 2


async def test_a_gap_seen_while_a_term_ends_does_no_harm(
    rig: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    r = await rig()
    first = r.serve()
    await r.run(0.05)
    r.broker.append(CLICKSTREAM, A, A, A)
    loop, come = asyncio.get_running_loop(), asyncio.Event()

    def put() -> None:
        assert first.term is not None
        first.put(CLICKSTREAM, Fetch([], 7, 8))
        come.set()

    async def send(_: object) -> None:
        loop.call_soon(loop.call_soon, put)  # when the others have been cancelled and have not noticed yet
        raise KafkaTimeoutError

    monkeypatch.setattr(r.outlets[-1], "send", send)
    await r.run(0.05)
    assert come.is_set()
    await r.run(0.3)
    assert r.broker.visible() == ["ann-2"]


async def test_a_timer_fires_only_when_every_log_is_read_up_to_it(rig: Callable[..., Any]) -> None:
    r = await rig()
    r.serve()
    r.broker.append(CART, (b"ann", b"timer 1001.0"))
    await r.run(0.3)
    assert r.broker.visible() == []
    r.served[0][1].resumed.discard(POS)  # one log is not read any more
    await r.run(1.5)
    assert r.broker.now > 1001.5
    assert r.broker.visible() == []
    r.served[0][1].resumed.add(POS)
    await r.run(0.2)
    assert r.broker.visible() == ["ann-at-1001.0"]


async def test_turn_records_chain_and_their_ranges_have_no_gap(rig: Callable[..., Any]) -> None:
    r = await rig()
    for _ in range(4):
        worker = r.serve()
        r.broker.append(CLICKSTREAM, A, B, A)
        r.broker.append(POS, B)
        await r.run(0.1)
        worker.stop()
    worker = r.serve()
    await r.run(0.7)  # positions that moved alone are committed after half a second
    token, at = b"", dict.fromkeys((CLICKSTREAM, POS), 0)
    for blob in await r.store.slot(0).records():
        if blob[:1] == b"A":
            assert blob[1:-16] == token
            token = blob[-16:]
            continue
        record = decode_turn(blob)
        assert record.before == token
        token = record.after
        for topic, (start, end) in record.ranges.items():
            assert start == at.get(topic, start)
            at[topic] = end
    assert token == (await r.store.slot(0).meta())["token"]
    assert at == {CLICKSTREAM: 12, POS: 4, TRIGGERS: len(r.broker.visible())}


async def test_faulty_records_become_dead_letters_with_their_place(rig: Callable[..., Any]) -> None:
    r = await rig()
    r.serve()
    r.broker.append(CLICKSTREAM, A, (b"ann", b"poison"), A)
    await r.run(0.1)
    (letter,) = r.broker.dead
    assert dict(letter.headers)["place"] == b"clickstream/0/1"
    assert (letter.value, dict(letter.headers)["reason"]) == (b"poison", b"invalid")
    assert (await r.store.slot(0).meta())["count:dead_lettered:clickstream"] == b"1"
    assert (await r.customer(b"ann")).n == 2


@pytest.mark.parametrize(("percent", "halts"), [(5.0, True), (100.0, False)])
async def test_a_poison_storm_halts_and_commits_nothing_of_it(
    rig: Callable[..., Any], percent: float, halts: bool
) -> None:
    r = await rig(poison_percent=percent)
    partition = r.serve()
    await r.run(0.05)
    r.broker.append(CLICKSTREAM, *[(b"ann", b"poison")] * 100, *[A] * 500)
    await r.run(0.2)
    assert bool(partition.halted) == halts
    assert (await r.customer(b"ann")).n == (0 if halts else 500)
    if halts:
        assert "100 of 600 records are invalid" in r.notes.halts[0]
        assert "KAIROS_POISON_PERCENT" in r.notes.halts[0]


async def test_it_halts_rather_than_guess(rig: Callable[..., Any]) -> None:
    empty = Rig()
    empty.serve()
    await empty.run(0.05)
    assert "kairos init" in empty.notes.halts[0]
    empty.stop()

    short = await rig()
    short.broker.append(CLICKSTREAM, A, A)
    worker = short.serve()
    await short.run(0.1)
    worker.stop()
    short.broker.logs[CLICKSTREAM].clear()  # made anew
    short.serve()
    await short.run(0.05)
    assert "goes on at 2, the log holds 0 to 0" in short.notes.halts[0]

    gap = await rig()
    gap.broker.append(CLICKSTREAM, A, A)
    gap.broker.first[CLICKSTREAM] = 1
    gap.serve()
    await gap.run(0.05)
    assert "goes on at 0, the log holds 1 to 2" in gap.notes.halts[0]


async def test_a_bug_ends_the_task(rig: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    r = await rig()
    monkeypatch.setattr(TallyFold, "absorb", lambda *_: 1 / 0)
    partition = r.serve()
    r.broker.append(CLICKSTREAM, A)
    await r.run(0.1)
    assert partition.task.done()
    with pytest.raises(BaseExceptionGroup):
        partition.task.result()


async def test_a_small_cache_never_forgets_a_customer_whose_commit_is_under_way(rig: Callable[..., Any]) -> None:
    """The settled commit before made room by evicting them; the next load was older than the commit in flight."""
    r = await rig(turn_records=1, cache_customers=1)
    r.serve()
    for _ in range(10):
        r.broker.append(CLICKSTREAM, A)
        r.broker.append(CART, B)
        r.broker.append(POS, A, B)
        await r.run(0.02)
    await r.run(0.2)
    assert [(await r.customer(key)).n for key in (b"ann", b"bob")] == [20, 20]


async def test_a_state_that_vanishes_under_a_term_halts_its_partition(rig: Callable[..., Any]) -> None:
    r = await rig()
    partition = r.serve()
    r.broker.append(CLICKSTREAM, A)
    await r.run(0.1)
    r.store.slot(0).restore(None)
    r.broker.append(CLICKSTREAM, B)
    await r.run(0.1)
    assert not partition.task.done()
    assert "wanted a state in Redis, found none" in partition.halted
    assert r.notes.halts == [partition.halted]


@pytest.mark.parametrize(
    ("made", "wanted", "halts"),
    [
        (None, ALL, ""),
        (b"none", frozenset(), ""),
        (b"likes", ALL, "got likes"),
        (None, {"likes"}, "got windows,timeline,habits,likes,viewed"),
        (b"likes,wishes", {"likes"}, "got likes,wishes"),
    ],
)
async def test_a_state_with_other_facts_halts_its_partition(
    rig: Callable[..., Any], made: bytes | None, wanted: Kept, halts: str
) -> None:
    """None: from before there was a choice."""
    r = await rig(facts=write_families(wanted))
    content = r.store.slot(0).snapshot()
    content.meta.pop("facts")
    content.meta |= {"facts": made} if made else {}
    r.store.slot(0).restore(content)
    partition = r.serve()
    r.broker.append(CLICKSTREAM, A)
    await r.run(0.1)
    assert (await r.store.slot(0).customer(b"ann") is None) == bool(halts)
    if halts:
        assert f"wanted customers with the facts {write_families(wanted)} (KAIROS_FACTS), {halts}:" in partition.halted
        assert "`kairos rebuild`" in partition.halted
    else:
        assert not partition.halted


@pytest.mark.parametrize(("format", "got"), [(None, "1"), (b"1", "1"), (b"%d" % (FORMAT + 1), str(FORMAT + 1))])
async def test_what_another_version_kept_halts_its_partition(
    rig: Callable[..., Any], format: bytes | None, got: str
) -> None:
    r = await rig()
    content = r.store.slot(0).snapshot()
    del content.meta["format"]
    content.meta |= {"format": format} if format else {}
    r.store.slot(0).restore(content)
    partition = r.serve()
    r.broker.append(CLICKSTREAM, A)
    await r.run(0.1)
    assert f"wanted customers in format {FORMAT}, got {got}" in partition.halted
    assert "`kairos rebuild`" in partition.halted
    assert await r.store.slot(0).customer(b"ann") is None


async def test_of_a_topic_that_is_new_a_state_has_read_nothing(rig: Callable[..., Any]) -> None:
    r = await rig()
    first = r.serve()
    r.broker.append(CLICKSTREAM, A)
    await r.run(0.1)
    first.stop()
    content = r.store.slot(0).snapshot()
    del content.meta[f"next:{PARTS}"]
    r.store.slot(0).restore(content)
    r.broker.append(PARTS, A, B)
    r.serve()
    await r.run(0.1)
    assert [(await r.customer(key)).n for key in (b"ann", b"bob")] == [2, 1]
    assert (await r.store.slot(0).meta())[f"next:{PARTS}"] == b"2"


async def test_of_a_topic_that_is_new_the_beginning_must_be_there(rig: Callable[..., Any]) -> None:
    r = await rig()
    content = r.store.slot(0).snapshot()
    del content.meta[f"next:{PARTS}"]
    r.store.slot(0).restore(content)
    r.broker.append(PARTS, A, B)
    r.broker.first[PARTS] = 1
    partition = r.serve()
    await r.run(0.1)
    assert "parts-0: the state goes on at 0, the log holds 1 to 2" in partition.halted


def test_a_turn_takes_each_customers_records_together_however_they_were_fetched() -> None:
    inbox = Inbox(0, {CLICKSTREAM: 0, CART: 0}, {})
    rows = [Row(offset, key, b"1", 0) for offset, key in enumerate((b"ann", b"bob", b"ann"))]
    inbox.put(CLICKSTREAM, Fetch(rows[:1], 0, 1))
    inbox.put(CART, Fetch(rows[:2], 0, 2))
    inbox.put(CLICKSTREAM, Fetch(rows[1:], 1, 3))
    ann, bob, _ = rows
    wanted = {b"ann": {CLICKSTREAM: [ann, rows[2]], CART: [ann]}, b"bob": {CLICKSTREAM: [bob], CART: [bob]}}
    assert by_customer((topic, fetch.records) for topic, fetch in inbox.take(10)) == wanted


class ErasingFold(TallyFold):
    """A record `erase` erases its customer."""

    def absorb(self, turn: Turn[Any], key: bytes, records: OfCustomer) -> None:
        for topic, record in each(records):
            if record.value == b"erase":
                turn.erased.append(key)
                turn.changed.add(key)
            else:
                super().absorb(turn, key, {topic: [record]})

    def judge(self, turn: Turn[Any], pending: Sequence[tuple[str, bytes]]) -> None:
        turn.revoked += [id for id, key in pending if key in turn.erased]


async def test_an_erasure_takes_back_what_waits_and_not_what_is_on_its_way(rig: Callable[..., Any]) -> None:
    r = await rig(fold=ErasingFold())
    r.serve()
    await r.run(0.05)
    outlet, open = r.outlets[-1], asyncio.Event()
    send = outlet.send

    async def slow(leaving: Any) -> Any:
        batch = type(leaving)([leaving.popleft()])
        await open.wait()
        return await send(batch)

    outlet.send = slow
    r.broker.append(CLICKSTREAM, A, A)
    await r.run(0.1)
    r.broker.append(CLICKSTREAM, A, A, B, B)
    await r.run(0.1)
    r.broker.append(CLICKSTREAM, (b"ann", b"erase"))
    await r.run(0.1)
    open.set()
    await r.run(0.3)
    assert r.broker.visible() == ["ann-2", "bob-2"]
    slot = r.store.slot(0)
    assert await slot.outbox_size() == 0
    judged = [decode_turn(record).judged for record in await slot.records() if record and record[:1] != b"A"]
    assert [b"ann-4"] in judged


async def test_an_erasure_takes_back_what_is_still_being_committed(rig: Callable[..., Any]) -> None:
    r = await rig(fold=ErasingFold(), turn_records=2)
    r.serve()
    await r.run(0.05)
    r.broker.append(CLICKSTREAM, A, A)
    r.broker.append(POS, (b"ann", b"erase"))  # the next turn's: gathered while the commit is on its way
    await r.run(0.3)
    assert (await r.customer(b"ann")).sent == ["ann-2"]
    assert r.broker.visible() == [] and await r.store.slot(0).outbox_size() == 0
