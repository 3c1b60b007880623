"""Sums that decay equal the sums of what each event still weighs."""

from math import exp, log, log1p

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import intent
from schemas.customer import Intent
from schemas.playbook import IntentModel
from tests.processors.builders import START, World, added, decider, play, viewed

HALF = 900.0
MODEL = IntentModel.model_validate(
    {"half_life": "15m", "bias": -2, "weights": {"views": 0.5, "adds": 1.0, "dwell": 0.1}}
)
EVENTS = st.lists(
    st.tuples(st.sampled_from(["views", "adds", None]), st.floats(0, 600), st.floats(0, 20_000)), max_size=20
)


@given(EVENTS, st.floats(0, 10_000))
def test_sums_are_those_of_brute_force(events: list[tuple[str | None, float, float]], later: float) -> None:
    warmth = Intent()
    for feature, dwell, time in events:
        intent.warm(warmth, feature, dwell, START + time, HALF)
    now = max((time for _, _, time in events), default=0.0) + later
    wanted = {"bias": -2.0}
    for name, weight in MODEL.weights.items():
        amounts = [(dwell if name == "dwell" else float(f == name), time) for f, dwell, time in events]
        total = sum(amount * exp(-log(2) * (now - time) / HALF) for amount, time in amounts)
        if total:
            wanted[name] = weight * log1p(total)
    told = intent.terms(warmth, MODEL, START + now)
    assert told == pytest.approx(wanted, rel=1e-6, abs=1e-9) or set(wanted) < set(told)
    logit = sum(wanted.values())
    assert intent.score(warmth, MODEL, START + now) == pytest.approx(1 / (1 + exp(-logit)), rel=1e-6)
    assert intent.logistic(sum(told.values())) == pytest.approx(1 / (1 + exp(-logit)), rel=1e-6)


@given(EVENTS, EVENTS)
def test_two_ids_are_as_warm_together_as_one_that_did_it_all(
    mine: list[tuple[str | None, float, float]], theirs: list[tuple[str | None, float, float]]
) -> None:
    a, b, both = Intent(), Intent(), Intent()
    for warmth, events in ((a, mine), (b, theirs), (both, mine + theirs)):
        for feature, dwell, time in events:
            intent.warm(warmth, feature, dwell, START + time, HALF)
    together = intent.together(a, b, HALF)
    assert together.at == both.at and together.sums == pytest.approx(both.sums, rel=1e-6, abs=1e-9)


def test_a_score_is_never_out_of_range() -> None:
    assert intent.logistic(-1e6) == 0.0 and intent.logistic(1e6) == 1.0


def test_an_event_of_the_future_does_not_freeze_the_intent() -> None:
    world = World(decider(intent={"weights": {"views": 1.0}}))
    world.turn(viewed("ann", "hat", at=1e8), viewed("ann", "hat", at=5), now=6)
    decisions = world.ann().decisions
    assert decisions and decisions.intent.at == START + 6 and decisions.intent.sums["views"] > 1.9


def test_a_trigger_tells_the_score_and_its_terms() -> None:
    fold = decider(play("hot"), intent={"bias": -1, "weights": {"views": 0.5, "adds": 2.0}})
    world = World(fold)
    world.turn(viewed("ann", "hat", at=1), added("ann", "hat", at=1), now=2)
    why = world.triggers[0].why
    assert why and why.terms == pytest.approx({"bias": -1, "views": 0.5 * log(2), "adds": 2 * log(2)})
    assert why.score == pytest.approx(1 / (1 + exp(-sum(why.terms.values()))))
