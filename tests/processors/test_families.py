"""Families of facts that are not kept: what is left is what it was with them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.folds import answering, folds
from processors.identity import take
from processors.joined import join
from processors.parcels import Home
from processors.turn import Turn
from schemas.customer import Customer, encode_customer
from schemas.event import Event
from schemas.facts import CartFacts, ClickFacts, FeedbackFacts, PosFacts
from schemas.families import ALL, FAMILIES, Kept, lacking, read_families, write_families
from schemas.part import Part, decode_part
from schemas.topics import CART, CLICKSTREAM, POS
from schemas.trigger import Feedback
from tests.processors.builders import START, Logged, World, decider, viewed
from tests.processors.estate import Estate
from tests.processors.lives import TOPICS, Lives
from tests.processors.test_identity import log_in, settled

FACTS: dict[str, type[Any]] = {CLICKSTREAM: ClickFacts, CART: CartFacts, POS: PosFacts}
SEEDS, TOPIC = st.integers(0, 2**32), st.sampled_from(TOPICS)
KEPT = st.sets(st.sampled_from(sorted(ALL))).map(frozenset)
ONE_LESS = [ALL - {family} for family in FAMILIES]
MOST = 100


def folded(topic: str, events: list[Event], kept: Kept) -> Any:
    facts, fold = FACTS[topic](), folds(kept)[topic][1]
    for event in events:
        fold(facts, event, b"anon1")
    return facts


@given(TOPIC, SEEDS, st.booleans(), KEPT)
@settings(max_examples=80, deadline=None)
def test_a_fold_of_fewer_is_the_full_one_without_them(topic: str, seed: int, wide: bool, kept: Kept) -> None:
    events = Lives(seed, wide).events(topic, MOST)
    fewer, full = folded(topic, events, kept), folded(topic, events, ALL)
    assert encode_customer(Customer(**{topic: fewer})) == encode_customer(Customer(**{topic: lacking(full, kept)}))


@given(TOPIC, SEEDS, st.booleans(), KEPT, st.integers(0, MOST))
@settings(max_examples=60, deadline=None)
def test_facts_of_fewer_join_as_all_do(topic: str, seed: int, wide: bool, kept: Kept, cut: int) -> None:
    events = Lives(seed, wide).events(topic, MOST)
    a, b = folded(topic, events[:cut], kept), folded(topic, events[cut:], kept)
    assert join(a, b) == folded(topic, events, kept)


@pytest.mark.parametrize("kept", ONE_LESS, ids=write_families)
def test_what_is_left_out_is_that_family_and_nothing_else(kept: Kept) -> None:
    (gone,) = ALL - kept
    empty: set[str] = set()
    for topic in TOPICS:
        events = [event for seed in range(9) for event in Lives(seed, True).events(topic, MOST)]
        fewer, full = folded(topic, events, kept), folded(topic, events, ALL)
        names = {name for name in full.__struct_fields__ if getattr(fewer, name) != getattr(full, name)}
        assert names <= {*FAMILIES[gone]}
        assert not any(getattr(fewer, name) for name in names)
        empty |= names
    assert empty == {*FAMILIES[gone]}


def test_receipts_keep_their_own_cut() -> None:
    pos = PosFacts(events=1, cut=(5.0, "o1"))
    assert lacking(pos, frozenset()).cut == (5.0, "o1")


@pytest.mark.parametrize("timeline", [True, False])
def test_feedback_is_counted_with_and_without_a_timeline(timeline: bool) -> None:
    facts = FeedbackFacts()
    answering(ALL if timeline else ALL - {"timeline"})(facts, Feedback("f", "t", "opened", 9.0, "push"))
    assert (facts.events, facts.counts, bool(facts.touches)) == (1, {"push": {"opened": 1}}, timeline)


def test_the_whole_chain_keeps_what_it_is_told_to() -> None:
    world = World(decider(kept=frozenset({"likes"})))
    world.turn(viewed("ann", "boots", id="a"), now=0)
    clicks = world.ann().clickstream
    assert clicks and clicks.events == 1 and clicks.likes and clicks.last == START
    assert not (clicks.minutes or clicks.touches or clicks.clock or clicks.viewed)


def told(home: Home, kept: Kept, version: int = 9) -> tuple[Any, list[Event] | None]:
    """A phone tells what it holds; answers that, and what is heard."""
    facts = folded(CLICKSTREAM, Lives(3, False).events(CLICKSTREAM, MOST), kept)
    said = "" if kept == ALL else write_families(kept)
    part = Part(["phone"], CLICKSTREAM, (0, version), clickstream=facts, kept=said)
    return facts, take(home, part, 1.0, {})


def home_of(kept: Kept) -> Home:
    turn = Turn[Customer](0.0, 0.0, {})
    turn.kept = kept
    return Home(turn, Logged("parts", b"ann", b""), b"ann", Customer())


@pytest.mark.parametrize("kept", [ALL, frozenset({"likes"}), frozenset[str]()])
def test_a_part_from_before_a_rebuild_holds_no_more_than_is_kept(kept: Kept) -> None:
    home = home_of(kept)
    facts, heard = told(home, ALL)
    assert heard == [] and home.side(CLICKSTREAM).held["phone"].facts == lacking(facts, kept)
    assert told(home, kept)[1] is None


def test_a_part_that_lacked_what_is_kept_now_is_told_again() -> None:
    home = home_of(ALL - {"viewed"})
    held = home.side(CLICKSTREAM).held
    assert told(home, frozenset({"viewed", "likes"}))[1] == [] and held["phone"].short
    assert told(home, frozenset({"likes"}))[1] is None
    assert told(home, ALL - {"viewed"}, 8)[1] is None
    facts, heard = told(home, ALL - {"viewed"})
    assert heard == [] and held["phone"].facts == facts and not held["phone"].short
    assert told(home, ALL - {"viewed"})[1] is None


def test_a_part_says_which_facts_its_sender_keeps() -> None:
    for kept, said in ((ALL, ""), (frozenset({"likes"}), "likes"), (frozenset[str](), "none")):
        estate = settled(log_in("ann", "phone", at=1), viewed("phone", "boots", at=2), world=Estate(decider(kept=kept)))
        parts = [decode_part(message.value or b"") for message in estate.left if message.topic == "parts"]
        assert {part.kept for part in parts if part.clickstream is not None} == {said}


@pytest.mark.parametrize(
    ("text", "kept"),
    [("none", ""), ("viewed, windows", "windows,viewed"), (",".join(FAMILIES), "windows,timeline,habits,likes,viewed")],
)
def test_a_list_is_read_and_written_in_one_order(text: str, kept: str) -> None:
    assert write_families(read_families(text)) == (kept or "none")


@pytest.mark.parametrize("text", ["", "none,windows", "windows,", "hours"])
def test_another_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"wanted families of windows, .* or none; got '"):
        read_families(text)
