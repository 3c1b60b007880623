"""The books: they balance when all is well, and say what does not when one thing is off."""

from collections import Counter

import msgspec
import pytest

from streams.tools.balance import Logs, Slots, balance

COUNTS = {
    "applied:clickstream": 90,
    "duplicate:clickstream": 7,
    "dead_lettered:clickstream": 2,
    "erased:clickstream": 1,
    "applied:cart": 5,
    "trigger:cart-abandoned": 3,
    "refused:cart-abandoned:cap": 2,
    "refused:cart-abandoned:quiet": 1,
    "timer:armed": 9,
    "timer:fired": 4,
    "timer:cancelled": 3,
}


def logs() -> Logs:
    records = Counter({"clickstream": 100, "cart": 5})
    return Logs(records, Counter({"cart-abandoned": 3}), Counter({"clickstream": 2}), rejected=4)


def slots(**changes: int) -> Slots:
    return Slots(Counter(COUNTS | changes), sleepers=2, waiting=2, waiting_customers=2)


def test_all_is_well() -> None:
    books = balance(logs(), slots(), {})
    assert (books.balanced, books.differences) == (True, [])
    assert (books.accepted, books.rejected, books.triggers) == (105, 4, {"cart-abandoned": 3})
    assert books.refusals == {"cart-abandoned": {"cap": 2, "quiet": 1}}
    assert msgspec.to_builtins(books.timers) == {"pending": 2, "fired": 4, "cancelled": 3, "armed": 9}
    said = msgspec.to_builtins(books.topics["clickstream"])
    assert said == {"records": 100, "applied": 90, "duplicate": 7, "dead_lettered": 2, "erased": 1, "lag": 0}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"applied:clickstream": 89}, "clickstream: 100 records, booked 99 (-1)"),
        ({"applied:cart": 6}, "cart: 5 records, booked 6 (+1)"),
        ({"dead_lettered:clickstream": 1, "applied:clickstream": 91}, "clickstream: dead-lettered 1, in the log"),
        ({"trigger:cart-abandoned": 4}, "triggers: cart-abandoned decided 4, in the log 3"),
        ({"trigger:thanks": 1}, "triggers: thanks decided 1, in the log 0"),
        ({"timer:fired": 5}, "timers: armed 9, fired + cancelled + waiting 10"),
    ],
)
def test_what_is_off_is_named(changes: dict[str, int], said: str) -> None:
    books = balance(logs(), slots(**changes), {})
    assert not books.balanced
    assert [difference for difference in books.differences if difference.startswith(said)]


def test_what_is_under_way_does_not_balance() -> None:
    waiting = slots()
    waiting.outbox, waiting.sleepers = 1, 1
    books = balance(logs(), waiting, {"cart": 3, "triggers": 1})
    assert books.topics["cart"].lag == 3
    assert [difference.split(":")[0] for difference in books.differences] == ["cart", "triggers", "outbox", "timers"]


def test_what_retention_took_cannot_be_compared() -> None:
    cut = logs()
    cut.shortened, cut.triggers, cut.dead = frozenset(("triggers", "dead-letters")), Counter(), Counter()
    assert balance(cut, slots(), {}).balanced


def test_counters_are_summed_over_partitions() -> None:
    found = Slots.sum([{"count:applied:cart": b"2", "next:cart": b"7"}, {"count:applied:cart": b"3", "token": b"\xff"}])
    assert found.counts == Counter({"applied:cart": 5})
