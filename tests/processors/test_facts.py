"""Facts are a fold of each topic's log alone: however it is cut into turns, whichever topic is read first."""

import json
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import folds, profile
from processors.carts import open_lines, purchases
from schemas.event import Event, decode_event, encode_event
from tests.faults.verifier.fold import fold as reference
from tests.faults.verifier.fold import plain
from tests.processors.builders import (
    START,
    Logged,
    World,
    added,
    decider,
    happened,
    identified,
    ordered,
    removed,
    viewed,
)
from tests.processors.strategies import HISTORIES

FAR = 1e6


def facts(world: World) -> dict[bytes, bytes]:
    """All facts, as bytes."""
    fold, told = world.fold, {}
    for key in world.stored:
        customer = world.customer(key)
        customer.decisions = None
        told[key] = fold.encode(customer)
    return told


def folded(turns: Iterable[list[Logged]]) -> World:
    world = World(decider())
    for records in turns:
        world.turn(*records, now=FAR)
    return world


def first_of_each(log: list[Logged], topic: str, key: bytes) -> list[Event]:
    """Events of one customer and topic, repeated ones taken out."""
    events: dict[str, Event] = {}
    for record in log:
        if record.topic == topic and record.key == key:
            event = decode_event(record.value or b"")
            events.setdefault(event.id, event)
    return list(events.values())


@given(HISTORIES, st.lists(st.integers(0, 40), max_size=5))
def test_a_log_gives_the_same_facts_however_it_is_cut(log: list[Logged], cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(log)]
    parts = [log[a:b] for a, b in pairwise(edges)]
    assert facts(folded(parts)) == facts(folded([log]))


@given(HISTORIES)
def test_facts_do_not_depend_on_the_order_of_topics(log: list[Logged]) -> None:
    by_topic = {topic: [r for r in log if r.topic == topic] for topic in ("clickstream", "cart", "pos")}
    forward = folded(by_topic[topic] for topic in ("clickstream", "cart", "pos"))
    backward = folded(by_topic[topic] for topic in ("pos", "cart", "clickstream"))
    assert facts(forward) == facts(backward)


@given(HISTORIES)
def test_facts_equal_a_naive_fold(log: list[Logged]) -> None:
    world = folded([log])
    for key in {record.key for record in log if record.key}:
        stored = json.loads(world.stored[key])
        for topic in folds.FOLDS:
            if events := first_of_each(log, topic, key):
                told = {name: value for name, value in stored[topic].items() if name not in ("next", "seen")}
                said = [json.loads(encode_event(event)) for event in events]
                assert plain(told) == plain(reference(topic, said, key.decode()))


def test_next_is_after_the_last_record_even_a_repeated_one() -> None:
    world = folded([[viewed("ann", "boots", id="a"), viewed("ann", "boots", id="b"), viewed("ann", "hat", id="a")]])
    clicks = world.ann().clickstream
    assert clicks and clicks.next == 3 and clicks.events == 2
    assert world.counts == {"applied:clickstream": 2, "duplicate:clickstream": 1}


def test_an_id_repeated_in_another_topic_is_another_message() -> None:
    world = folded([[viewed("ann", "boots", id="a"), added("ann", "boots", id="a")]])
    assert world.counts == {"applied:clickstream": 1, "applied:cart": 1}


def test_viewed_is_in_order_of_last_looking_and_bounded() -> None:
    world = folded([[viewed("ann", f"p{n}", at=n) for n in range(30)] + [viewed("ann", "late", at=15.5)]])
    clicks = world.ann().clickstream
    assert clicks and [one.id for one in clicks.viewed][:6] == ["p11", "p12", "p13", "p14", "late", "p15"]
    assert len(clicks.viewed) == 20 and clicks.cut == START + 10


def test_made_up_names_cannot_hide_an_order() -> None:
    world = folded([[happened("ann", f"n{n}", topic="pos") for n in range(100)] + [ordered("ann", "hat", at=5)]])
    pos = world.ann().pos
    assert pos and pos.did["*"].count == 36 and profile.at(pos, "Order Completed") == START + 5 and len(pos.did) == 66


def test_a_no_that_comes_late_is_kept() -> None:
    told = [identified("ann", at=9, name="Ann"), identified("ann", at=5, consent={"marketing": False}, name="Annie")]
    clicks = folded([told]).ann().clickstream
    assert clicks and clicks.consent == {"marketing": False} and clicks.name == "Ann"


def test_a_late_no_does_not_undo_a_later_yes() -> None:
    told = [identified("ann", at=9, consent={"marketing": True}), identified("ann", at=5, consent={"marketing": False})]
    clicks = folded([told]).ann().clickstream
    assert clicks and clicks.consent == {"marketing": True}


def test_words_told_are_bounded() -> None:
    told = [identified("ann", at=n, reach={f"c{n}": True}) for n in range(40)]
    clicks = folded([told]).ann().clickstream
    assert clicks and set(clicks.reach) == {f"c{n}" for n in range(8, 40)} and len(clicks.told) == 32


def test_aliases_are_other_ids() -> None:
    seen = [viewed("ann", "hat", at=n, anonymous=who) for n, who in enumerate(["ann", "x", "y", "x"])]
    clicks = folded([seen]).ann().clickstream
    assert clicks and profile.known_as(clicks) == ["y", "x"]


def test_bought_keeps_the_newest() -> None:
    world = folded([[ordered("ann", *(f"p{n}-{m}" for m in range(30)), at=n) for n in range(5)]])
    pos = world.ann().pos
    bought = purchases(pos) if pos else {}
    assert pos and len(bought) == 4 * 30 and not any(id.startswith("p0") for id in bought)
    assert pos.receipts[-1].products[0] == "p4-0" and pos.orders == 5


@pytest.mark.parametrize("quantity, left", [(1, 4), (3, 2), (9, 0)])
def test_removing_takes_the_pieces_added_last(quantity: int, left: int) -> None:
    log = [added("ann", "hat", at=1, quantity=2), added("ann", "hat", at=2, quantity=3)]
    cart = folded([[*log, removed("ann", "hat", at=3, quantity=quantity)]]).ann().cart
    assert cart and sum(pieces for _, pieces in open_lines(cart, None)) == left


def test_every_topic_of_events_has_a_fold() -> None:
    assert set(folds.FOLDS) == {"clickstream", "cart", "pos"}
