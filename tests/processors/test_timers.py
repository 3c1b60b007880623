"""A silence that follows: it begins again, ends by event time, is over once, and is accounted for always."""

from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.view import View
from tests.processors.builders import ABANDONED, START, Logged, World, added, decider, ordered, play, removed, viewed
from tests.processors.strategies import HISTORIES

SILENCE = 2700.0


def test_a_silence_fires_once_when_it_is_over() -> None:
    world = World(decider(ABANDONED))
    world.turn(added("ann", "boots", at=0), now=1)
    assert world.wake == {b"ann": START + SILENCE}
    assert not world.turn(now=SILENCE - 1).messages
    assert world.turn(now=SILENCE).messages
    (trigger,) = world.triggers
    assert (trigger.time, trigger.occurrence) == (START + SILENCE, world.ann().cart.lines[0].opened)  # type: ignore[union-attr]
    assert trigger.why and trigger.why.on == "timer" and trigger.data == {"item": "Boots"}
    assert not world.wake and not world.turn(now=9 * SILENCE).messages
    assert world.counts["timer:fired"] == 1 and world.counts["trigger:cart-abandoned"] == 1


def test_until_says_what_may_fire_not_now() -> None:
    world = World(decider(ABANDONED))
    world.turn(added("ann", "boots", at=0), now=1)
    assert not world.turn(now=2 * SILENCE, until=SILENCE - 1).messages


def test_each_event_begins_the_silence_again_and_moves_one_timer() -> None:
    world = World(decider(ABANDONED))
    world.turn(added("ann", "boots", at=0), added("ann", "hat", at=600), now=601)
    assert world.wake == {b"ann": START + 600 + SILENCE} and world.counts["timer:armed"] == 1
    world.turn(added("ann", "scarf", at=300), now=700)
    assert world.wake == {b"ann": START + 600 + SILENCE} and world.counts["timer:armed"] == 1


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("at, cancelled", [(599, False), (600, True), (3000, True)])
def test_event_time_decides_whichever_topic_is_read_first(order: tuple[int, ...], at: int, cancelled: bool) -> None:
    world = World(decider(ABANDONED))
    log = [added("ann", "boots", at=300), added("ann", "hat", at=600), ordered("ann", "cap", at=at)]
    for number in order:
        world.turn(log[number], now=3200)
    world.turn(now=4000)
    assert len(world.triggers) == (not cancelled)
    balanced(world)


def test_an_order_cancels_at_once() -> None:
    world = World(decider(ABANDONED))
    world.turn(added("ann", "boots", at=0), now=1)
    world.turn(ordered("ann", "boots", at=5, till=True), now=6)
    assert not world.wake and world.counts["timer:cancelled"] == 1


def test_a_late_event_does_not_begin_a_silence_that_was_over() -> None:
    world = World(decider(ABANDONED))
    world.turn(added("ann", "boots", at=600), now=601)
    world.turn(now=4000)
    world.turn(added("ann", "hat", at=500), now=4001)
    assert not world.wake
    world.turn(added("ann", "hat", at=4002), now=4003)
    assert world.wake == {b"ann": START + 4002 + SILENCE} and world.counts["timer:armed"] == 2


def test_a_condition_that_does_not_hold_any_more_cancels() -> None:
    world = World(decider(ABANDONED, when={"cart-abandoned": lambda view: view.cart.open}))
    world.turn(added("ann", "boots", at=0), removed("ann", "boots", at=1), now=2)
    world.turn(now=SILENCE)
    assert world.counts["timer:cancelled"] == 1 and not world.triggers and not world.wake


def test_a_refused_proposal_is_done_with() -> None:
    world = World(decider(ABANDONED, policies={"consent": {"unknown": "refuse"}}))
    world.turn(added("ann", "boots", at=0), now=2)
    world.turn(now=SILENCE)
    assert world.counts["timer:fired"] == 1 and world.counts["refused:cart-abandoned:consent"] == 1 and not world.wake


def test_a_timer_of_a_play_that_is_gone_is_cancelled() -> None:
    world = World(decider(ABANDONED))
    world.turn(added("ann", "boots", at=0), now=2)
    world.fold = decider()
    world.turn(now=SILENCE)
    assert world.counts["timer:cancelled"] == 1 and not world.wake and not world.pending


