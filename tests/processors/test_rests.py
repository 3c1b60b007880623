"""What a playbook may ask where not all facts are kept."""

from typing import Any

import pytest

from processors.conditions import VARIABLES
from processors.counters import COUNTERS, EVER
from processors.folds import folds
from processors.playbook import BadPlaybook, read_playbook
from processors.rests import RESTS
from processors.sight import look
from processors.windows import WINDOWS
from schemas.customer import Customer, Waiting
from schemas.facts import CartFacts, ClickFacts, PosFacts
from schemas.families import ALL, FAMILIES, Kept
from schemas.playbook import Playbook
from tests.processors.lives import START, TOPICS, Lives

PLACES = {"score": "intent.score", "channel": "channel.usual"}
ASKED = {name: next((place for place, other in PLACES.items() if other == name), name) for name in VARIABLES}
WORDS = ("p1", "cat1", "Product Viewed", "Order Completed", "own")


def customer(seed: int, kept: Kept) -> Customer:
    found: dict[str, Any] = {"clickstream": ClickFacts(), "cart": CartFacts(), "pos": PosFacts()}
    lives, made = Lives(seed, False), folds(kept)
    for topic in TOPICS:
        for event in lives.events(topic, 60):
            made[topic][1](found[topic], event, b"anon1")
    return Customer(**found)


def answers(seed: int, kept: Kept) -> dict[str, Any]:
    """Everything that conditions may ask."""
    view = look(customer(seed, kept), b"ann", Waiting(0.0, 0.0), START + 100.0, Playbook())
    told: dict[str, Any] = {}
    for name, place in ASKED.items():
        value: Any = view
        for step in place.split("."):
            value = getattr(value, step)
        told[name] = value
    for name, count in COUNTERS.items():
        for word in (*WINDOWS, EVER):
            told[f"{name}.{word}"] = [count(view, what, word) for what in WORDS]
    return told


@pytest.mark.parametrize("family", FAMILIES)
def test_the_table_names_what_rests_on_a_family_and_nothing_else(family: str) -> None:
    changed: set[str] = set()
    for seed in range(60):
        full, fewer = answers(seed, ALL), answers(seed, ALL - {family})
        changed |= {name for name in full if full[name] != fewer[name]}
    counters = {f"{name}.{word}" for name in COUNTERS for word in (*WINDOWS, EVER)} - {f"did.{EVER}"}
    named = {name for name in {*VARIABLES, *counters} if RESTS.get(name, RESTS.get(name.partition(".")[0])) == family}
    assert changed == named


BOOK = """
channels: {usual: {}}
segments:
  levels:
    - level: behavioural
      leaves:
        - {id: busy, when: @events.week >= 3 && events.ever > 3}
        - {id: fan, when: '@likes.category == "shoes" || @engagement.tier == "high"'}
stages:
  first: new
  table:
    - {from: [new], on: [Product Added], when: 'did("Product Added").ever > 2 && @did("x").day > 2', to: old}
plays:
  - id: p
    on: [Product Added]
    when: >-
      true &&
      @service.sentiment > 0.0
    occurrence: string(@habits.hour)
    data: {item: '@customer.viewed[0].name', looks: '@views("shoes").ever', usual: @channel.usual, ever: spent.ever}
    channels: [web]
"""


def test_all_that_is_not_kept_is_named_where_it_is_asked() -> None:
    text = BOOK.replace("@", "")
    lines = [(row, line) for row, line in enumerate(BOOK.split("\n"), 1)]
    marks = []
    for row, line in lines:
        pieces = line.split("@")
        marks += [(row, sum(map(len, pieces[:number])) + 1) for number in range(1, len(pieces))]
    with pytest.raises(BadPlaybook) as bad:
        read_playbook(text, frozenset())
    assert [(fault.line, fault.column) for fault in bad.value.faults] == marks
    assert [fault.what.partition(" ")[0] for fault in bad.value.faults] == [
        "events.week",
        "likes.category",
        "engagement.tier",
        "did(...)",
        "service.sentiment",
        "habits.hour",
        "customer.viewed",
        "views(...)",
        "channel.usual",
    ]
    assert bad.value.faults[0].wanted == "what rests on other facts; or KAIROS_FACTS with windows (it is none)"
    assert {fault.play for fault in bad.value.faults} == {"", "p"}
    assert read_playbook(text).version


@pytest.mark.parametrize(("family", "faults"), [("windows", 3), ("timeline", 1), ("habits", 2), ("likes", 1)])
def test_only_what_rests_on_what_is_missing_is_a_fault(family: str, faults: int) -> None:
    with pytest.raises(BadPlaybook) as bad:
        read_playbook(BOOK.replace("@", ""), ALL - {family})
    assert len(bad.value.faults) == faults
    assert all(f"rests on {family}" in fault.what for fault in bad.value.faults)


@pytest.mark.parametrize(
    ("said", "place"), [("", (1, 1)), ("channels: {names: [web]}", (1, 1)), ("channels: {usual: {app: web}}", (1, 12))]
)
def test_whom_a_play_reaches_rests_on_where_they_were_seen(said: str, place: tuple[int, int]) -> None:
    play = "plays: [{id: p, on: [Product Added], occurrence: event.id, channels: [web]}]"
    with pytest.raises(BadPlaybook) as bad:
        read_playbook(f"{said}\n{play}" if said else play, ALL - {"habits"})
    (fault,) = bad.value.faults
    assert (fault.line, fault.column) == place
    assert "channels.usual rests on habits" in fault.what and "usual: {}" in fault.wanted
    assert read_playbook(f"{said}\n{play}" if said else play).playbook.plays
    assert read_playbook(said, ALL - {"habits"}).version if said else True
    assert read_playbook(f"channels: {{usual: {{}}}}\n{play}", frozenset()).playbook.plays
