"""Segments and stages: exactly one leaf, changes are heard, and time alone changes them by the timer."""

from itertools import pairwise
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.decide import Decider
from processors.playbook import BadPlaybook, read_playbook
from processors.plays import wake
from processors.sight import look
from processors.standing import latest
from schemas.customer import Waiting
from tests.processors.builders import START, Logged, World, added, happened, identified, ordered, viewed
from tests.processors.strategies import HISTORIES

DAY = 86_400.0
LEVELS = [
    {"level": "demographic", "leaves": [{"id": "staff", "when": 'customer.tier == "staff"'}]},
    {
        "level": "behavioural",
        "leaves": [
            {"id": "loyal", "when": "orders.count >= 2 && rfm.recency >= 2"},
            {"id": "busy", "when": 'did("Product Viewed").hour >= 2'},
        ],
    },
    {"level": "real-time", "leaves": [{"id": "cart", "when": "cart.open"}]},
]
STAGES = {
    "first": "awareness",
    "table": [
        {"from": ["awareness"], "on": ["Product Added"], "to": "consideration", "when": "cart.value >= 10"},
        {"from": ["awareness", "consideration"], "on": ["Order Completed"], "to": "conversion"},
        {"from": ["conversion"], "on": ["Order Completed"], "when": "orders.count >= 2", "to": "retention"},
    ],
    "lapse": [{"from": "conversion", "after": "90d", "to": "awareness"}],
}
HEARD = [
    {"id": "left", "on": ["Segment Left"], "occurrence": "event.id", "channels": ["web"], "purpose": "service"},
    {
        "id": "entered",
        "on": ["Segment Entered"],
        "when": 'event.properties.segment == "loyal" && segment == "loyal"',
        "occurrence": "event.id",
        "channels": ["web"],
        "purpose": "service",
    },
    {"id": "staged", "on": ["Stage Changed"], "occurrence": "event.id", "channels": ["web"], "purpose": "service"},
]
BOOK: dict[str, Any] = {
    "policies": {"consent": {"unknown": "allow", "required": []}},
    "segments": {"levels": LEVELS},
    "stages": STAGES,
    "rfm": {"recency": ["30d"]},
    "plays": HEARD,
}


def fold(**changes: Any) -> Decider:
    loaded = read_playbook(yaml.safe_dump(BOOK | changes))
    return Decider("shop", loaded.playbook, loaded.conditions, loaded.version)


def stands(world: World) -> tuple[str, str]:
    decisions = world.ann().decisions
    return (decisions.segment, decisions.stage) if decisions else ("", "")


def faults(**changes: Any) -> list[str]:
    with pytest.raises(BadPlaybook) as found:
        fold(**changes)
    return [fault.what for fault in found.value.faults]


def test_the_first_leaf_that_holds_takes_the_customer() -> None:
    world = World(fold())
    world.turn(viewed("ann", "hat", at=0), now=1)
    assert stands(world) == ("others", "awareness")
    world.turn(added("ann", "hat", at=2), now=3)
    assert stands(world) == ("cart", "consideration")
    world.turn(identified("ann", at=4, tier="staff"), now=5)
    assert stands(world)[0] == "staff"
    assert {name: n for name, n in world.counts.items() if n and name.startswith(("segment", "stage"))} == {
        "segment:staff": 1,
        "stage:consideration": 1,
    }


def test_time_alone_changes_a_segment() -> None:
    """Two views in an hour; when the hour is over nobody did anything, and the timer fires."""
    world = World(fold())
    world.turn(viewed("ann", "hat", at=0), viewed("ann", "cap", at=10), now=11)
    assert stands(world)[0] == "busy" and 0 < world.wake[b"ann"] - START <= 3600
    world.turn(now=3700)
    assert stands(world)[0] == "others"
    assert world.counts["segment:busy"] == 0 and world.counts["segment:others"] == 1


def test_an_order_that_is_long_ago_changes_recency() -> None:
    world = World(fold())
    world.turn(*(ordered("ann", "hat", at=n, channel="web") for n in (0, 60)), now=61)
    assert stands(world) == ("loyal", "retention")
    for _ in range(3):  # first the hour of `busy` is over
        world.turn(now=31 * DAY)
    assert stands(world)[0] == "others"


def test_silence_lets_a_stage_lapse_and_an_event_puts_it_off() -> None:
    world = World(fold())
    world.turn(ordered("ann", "hat", at=0), now=1)
    world.turn(viewed("ann", "hat", at=80 * DAY), now=80 * DAY)
    world.turn(now=100 * DAY)
    assert stands(world)[1] == "conversion"
    world.turn(now=171 * DAY)
    assert stands(world)[1] == "awareness"
    decisions = world.ann().decisions
    assert decisions and decisions.stage_since == START + 170 * DAY


