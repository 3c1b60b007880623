"""Facts are what the set of their events says: in any order, cut anywhere, of any number of ids of one person."""

import random
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors import folds
from processors.joined import join
from schemas.event import Event, encode_event
from schemas.facts import CartFacts, ClickFacts, FeedbackFacts, PosFacts
from schemas.topics import CART, CLICKSTREAM, FEEDBACK, POS
from schemas.trigger import Feedback, encode_feedback
from tests.faults.verifier.fold import fold as reference
from tests.faults.verifier.fold import plain
from tests.processors.lives import TOPICS, Lives

FACTS: dict[str, type[Any]] = {CLICKSTREAM: ClickFacts, CART: CartFacts, POS: PosFacts}
SEEDS, TOPIC = st.integers(0, 2**32), st.sampled_from(TOPICS)
MOST = 100
"""Events of a life: enough for every bound when it is wide."""


def folded(topic: str, events: list[Event]) -> Any:
    facts = FACTS[topic]()
    for event in events:
        folds.FOLDS[topic][1](facts, event, b"anon1")
    return facts


def shuffled(events: list[Any], seed: int) -> list[Any]:
    return random.Random(seed).sample(events, len(events))


@given(TOPIC, SEEDS, st.booleans())
@settings(max_examples=60, deadline=None)
def test_facts_equal_a_reference_that_sees_all_events_at_once(topic: str, seed: int, wide: bool) -> None:
    events = Lives(seed, wide).events(topic, MOST)
    told = msgspec.json.decode(msgspec.json.encode(folded(topic, events)))
    said = [msgspec.json.decode(encode_event(event)) for event in events]
    assert plain(told) == plain(reference(topic, said, "anon1"))


@given(TOPIC, SEEDS, st.booleans(), SEEDS)
@settings(max_examples=60, deadline=None)
def test_the_order_of_a_log_does_not_show(topic: str, seed: int, wide: bool, order: int) -> None:
    events = Lives(seed, wide).events(topic, MOST)
    assert folded(topic, shuffled(events, order)) == folded(topic, events)


@given(TOPIC, SEEDS, st.booleans(), SEEDS, st.integers(0, MOST))
@settings(max_examples=60, deadline=None)
def test_a_fold_of_all_is_the_join_of_folds(topic: str, seed: int, wide: bool, order: int, cut: int) -> None:
    """Of a log cut in two, and of two ids' logs that lay one into the other."""
    events = shuffled(Lives(seed, wide).events(topic, MOST), order)
    a, b = folded(topic, events[:cut]), folded(topic, events[cut:])
    before = deepcopy((a, b))
    assert join(a, b) == folded(topic, events)
    assert (a, b) == before


@given(TOPIC, SEEDS, st.booleans())
@settings(max_examples=30, deadline=None)
def test_joining_asks_for_no_order(topic: str, seed: int, wide: bool) -> None:
    lives = Lives(seed, wide)
    a, b, c = (folded(topic, lives.events(topic, MOST)) for _ in range(3))
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))


@given(TOPIC, SEEDS)
@settings(max_examples=30, deadline=None)
def test_joined_facts_go_on_as_others_do(topic: str, seed: int) -> None:
    """What is joined can be folded on, and shares nothing with what it came from."""
    lives = Lives(seed, True)
    x, y, z = (lives.events(topic, MOST) for _ in range(3))
    a, b = folded(topic, x), folded(topic, y)
    before, both = deepcopy((a, b)), join(a, b)
    for event in z:
        folds.FOLDS[topic][1](both, event, b"anon1")
    assert both == folded(topic, x + y + z) and (a, b) == before
    assert join(folded(topic, x), FACTS[topic]()) == join(FACTS[topic](), folded(topic, x)) == folded(topic, x)


@pytest.mark.parametrize("wide", [False, True])
def test_nothing_of_this_is_empty(wide: bool) -> None:
    """The lives reach what the tests above are about."""
    clicks, cart, pos = (
        folded(topic, [e for s in range(9) for e in Lives(s, wide).events(topic, MOST)]) for topic in TOPICS
    )
    empty = [name for facts in (clicks, cart, pos) for name in facts.__struct_fields__ if not getattr(facts, name)]
    assert {*empty} <= {"next", "seen", "cut"}
    assert (bool(clicks.cut), pos.cut != (0.0, "")) == (wide, True)


SAID = st.builds(
    Feedback,
    id=st.just("f"),
    trigger=st.just("t"),
    what=st.sampled_from(["delivered", "opened", "clicked"]),
    time=st.integers(0, 50).map(float),
    channel=st.one_of(st.sampled_from(["push", "other", ""]), st.integers(0, 120).map(str)),
)


@given(st.lists(SAID, min_size=1, max_size=200), st.integers(0, 200))
@settings(max_examples=50, deadline=None)
def test_feedback_joins_too(said: list[Feedback], cut: int) -> None:
    def all_of(some: list[Feedback]) -> FeedbackFacts:
        facts = FeedbackFacts()
        for one in some:
            folds.FEEDBACK_FOLD(facts, one)
        return facts

    whole = all_of(said)
    assert join(all_of(said[:cut]), all_of(said[cut:])) == join(all_of(said[cut:]), all_of(said[:cut])) == whole
    told = msgspec.json.decode(msgspec.json.encode(whole))
    assert plain(told) == plain(reference(FEEDBACK, [msgspec.json.decode(encode_feedback(one)) for one in said], ""))
