"""Segments and stages when ids are linked and split: of one person there is one."""

from typing import Any

from processors.plays import wake
from schemas.event import ADDED, ORDERED, SEGMENT_ENTERED, STAGE_CHANGED
from schemas.identity import Link
from schemas.topics import CART, CLICKSTREAM, INPUTS, POS, TRIGGERS
from schemas.trigger import decode_trigger
from tests.processors.builders import Logged, added, decider, ordered, play, viewed
from tests.processors.estate import Estate
from tests.processors.test_identity import log_in, settled

STANDING: dict[str, Any] = {
    "segments": {
        "levels": [
            {
                "level": "doing",
                "leaves": [
                    {"id": "buyer", "when": "orders.count > 0"},
                    {"id": "busy", "when": "events.hour >= 3"},
                ],
            }
        ]
    },
    "stages": {
        "first": "new",
        "table": [
            {"from": ["new"], "on": [ADDED], "to": "filling"},
            {"from": ["new", "filling"], "on": [ORDERED], "to": "bought"},
        ],
        "lapse": [{"from": "bought", "after": "90d", "to": "new"}],
    },
}
WHEN = {
    "segment:buyer": lambda view: view.orders.count > 0,
    "segment:busy": lambda view: view.events.hour >= 3,
}


def estate(*plays: dict[str, Any]) -> Estate:
    return Estate(decider(*plays, when=WHEN, occurrence={"told": lambda view: view.event.id}, **STANDING))


def stands(world: Estate, id: str) -> tuple[str, str]:
    decisions = world.customer(id).decisions
    return (decisions.segment, decisions.stage) if decisions else ("", "")


def counted(world: Estate) -> dict[str, int]:
    """The books, without those nobody is in."""
    return {name: n for name, n in sorted(world.counts.items()) if n and name.startswith(("segment:", "stage:"))}


def test_a_linked_id_stands_where_its_person_stands() -> None:
    world = settled(viewed("x", "hat", at=1), viewed("ann", "hat", at=2), world=estate())
    assert counted(world) == {"segment:others": 2, "stage:new": 2}
    settled(log_in("ann", "x", at=3), world=world)
    assert (stands(world, "ann"), stands(world, "x")) == (("busy", "new"), ("", "")), "three events in all"
    assert counted(world) == {"segment:busy": 1, "stage:new": 1}
    settled(ordered("x", "hat", at=4), world=world)
    assert (stands(world, "ann"), stands(world, "x")) == (("buyer", "bought"), ("", ""))
    assert counted(world) == {"segment:buyer": 1, "stage:bought": 1}


def test_after_a_split_each_stands_by_itself() -> None:
    world = settled(viewed("ann", "hat", at=1), ordered("card:1", "hat", at=2), world=estate())
    settled(log_in("ann", "", Link("card", "1"), at=3), world=world)
    assert counted(world) == {"segment:buyer": 1, "stage:bought": 1}
    world.split("card:1", "ann", "why")
    world.settle()
    assert (stands(world, "ann"), stands(world, "card:1")) == (("others", "bought"), ("buyer", "new"))
    assert counted(world) == {"segment:buyer": 1, "segment:others": 1, "stage:bought": 1, "stage:new": 1}


def test_who_has_nothing_left_stands_nowhere() -> None:
    """The card never did anything by itself; what the phone did was its, until the link was taken back."""
    world = settled(viewed("x", "hat", at=1), world=estate())
    settled(added("card:1", "hat", at=2, anonymous="x"), world=world)
    assert (stands(world, "card:1"), stands(world, "x")) == (("others", "filling"), ("", ""))
    settled(log_in("ann", "x", at=3), world=world)
    settled(log_in("bob", "", Link("card", "1"), at=4), world=world)
    assert (stands(world, "card:1"), stands(world, "bob")) == (("", ""), ("busy", "filling"))
    assert counted(world) == {"segment:busy": 1, "segment:others": 1, "stage:filling": 1, "stage:new": 1}


