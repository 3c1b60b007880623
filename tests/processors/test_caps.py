"""No window holds too many: by decided time, and by send time however late each is sent."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from processors.caps import fullest, words
from schemas.customer import Sent
from tests.processors.builders import START, World, added, came_back, decider, play

TIMES = st.integers(0, 40).map(float)
SPANS = st.integers(0, 6).map(float)


def sent(decided: float, span: float = 0.0) -> Sent:
    return Sent("id", "play", "web", decided, span)


@given(st.lists(TIMES, max_size=8), TIMES, st.integers(1, 20))
def test_the_fullest_window_is_that_of_brute_force(others: list[float], one: float, within: int) -> None:
    times = [*others, one]
    begins = [one - within + n / 4 for n in range(1, 4 * within + 1)]
    wanted = max(sum(begin <= time < begin + within for time in times) for begin in begins)
    assert fullest([sent(time) for time in others], sent(one), float(within)) == wanted


@given(TIMES, SPANS, TIMES, SPANS, st.integers(1, 20))
def test_two_count_together_when_the_window_of_either_holds_both(
    other: float, before: float, one: float, span: float, within: int
) -> None:
    windows = [(other, other + before + within), (one, one + span + within)]
    both = any(start <= one < end and start <= other < end for start, end in windows)
    assert fullest([sent(other, before)], sent(one, span), float(within)) == 1 + both


@given(
    st.lists(st.tuples(TIMES, SPANS, st.floats(0, 1), st.floats(-1, 1)), max_size=12),
    st.integers(1, 3),
    st.integers(3, 15),
)
def test_a_cap_holds_by_send_time_too(
    proposals: list[tuple[float, float, float, float]], most: int, within: int
) -> None:
    """Decided in any order, as after a lost history; sent any time until it expires, by a clock off by one at most."""
    kept: list[Sent] = []
    sends: list[float] = []
    for decided, span, part, skew in proposals:
        one = sent(decided, span)
        if fullest(kept, one, within + 2.0) <= most:
            kept.append(one)
            sends.append(decided + part * span + skew)
    for time in sends:
        assert sum(time <= other <= time + within - 1e-6 for other in sends) <= most


@given(st.lists(st.tuples(TIMES, TIMES), max_size=15))
def test_no_window_of_decided_times_is_over_the_cap(steps: list[tuple[float, float]]) -> None:
    """`now` may go back: another worker's clock."""
    policies = {"caps": [{"per": "customer", "most": 2, "within": "10s"}]}
    fold = decider(play("p", expires="60s", cooldown="3s"), policies=policies, occurrence={"p": lambda v: v.event.id})
    world = World(fold)
    for n, (at, later) in enumerate(steps):
        world.turn(added("ann", "boots", at=at, id=f"m{n}"), now=at + later)
    times = sorted(trigger.decided for trigger in world.triggers)
    assert all(third - first >= 10 for first, third in zip(times, times[2:], strict=False))
    assert all(second - first >= 3 for first, second in pairwise(times))


def test_a_trigger_decided_later_in_a_lost_history_counts() -> None:
    policies = {"caps": [{"per": "customer", "most": 1, "within": "1h"}]}
    fold = decider(play("p", expires="1m"), policies=policies, occurrence={"p": lambda view: view.event.id})
    world = World(fold)
    world.turn(added("ann", "boots", at=0, id="a"), now=5)
    lost = world.triggers.pop()
    world.stored.clear()
    world.turn(came_back(lost, decided=START + 1000, expires=START + 1060), now=6)
    world.turn(added("ann", "boots", at=7, id="b"), now=8)
    assert not world.triggers and world.counts["refused:p:cap"] == 1


def test_a_window_is_longer_by_span_and_clock_bound() -> None:
    policies = {"caps": [{"per": "customer", "most": 1, "within": "100s"}]}
    fold = decider(
        play("p", expires="50s"), policies=policies, occurrence={"p": lambda view: view.event.id}, clock_bound=3
    )
    world = World(fold)
    world.turn(added("ann", "boots", at=0, id="a"), now=0)
    world.turn(added("ann", "boots", at=155, id="b"), now=155)
    assert len(world.triggers) == 1
    world.turn(added("ann", "boots", at=156, id="c"), now=156)
    assert len(world.triggers) == 2


def test_what_was_sent_is_remembered_for_the_longest_window_and_no_longer() -> None:
    policies = {"remember": "1d", "caps": [{"per": "customer", "most": 9, "within": "2d"}]}
    fold = decider(
        play("p", expires="1h"), policies=policies, occurrence={"p": lambda view: view.event.id}, clock_bound=2
    )
    world, day = World(fold), 86_400.0
    assert fold.outcomes.memory == 3 * day + 3600 + 4
    for at in (0.0, 3 * day, 3 * day + 3600, 3 * day + 3605):
        world.turn(added("ann", "boots", at=at, id=f"{at}"), now=at)
    decisions = world.ann().decisions
    assert decisions and [one.decided - START for one in decisions.sent] == [3 * day, 3 * day + 3600, 3 * day + 3605]


def test_durations_in_words() -> None:
    told = {60: "1m", 90: "90s", 3600: "1h", 5400: "90m", 86_400: "24h", 172_800: "2d", 1_209_600: "2w", 0.5: "0.5s"}
    assert {seconds: words(seconds) for seconds in told} == told
