"""Batches, packed compiled and not, are the same bytes; so are requests that we and aiokafka encode."""

import io
from typing import Any

import pytest
from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v7, ProduceResponse_v7
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import CART, CLICKSTREAM, DEAD_LETTERS
from streams.collector import compiled, packing
from streams.collector.request import Answer, Produce
from tests.conftest import CI, PURE

NAMES = {topic: f"x.{topic}" for topic in (CLICKSTREAM, CART, DEAD_LETTERS)}
STAMP = 1_795_356_000_123

KEY = st.sampled_from([b"ann", b"", "日本".encode(), b"k" * 128]) | st.binary(max_size=20)
VALUE = st.binary(max_size=200) | st.integers(0, 20_000).map(bytes)
RECORD = st.tuples(st.sampled_from((CLICKSTREAM, CART)), KEY, VALUE)
HEADERS = st.lists(st.tuples(st.sampled_from(("reason", "détail", "")), st.binary(max_size=100)), max_size=4)
LETTER = st.tuples(st.just(DEAD_LETTERS), KEY, st.none() | KEY, VALUE, HEADERS)


@pytest.mark.skipif(not CI or PURE, reason="a machine may lack a C compiler, that of CI may not")
def test_the_core_is_compiled() -> None:
    assert compiled.COMPILED


def test_the_twin_alone_serves_when_asked_to() -> None:
    assert not PURE or compiled.Packing is packing.Packing


def packed(packing_: Any, *requests: Any) -> list[list[tuple[Any, int, bytes]]]:
    """Place, number and bytes of each batch, by waves; and in which of them each request is."""
    touched = [
        sorted((batch.place, batch.count) for batch in packing_.all(one))
        if isinstance(one, list)
        else packing_.one(*one).place
        for one in requests
    ]
    waves = [[(b.place, b.count, b.build(77, 3, 2**31 - 1)) for b in wave] for wave in packing_.waves()]
    return [*waves, [(place, 0, b"") for place in touched]]


@given(st.lists(st.lists(RECORD, max_size=12) | LETTER, max_size=6), st.sampled_from((1, 4, 12, 1000)))
def test_batches_are_the_same(requests: list[Any], partitions: int) -> None:
    one, other = (made(NAMES, partitions, STAMP) for made in (compiled.Packing, packing.Packing))
    waves = packed(one, *requests)
    assert waves == packed(other, *requests)
    for batch in [batch for wave in waves[:-1] for _, _, batch in wave]:
        found = MemoryRecords(batch).next_batch()
        assert found is not None and found.validate_crc()


@pytest.mark.parametrize("size", [1, 63, 64, 8_191, 8_192, 449_900, 449_950, 900_000, 2_000_000])
def test_a_batch_ends_at_the_same_record(size: int) -> None:
    records = [(CART, b"ann", bytes(size)) for _ in range(5 if size > 9_000 else 300)]
    one, other = (made(NAMES, 1, STAMP) for made in (compiled.Packing, packing.Packing))
    assert packed(one, records) == packed(other, records)


@pytest.mark.parametrize("spare", range(-3, 4))
def test_a_batch_is_full_at_the_same_byte(spare: int) -> None:
    records = [(CART, b"ann", bytes(size)) for size in (400_000, 499_900 + spare, 1)]
    sizes = {len(batch) for _, _, batch in packed(packing.Packing(NAMES, 1, STAMP), records)[0]}
    near = packing.BATCH_BYTES - max(sizes)
    records[1] = (CART, b"ann", bytes(len(records[1][2]) + near + spare))
    one, other = (made(NAMES, 1, STAMP) for made in (compiled.Packing, packing.Packing))
    assert packed(one, records) == packed(other, records)


TOPICS = st.lists(st.tuples(st.text(max_size=9), st.lists(st.tuples(st.integers(0, 999), st.binary()), max_size=4)))


@given(TOPICS)
def test_requests_are_those_of_aiokafka(topics: Any) -> None:
    ours, theirs = (made(None, -1, 10_000, topics).prepare({0: (3, 11)}) for made in (Produce, ProduceRequest))
    assert ours.encode() == theirs.encode() and ProduceRequest_v7.decode(ours.encode()) == theirs


def test_older_brokers_get_requests_of_aiokafka() -> None:
    assert type(Produce(None, -1, 1, []).prepare({0: (0, 5)})).API_VERSION == 5


NUMBER = st.integers(-(2**63), 2**63 - 1)
PART = st.tuples(st.integers(0, 999), st.integers(-1, 100), NUMBER, NUMBER, NUMBER)


@given(st.lists(st.tuples(st.text(max_size=9), st.lists(PART, max_size=4)), max_size=4), st.integers(0, 2**31 - 1))
def test_answers_are_read_as_aiokafka_reads_them(topics: Any, throttled: int) -> None:
    raw = ProduceResponse_v7(topics, throttled).encode()
    told = ProduceResponse_v7.decode(raw)
    for found in (Answer.decode(raw), Answer.decode(io.BytesIO(raw))):
        assert (found.topics, found.throttle_time_ms) == (told.topics, told.throttle_time_ms)