def test_an_id_that_came_further_takes_its_person_along_and_says_nothing_twice() -> None:
    world = settled(added("x", "hat", at=1), world=estate(play("told", on=[STAGE_CHANGED], expires="7d")))
    assert [trigger.customer for trigger in sent(world)] == ["x", "x"], "new, then filling"
    settled(log_in("ann", "x", at=5, channel="web"), world=world)
    assert stands(world, "ann")[1] == "filling"
    assert [trigger.customer for trigger in sent(world)] == ["ann", "x", "x"], "ann was new for a moment"


def test_who_came_further_stays_there() -> None:
    world = settled(ordered("ann", "hat", at=1), added("x", "hat", at=2), log_in("ann", "x", at=3), world=estate())
    assert counted(world) == {"segment:buyer": 1, "stage:bought": 1}


def test_plays_hear_of_the_persons_segment() -> None:
    world = estate(play("told", on=[SEGMENT_ENTERED], expires="7d"))
    settled(viewed("ann", "hat", at=0), log_in("ann", "x", at=1), ordered("x", "hat", at=2), world=world)
    told = [(one.customer, one.occurrence.split(":")[1]) for one in sent(world)]
    assert told == [("ann", "buyer"), ("ann", "others")]


def test_no_timer_is_left_with_an_id_that_belongs_to_another() -> None:
    world = settled(ordered("x", "hat", at=1), world=estate())
    assert wake(world.customer("x").decisions) is not None
    settled(log_in("ann", "x", at=2), world=world)
    assert wake(world.customer("x").decisions) is None and wake(world.customer("ann").decisions) is not None
    assert [key for kept in world.kept for key in kept.wake] == [b"ann"]


def test_between_two_markers_an_id_stands_where_it_stood() -> None:
    """Its log of carts says that it is another's, and the log of parts was not read yet."""
    world = settled(added("x", "hat", at=1), world=estate())
    world.put(log_in("ann", "x", at=2))
    world.turn(world.place(b"ann"), {CLICKSTREAM: 9})
    world.relay(world.place(b"ann"), 99)
    before = stands(world, "x")
    world.turn(world.place(b"x"), {CART: 9})
    assert stands(world, "x") == before == ("others", "filling")
    world.turn(world.place(b"x"), dict.fromkeys(INPUTS, 9))
    assert stands(world, "x") == ("", "")
    world.settle()
    assert stands(world, "ann") == ("others", "filling")


def test_silence_lapses_between_two_markers_too() -> None:
    """Its log of orders says that all of it is another's, and the log of parts was not read yet."""
    world = settled(ordered("x", "hat", at=1), world=estate())
    world.put(log_in("ann", "x", at=2))
    world.turn(world.place(b"ann"), {CLICKSTREAM: 9})
    world.relay(world.place(b"ann"), 99)
    world.turn(world.place(b"x"), {POS: 9})
    assert stands(world, "x") == ("buyer", "bought")
    for _ in range(3):  # the segment first, whose hour is over sooner
        world.turn(world.place(b"x"), {}, until=91 * 86_400)
    assert stands(world, "x") == ("others", "new")
    world.settle()
    assert (stands(world, "x"), stands(world, "ann")) == (("", ""), ("buyer", "new"))


def test_caps_hold_for_what_is_heard_when_an_id_first_stands_somewhere() -> None:
    """The card stands nowhere while it is another's; when it gets its order back, a stage and a segment are told."""
    told = play("told", on=[SEGMENT_ENTERED, STAGE_CHANGED], cooldown="1h")
    world = estate(told)
    world.put(log_in("ann", "", Link("card", "1"), at=1))
    world.settle()
    world = settled(ordered("card:1", "hat", at=2), world=world)
    world.split("card:1", "ann", "why")
    world.settle()
    assert stands(world, "card:1") == ("buyer", "new")
    assert [one.customer for one in sent(world) if one.customer == "card:1"] == ["card:1"]


def sent(world: Estate) -> list[Any]:
    rows: list[Logged] = [row for partition in range(world.partitions) for row in world.logs[TRIGGERS, partition]]
    return sorted((decode_trigger(row.value or b"") for row in rows), key=lambda one: (one.customer, one.occurrence))
