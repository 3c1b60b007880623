"""A message id is remembered a day, by the log's time, or among the newest."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import decode, encode
from xxhash import xxh3_64_digest

from processors.seen import FULL, holds, repeated
from schemas.facts import SEEN_MOST, SEEN_SECONDS, Seen

HOUR = 3600.0


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0.0, 8 * HOUR)), max_size=60))
def test_an_id_of_the_last_day_is_known_and_a_new_one_is_not(steps: list[tuple[int, float]]) -> None:
    seen, time, last = Seen(), 1e9, dict[str, float]()
    for number, pause in steps:
        time, id = time + pause, f"m{number}"
        answer = repeated(seen, id, time)
        if id not in last:
            assert not answer
        elif time - last[id] < SEEN_SECONDS:
            assert answer
        if not answer:
            last[id] = time


def test_memory_is_two_generations_at_most() -> None:
    seen = Seen()
    for number in range(3 * SEEN_MOST):
        assert not repeated(seen, str(number), 1e9)
    assert len(seen.now) <= FULL and len(seen.before) <= FULL
    assert all(repeated(seen, str(number), 1e9) for number in range(2 * SEEN_MOST, 3 * SEEN_MOST))


@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from((0.0, 60.0, 30 * HOUR))), min_size=100, max_size=400))
def test_an_index_answers_as_a_search_does(steps: list[tuple[int, float]]) -> None:
    """What was read from Redis has no index yet."""
    kept, time = Seen(), 1e9
    for number, pause in steps:
        time += pause if number % 97 == 0 else 0.0
        read = decode(encode(kept), type=Seen)
        known = any(holds(part, xxh3_64_digest(str(number).encode())) for part in (read.now, read.before))
        assert repeated(kept, str(number), time) == repeated(read, str(number), time) == known
        assert kept == read


def test_an_id_is_forgotten_after_two_days() -> None:
    seen = Seen()
    repeated(seen, "a", 0.0)
    assert not repeated(seen, "b", 25 * HOUR)
    assert repeated(seen, "a", 26 * HOUR)
    assert not repeated(seen, "c", 50 * HOUR)
    assert not repeated(seen, "a", 51 * HOUR)


def test_digests_are_found_only_where_one_begins() -> None:
    one, two = xxh3_64_digest(b"1"), xxh3_64_digest(b"2")
    across = (one + two)[3:11]
    assert holds(one + two, one) and holds(one + two, two) and not holds(one + two, across)
    assert holds(one + two + across, across)
