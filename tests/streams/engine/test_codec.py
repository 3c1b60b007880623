"""Questions and answers of a fetch: the same bytes, and the same things, as aiokafka's own codec makes."""

from io import BytesIO
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v10, FetchRequest_v11, FetchResponse_v11
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.codec import Answer, Fetching, Question

SMALL, LARGE = st.integers(0, 2**31 - 1), st.integers(-1, 2**63 - 1)
CODES = st.integers(-1, 2**15 - 1)
NAMES = st.text(max_size=20)
ASKED = st.lists(st.tuples(NAMES, st.lists(st.tuples(SMALL, LARGE, SMALL), max_size=5)), max_size=4)
TOLD = st.tuples(
    *(SMALL, CODES, LARGE, LARGE, LARGE),
    st.none() | st.lists(st.tuples(LARGE, LARGE), max_size=3),
    st.integers(-1, 5),
    st.none() | st.binary(max_size=50),
)
ANSWERS = st.tuples(*(SMALL, CODES, SMALL), st.lists(st.tuples(NAMES, st.lists(TOLD, max_size=5)), max_size=4)).map(
    lambda fields: FetchResponse_v11(*fields)
)


def request(topics: Any, rack: str = "") -> FetchRequest:
    return FetchRequest(100, 1, 50_000_000, 1, topics, rack)


@given(ASKED, NAMES)
def test_a_question_is_asked_in_the_same_bytes(topics: Any, rack: str) -> None:
    plain = request(topics, rack)
    wanted = plain.build(FetchRequest_v11).encode()
    plain.__class__ = Fetching
    asked = plain.prepare({1: (4, 17)})
    assert type(asked) is Question
    assert asked.encode() == wanted


@given(ANSWERS, st.binary(max_size=10))
def test_an_answer_is_read_as_the_same_things(answer: FetchResponse_v11, header: bytes) -> None:
    raw = BytesIO(header + answer.encode())
    raw.seek(len(header))
    read = Answer.decode(raw)
    assert read == answer
    assert read.API_VERSION == 11
    assert Answer.decode(answer.encode()) == answer


@given(ANSWERS, st.data())
def test_an_answer_that_ends_early_is_a_fault(answer: FetchResponse_v11, data: st.DataObject) -> None:
    raw = answer.encode()
    with pytest.raises(ValueError, match=r"fetch answer|codec can't decode"):
        Answer.decode(raw[: data.draw(st.integers(0, len(raw) - 1))])


def test_an_older_broker_is_asked_in_its_own_words() -> None:
    plain = request([("cart", [(0, 7, 9)])])
    plain.__class__ = Fetching
    assert type(plain.prepare({1: (0, 10)})) is FetchRequest_v10
