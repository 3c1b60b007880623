"""The collector's producer, where Kafka's client lets it down, and what it sends."""

import asyncio
import io
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.produce import ProduceRequest, ProduceResponse_v7
from aiokafka.record.memory_records import MemoryRecords

from schemas.topics import CART, CLICKSTREAM, DEAD_LETTERS
from streams.collector import line, producer
from streams.collector.round import NotTaken, Round
from streams.kafka import Place
from streams.metrics import COLLECTOR, Metrics
from streams.settings import read_settings
from streams.vault.cipher import Pen, new_key

NAMES = {topic: f"x.{topic}" for topic in (CLICKSTREAM, CART, DEAD_LETTERS)}


class Stuck:
    """A client of aiokafka that never ends: seen after two of three brokers were killed."""

    def __init__(self) -> None:
        self.asked = 0

    async def close(self) -> None:
        self.asked += 1
        await asyncio.sleep(3600)


async def test_a_connection_that_never_closes_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "CLOSE_SECONDS", 0.05)
    stuck: Any = Stuck()
    lost = producer.Producer(read_settings(), Metrics(COLLECTOR))
    await asyncio.wait_for(lost._disconnect(line.Line(stuck, None, 1_000)), 5)
    assert stuck.asked


class Broker:
    """A client that answers as told, one answer a request: an exception, or error codes of places (all others 0)."""

    def __init__(self, *answers: Exception | dict[Place, int]) -> None:
        self.answers = list(answers)
        self.seen: list[dict[Place, Any]] = []
        self.cluster = self

    def leader_for_partition(self, place: Any) -> int:
        return 1

    async def force_metadata_update(self) -> None:
        pass

    async def send(self, node: int, request: ProduceRequest) -> Any:
        found = type(sent := request.prepare({0: (0, 7)})).decode(io.BytesIO(sent.encode()))
        assert (found.transactional_id, found.required_acks, found.timeout) == (None, -1, 1_000)
        batches = {(topic, number): MemoryRecords(data) for topic, some in found.topics for number, data in some}
        self.seen.append({place: records.next_batch() for place, records in batches.items()})
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        codes = dict.fromkeys(batches, 0) | answer
        return ProduceResponse_v7([(topic, [(number, code, 0, 0, 0)]) for (topic, number), code in codes.items()], 0)


def full(waiter: Any, *records: tuple[str, bytes, bytes], letters: Any = (), pens: Any = None) -> Round:
    round = Round(NAMES, 1)
    round.add(records, letters, pens, waiter)
    return round


def open_line(monkeypatch: pytest.MonkeyPatch, broker: Any) -> line.Line:
    monkeypatch.setattr(line, "BACKOFF_SECONDS", 0.0)
    return line.Line(broker, (77, 3), 1_000)


async def test_a_round_is_one_request_of_valid_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    waiter = asyncio.get_running_loop().create_future()
    broker, headers = Broker(), [("reason", b"invalid")]
    round = full(waiter, (CART, b"ann", b"1"), (CART, b"ann", b"2"), letters=[(None, b"bad", headers)])
    assert await open_line(monkeypatch, broker).send(round) == {}
    (seen,) = broker.seen
    (cart,) = [batch for (topic, _), batch in seen.items() if topic == "x.cart"]
    (letters,) = [batch for (topic, _), batch in seen.items() if topic == "x.dead-letters"]
    assert cart.validate_crc() and (cart.producer_id, cart.producer_epoch, cart.base_sequence) == (77, 3, 0)
    assert [(r.offset, r.key, r.value) for r in cart] == [(0, b"ann", b"1"), (1, b"ann", b"2")]
    assert [(r.key, r.value, list(r.headers)) for r in letters] == [(None, b"bad", headers)]


async def test_what_is_sealed_says_with_which_key(monkeypatch: pytest.MonkeyPatch) -> None:
    broker, pen = Broker(), Pen(b"ann", b"k1", new_key())
    reason = [("reason", b"invalid")]
    letters = [(b"ann", b"bad", reason), (None, b"worse", reason)]
    waiter = asyncio.get_running_loop().create_future()
    await open_line(monkeypatch, broker).send(full(waiter, (CART, b"ann", b"1"), letters=letters, pens={b"ann": pen}))
    (seen,) = broker.seen
    (event,), (bad, worse) = seen["x.cart", 0], seen["x.dead-letters", 0]
    assert pen.open(CART, event.value) == b"1" and list(event.headers) == pen.headers
    assert pen.open(DEAD_LETTERS, bad.value) == b"bad" and list(bad.headers) == [*reason, *pen.headers]
    assert (worse.value, list(worse.headers)) == (b"worse", reason)


async def test_sequences_go_on_and_a_retry_repeats_them(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    moved, doubled = {("x.cart", 0): 6}, {("x.cart", 0): 46}
    broker = Broker({}, KafkaConnectionError("gone"), moved, doubled)
    sending = open_line(monkeypatch, broker)
    for _ in range(3):
        assert await sending.send(full(loop.create_future(), (CART, b"a", b"1"), (CART, b"b", b"2"))) == {}
    assert [batch.base_sequence for seen in broker.seen for batch in seen.values()] == [0, 2, 2, 2, 4]


async def test_only_who_is_in_a_failed_batch_is_told_that_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    bad, good = loop.create_future(), loop.create_future()
    round = full(bad, (CART, b"a", b"1"))
    round.add([(CLICKSTREAM, b"a", b"2")], (), None, good)
    failed = await open_line(monkeypatch, Broker({("x.cart", 0): 29})).send(round)
    assert [batch.place for batch in failed] == [("x.cart", 0)]
    round.tell(NotTaken("no"), set(failed))
    assert good.result() is None and isinstance(bad.exception(), NotTaken)


async def test_what_is_too_much_for_one_batch_goes_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [(CART, b"a", bytes([n]) * 400_000) for n in range(5)]
    broker = Broker()
    await open_line(monkeypatch, broker).send(full(asyncio.get_running_loop().create_future(), *records))
    sent = [(batch.base_sequence, [r.value[:1] for r in batch]) for seen in broker.seen for batch in seen.values()]
    assert sent == [(0, [b"\0", b"\1"]), (2, [b"\2", b"\3"]), (4, [b"\4"])]
