"""What left is remembered, whoever decided it; what waits is judged against it; turns are pure."""

from collections import Counter
from copy import deepcopy
from typing import Any

from hypothesis import given

from processors.turn import Turn
from schemas.customer import Customer
from schemas.trigger import Trigger
from schemas.turn import encode_message
from tests.processors.builders import ABANDONED, START, Logged, World, added, came_back, decider, play
from tests.processors.strategies import HISTORIES

ONCE = {"caps": [{"per": "customer", "most": 1, "within": "1h"}]}


def world(**policies: Any) -> World:
    return World(decider(play("p"), policies=policies, occurrence={"p": lambda view: view.event.id}))


def sent(it: World) -> list[str]:
    decisions = it.ann().decisions
    return [one.id for one in decisions.sent] if decisions else []


def lost(**changes: Any) -> Logged:
    """A trigger of a history that was lost."""
    other = world()
    other.turn(added("ann", "boots", at=0, id="lost"), now=1)
    return came_back(other.triggers[0], **changes)


def test_what_comes_back_as_expected_changes_nobody() -> None:
    it = world()
    it.turn(added("ann", "boots", at=0), now=1)
    turn = it.turn(came_back(it.triggers[0]), now=2)
    assert turn.returned == [it.triggers[0].id]
    assert not turn.changed and not turn.counts and not turn.wake and not turn.messages


def test_what_a_lost_history_sent_counts_and_is_not_sent_again() -> None:
    it = world(**ONCE)
    it.turn(lost(), now=2)
    it.turn(added("ann", "boots", at=0, id="lost"), added("ann", "boots", at=1, id="new"), now=3)
    assert it.counts["trigger:p"] == 1 and not it.triggers and len(sent(it)) == 1
    assert it.counts["refused:p:cap"] == 1


def test_of_two_decided_times_kafkas_is_what_happened() -> None:
    it = world()
    it.turn(added("ann", "boots", at=0), now=1)
    turn = it.turn(came_back(it.triggers[0], decided=START + 50, channel="email"), now=60)
    assert turn.changed == {b"ann"} and not turn.counts
    decisions = it.ann().decisions
    assert decisions and [(one.decided, one.channel) for one in decisions.sent] == [(START + 50, "email")]


def test_what_is_too_old_to_remember_is_counted_only() -> None:
    it = world(remember="1d")
    turn = it.turn(lost(), now=90 * 86_400.0)
    assert it.counts == {"trigger:p": 1} and not turn.changed


def judged(it: World, *pending: Trigger) -> Turn[Customer]:
    turn = Turn(START + 500, 0.0, {b"ann": it.ann()})
    it.fold.judge(turn, [(trigger.id, b"ann") for trigger in pending])
    it.commit(turn)
    return turn


def test_what_breaks_a_cap_by_what_came_back_is_revoked() -> None:
    it = world(**ONCE)
    it.turn(added("ann", "boots", at=0, id="a"), now=1)
    (pending,) = it.triggers
    it.turn(lost(decided=START + 3), now=4)
    turn = judged(it, pending)
    assert turn.revoked == [pending.id] and pending.id not in sent(it) and len(sent(it)) == 1
    assert it.counts["trigger:p"] == 1 and it.counts["refused:p:judge"] == 1
    decisions = it.ann().decisions
    assert decisions and decisions.refused[-1].detail == "sent already: 1 per customer in 1h"


def test_what_still_fits_stays() -> None:
    it = world(caps=[{"per": "customer", "most": 2, "within": "1h"}])
    it.turn(added("ann", "boots", at=0, id="a"), now=1)
    it.turn(lost(decided=START + 3), now=4)
    turn = judged(it, *it.triggers)
    assert not turn.revoked and not turn.changed and not turn.counts


def test_of_those_pending_the_first_decided_stay() -> None:
    it = world(caps=[{"per": "customer", "most": 2, "within": "1h"}])
    it.turn(added("ann", "boots", at=0, id="a"), now=1)
    it.turn(added("ann", "boots", at=1, id="b"), now=2)
    it.turn(lost(decided=START + 3), now=4)
    assert judged(it, *it.triggers).revoked == [it.triggers[1].id]


def test_a_cooldown_is_judged_too() -> None:
    it = World(decider(play("p", cooldown="1h"), occurrence={"p": lambda view: view.event.id}))
    it.turn(added("ann", "boots", at=0, id="a"), now=1)
    it.turn(lost(decided=START + 3), now=4)
    assert judged(it, *it.triggers).revoked == [it.triggers[0].id]


def test_what_is_forgotten_is_revoked() -> None:
    it = world()
    it.turn(added("ann", "boots", at=0, id="a"), now=1)
    (pending,) = it.triggers
    it.stored.clear()
    turn = Turn(START, 0.0, {b"ann": Customer()})
    it.fold.judge(turn, [(pending.id, b"ann")])
    assert turn.revoked == [pending.id]


def everything(world: World, turn: Turn[Customer]) -> tuple[Any, ...]:
    customers = {key: world.fold.encode(customer) for key, customer in turn.customers.items()}
    messages = [(id, encode_message(message)) for id, message in turn.messages]
    return customers, messages, turn.changed, turn.wake, turn.returned, turn.revoked, Counter(turn.counts)


@given(HISTORIES)
def test_the_same_turn_twice_gives_the_same_bytes(log: list[Logged]) -> None:
    plays = (
        ABANDONED,
        play("p", on=["Product Viewed", "Order Completed"]),
        play("q", on=["Product Added"], priority=2),
    )
    caps = {"caps": [{"per": "customer", "most": 2, "within": "2h"}]}
    it = World(decider(*plays, policies=caps, occurrence={"p": lambda view: view.event.day}))
    half = len(log) // 2
    it.turn(*log[:half], now=13_000, until=0)
    again = World(decider(*plays, policies=caps, occurrence={"p": lambda view: view.event.day}))
    again.stored, again.wake, again.offsets = deepcopy((it.stored, it.wake, it.offsets))
    args = {"now": 14_000.0, "until": 14_000.0}
    assert everything(it, it.turn(*log[half:], **args)) == everything(again, again.turn(*log[half:], **args))


@given(HISTORIES)
def test_a_customer_kept_is_the_customer_stored(log: list[Logged]) -> None:
    """Decoded from bytes or kept in a cache: the next turn is the same."""
    it = World(decider(ABANDONED, play("p", on=["Product Viewed"], cooldown="1h"), intent={"weights": {"views": 1}}))
    kept: dict[bytes, Customer] = {}
    for record in log:
        key = record.key or b""
        turn = it.turn(record, now=13_000, until=0.0)
        cached = Turn(turn.now, turn.until, {key: kept.setdefault(key, Customer())})
        one = Logged(record.topic, key, record.value, it.offsets[record.topic] - 1, record.timestamp)
        it.fold.absorb(cached, key, {record.topic: [one]})
        assert it.fold.encode(kept[key]) == it.stored[key]
