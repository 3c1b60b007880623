"""Each record is applied, repeated or a fault; a fault says what was wanted, and changes nobody."""

import pytest

from processors.turn import Turn
from tests.processors.builders import START, Logged, World, decider, viewed

GOOD = b'{"id": "a", "name": "n", "time": 1'


@pytest.mark.parametrize(
    "value, cause, words",
    [
        (None, "undecodable", "got no value"),
        (b"", "undecodable", "truncated"),
        (b"\xff\xfe", "undecodable", "malformed"),
        (GOOD, "undecodable", "truncated"),
        (b"[]", "invalid", "Expected `object`, got `array`"),
        (b'{"name": "n", "time": 1}', "invalid", "missing required field `id`"),
        (GOOD + b', "total": "1"}', "invalid", "Expected `int`, got `str` - at `$.total`"),
        (GOOD + b', "properties": {"x": NaN}}', "undecodable", "malformed"),
        (GOOD + b', "properties": {"x": 1e999}}', "invalid", "out of range"),
        (GOOD + b', "properties": {"x": 1' + b"0" * 400 + b"}}", "invalid", "out of range"),
        (GOOD + b', "session": "\xff"}', "undecodable", "utf-8"),
        (GOOD + b', "session": "\\ud800"}', "undecodable", "truncated"),
        (GOOD + b', "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "undecodable", "too deep"),
        (GOOD[:-1] + b"-1}", "invalid", ">= 0"),
    ],
)
def test_a_bad_value_is_a_fault_and_the_rest_goes_on(value: bytes | None, cause: str, words: str) -> None:
    world = World(decider())
    turn = world.turn(
        viewed("ann", "hat", at=1), Logged("clickstream", b"ann", value), viewed("ann", "cap", at=2), now=9
    )
    (fault,) = turn.faults
    assert (fault.topic, fault.cause, fault.record.offset) == ("clickstream", cause, 1)
    assert words in fault.detail
    assert world.counts == {"applied:clickstream": 2}


@pytest.mark.parametrize("topic", ["triggers", "feedback", "cart", "pos"])
def test_a_bad_value_of_any_topic_is_a_fault(topic: str) -> None:
    world = World(decider())
    turn = world.turn(Logged(topic, b"ann", b"{"), now=9)
    assert [fault.cause for fault in turn.faults] == ["undecodable"] and not turn.changed and not turn.counts


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"a\nb", b"x" * 129, "a\x85b".encode()])
def test_a_record_without_a_sound_key_is_keyless(key: bytes | None) -> None:
    fold = decider()
    turn = Turn(START, START, {key or b"": fold.blank()})
    good = viewed("ann", "hat")
    fold.absorb(turn, key or b"", {"clickstream": [Logged("clickstream", key, good.value)]})
    assert [fault.cause for fault in turn.faults] == ["keyless"] and not turn.changed


def test_a_key_may_be_any_text() -> None:
    world = World(decider())
    world.turn(viewed("Ünï 👩\u200d👧", "hat"), now=1)
    assert world.counts == {"applied:clickstream": 1}


def test_a_record_of_another_partitions_customer_is_misplaced() -> None:
    fold = decider()
    turn = Turn(START, START, {b"bob": fold.blank()})
    fold.absorb(turn, b"ann", {"clickstream": [viewed("ann", "hat")]})
    assert [(fault.cause, "b'ann'" in fault.detail) for fault in turn.faults] == [("misplaced", True)]