def test_an_event_from_before_the_stage_moves_nobody() -> None:
    world = World(fold())
    world.turn(ordered("ann", "hat", at=100), now=101)
    world.turn(ordered("ann", "cap", at=50), now=102)
    assert stands(world)[1] == "conversion"


def test_plays_hear_of_changes() -> None:
    world = World(fold())
    world.turn(viewed("ann", "hat", at=0), now=1)
    world.turn(ordered("ann", "hat", at=2), ordered("ann", "cap", at=3), now=4)
    heard = [(trigger.play, trigger.occurrence) for trigger in world.triggers]
    assert ("left", f"Segment Left:others:{START + 3:.6f}") in heard
    assert ("entered", f"Segment Entered:loyal:{START + 3:.6f}") in heard
    assert [who for who, about in heard if who == "staged" and "retention" in about] == ["staged"]


NARROW = [
    {
        "level": "few-inputs",
        "leaves": [
            {"id": "trouble", "when": "service.complaint"},
            {"id": "cart", "when": "cart.value >= 20"},
            {"id": "buyer", "when": "orders.count >= 2"},
        ],
    },
    {"level": "stage", "leaves": [{"id": "considering", "when": 'stage == "consideration"'}]},
]
"""Most events cannot change these: they are not asked then."""


@given(HISTORIES, st.lists(st.integers(0, 40), max_size=4), st.floats(0.0, 1e6), st.sampled_from([LEVELS, NARROW]))
@settings(max_examples=60, deadline=None)
def test_everybody_is_in_exactly_one_leaf(log: list[Logged], cuts: list[int], later: float, levels: Any) -> None:
    """Who did anything is in one leaf, the one whose turn it is; and the books say how many are in each."""
    world, edges = World(fold(segments={"levels": levels})), [0, *sorted(cuts), len(log)]
    for a, b in pairwise(edges):
        world.turn(*log[a:b], now=20_000)
    world.turn(now=20_000 + later)
    here: dict[str, int] = {}
    for key in world.stored:
        customer = world.customer(key)
        decisions = customer.decisions
        assert decisions and decisions.segment
        here[decisions.segment] = here.get(decisions.segment, 0) + 1
        assert (wake(decisions) is None) == (key not in world.wake)
        moment = max(latest(customer), decisions.segment_since)
        view = look(customer, key, Waiting(0.0, moment), moment, world.fold.playbook)
        assert world.fold.standing.waterfall.leaf(world.fold.conditions.at(view)) == decisions.segment
    counted = {
        name.removeprefix("segment:"): n for name, n in world.counts.items() if name.startswith("segment:") and n
    }
    assert counted == here


def leaves(*conditions: str) -> dict[str, Any]:
    found = [{"id": f"leaf-{n}", "when": when} for n, when in enumerate(conditions)]
    return {"levels": [{"level": "one", "leaves": found[:1]}, {"level": "two", "leaves": found[1:]}]}


def test_leaves_nobody_can_reach_are_found() -> None:
    assert faults(segments=leaves("true", "cart.open")) == ["'leaf-1' can never be reached"]
    assert faults(segments=leaves("cart.open", "cart . open")) == ["'leaf-1' can never be reached"]
    assert faults(segments=leaves("cart.open", "false")) == ["'leaf-1' can never be reached"]
    assert faults(segments=leaves('event.name == "x"', "cart.opn")) == [
        "event.name is not known to a segment",
        "unknown name 'cart.opn'",
    ]


def test_stages_nobody_is_in_are_found() -> None:
    row = {"from": ["advocacy"], "on": ["x"], "to": "retention"}
    assert faults(stages=STAGES | {"table": [*STAGES["table"], row]}) == ["nobody is ever in stage 'advocacy'"]
    unless = HEARD[0] | {"on": ["Product Viewed"], "after": "1h", "unless": ["Segment Left"]}
    assert faults(plays=[unless]) == ["'Segment Left' ends no silence"]


def test_a_playbook_without_segments_asks_for_none() -> None:
    loaded = read_playbook("plays: []")
    world = World(Decider("shop", loaded.playbook, loaded.conditions, loaded.version))
    world.turn(viewed("ann", "hat"), happened("ann", "own"), now=1)
    assert stands(world) == ("", "") and not world.wake