def test_who_is_not_due_only_says_when() -> None:
    world = World(decider(ABANDONED))
    world.turn(added("ann", "boots", at=0), now=2)
    world.wake[b"ann"] = START
    turn = world.turn(now=10)
    assert turn.wake == {b"ann": START + SILENCE} and not turn.changed and not turn.counts


def test_plays_due_together_are_asked_highest_priority_first() -> None:
    low, high = play("low", after="5m"), play("high", after="10m", priority=9)
    world = World(decider(low, high, policies={"caps": [{"per": "customer", "most": 1, "within": "1h"}]}))
    world.turn(added("ann", "boots", at=0), now=2)
    world.turn(now=3600)
    assert [trigger.play for trigger in world.triggers] == ["high"]
    assert world.counts["refused:low:cap"] == 1


@pytest.mark.parametrize("policies", [{}, {"quiet": {"from": "14:00", "to": "16:00", "zone": "UTC"}}])
def test_a_silence_is_asked_about_as_of_its_end_however_late(policies: dict[str, Any]) -> None:
    asked: list[float] = []

    def note(view: View) -> bool:
        asked.append(view.now)
        return True

    world = World(decider(ABANDONED, policies=policies, when={"cart-abandoned": note}))
    world.turn(added("ann", "boots", at=0), now=1)
    world.turn(now=SILENCE + 500)
    world.turn(now=9000)
    assert set(asked) == {START + SILENCE} and len(world.triggers) == 1


PLAYS = (
    ABANDONED,
    play(
        "browse", on=["Product Viewed", "Products Searched"], after="20m", unless=["Product Added", "Order Completed"]
    ),
    play("soon", on=["Product Added"], unless=["Order Completed"], cooldown="1h", priority=3),
)
QUIET = {"from": "14:00", "to": "16:00", "zone": "UTC"}


@given(HISTORIES, st.lists(st.integers(0, 50), max_size=8), st.booleans(), st.booleans())
def test_every_timer_is_fired_cancelled_or_pending(
    log: list[Logged], cuts: list[int], quiet: bool, prompt: bool
) -> None:
    policies = {"caps": [{"per": "customer", "most": 2, "within": "2h"}]} | ({"quiet": QUIET} if quiet else {})
    world = World(decider(*PLAYS, policies=policies))
    if prompt:
        log = sorted(log, key=lambda record: record.timestamp)
    edges = sorted({0, *cuts, len(log)})
    for begin, end in pairwise(edges):
        part = log[begin:end]
        world.turn(*part, now=max([record.timestamp / 1000 - START for record in part], default=0.0) + 1)
        balanced(world)
        assert world.wake == {key: when for key in world.stored if (when := earliest(world, key)) is not None}
    world.turn(now=200_000)
    world.turn(now=400_000)
    balanced(world)
    assert not world.pending
    assert len({trigger.id for trigger in world.triggers}) == len(world.triggers)


def earliest(world: World, key: bytes) -> float | None:
    decisions = world.customer(key).decisions
    return min((one.due for one in decisions.waiting.values()), default=None) if decisions else None


def balanced(world: World) -> None:
    counts = world.counts
    done = counts.get("timer:fired", 0) + counts.get("timer:cancelled", 0)
    assert counts.get("timer:armed", 0) == done + world.pending


@given(st.permutations(range(6)), st.lists(st.integers(0, 30), min_size=6, max_size=6))
def test_the_last_silence_does_not_depend_on_the_order_of_reading(order: list[int], times: list[int]) -> None:
    makers = [added, added, added, ordered, ordered, viewed]
    log = [make("ann", f"p{n}", at=time * 60.0) for n, (make, time) in enumerate(zip(makers, times, strict=True))]
    world = World(decider(ABANDONED))
    for number in order:
        world.turn(log[number], now=1800, until=0)
    last_add = max(times[:3]) * 60.0
    ended = max(times[3:5]) * 60.0 >= last_add
    assert world.wake == ({} if ended else {b"ann": START + last_add + SILENCE})
