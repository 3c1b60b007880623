"""How warm: a purchase intent that cools with its half-life. One sum a feature, so an event costs the same for ever.

It is a decision, not a fact: its half-life comes from the playbook. A late event weighs what it would weigh by now.
"""

from math import exp, log, log1p
from typing import Final

from processors.compiled import compiled
from schemas.customer import Intent
from schemas.event import ADDED, CHECKOUT, LIST_VIEWED, ORDERED, PRODUCT_VIEWED, REMOVED, SEARCHED
from schemas.playbook import IntentModel

FEATURES: Final = {
    PRODUCT_VIEWED: "views",
    SEARCHED: "searches",
    LIST_VIEWED: "lists",
    ADDED: "adds",
    REMOVED: "removes",
    CHECKOUT: "checkouts",
    ORDERED: "orders",
}
"""Event name -> the sum it adds one to. Seconds of dwell add to `dwell`, whatever the event."""

LN2: Final = log(2.0)


@compiled
def warm(intent: Intent, feature: str | None, dwell: float, time: float, half_life: float) -> None:
    """Add one event. Sums are as of the latest event's time."""
    sums, age = intent.sums, time - intent.at
    weight = 1.0
    if age > 0.0:
        fade = exp(-LN2 * age / half_life)
        for name in sums:
            sums[name] *= fade
        intent.at = time
    elif age < 0.0:
        weight = exp(LN2 * age / half_life)
    if feature is not None:
        sums[feature] = sums.get(feature, 0.0) + weight
    if dwell:
        sums["dwell"] = sums.get("dwell", 0.0) + dwell * weight


def together(a: Intent, b: Intent, half_life: float) -> Intent:
    """Sums of two, as of the later one."""
    if a.at < b.at:
        a, b = b, a
    sums, fade = dict(a.sums), exp(-LN2 * (a.at - b.at) / half_life)
    for name, value in b.sums.items():
        sums[name] = sums.get(name, 0.0) + value * fade
    return Intent(a.at, sums)


def faded(intent: Intent, model: IntentModel, time: float) -> float:
    """What sums weigh at `time`."""
    return exp(-LN2 * (time - intent.at) / model.half_life) if time > intent.at else 1.0


def terms(intent: Intent | None, model: IntentModel, time: float) -> dict[str, float]:
    """What each term adds to the logit of the score at `time`, the bias among them."""
    added = {"bias": model.bias}
    if intent is not None:
        sums, fade = intent.sums, faded(intent, model, time)
        for name, weight in model.weights.items():
            if name in sums:
                added[name] = weight * log1p(sums[name] * fade)
    return added


@compiled
def score(intent: Intent | None, model: IntentModel, time: float) -> float:
    """Purchase intent at `time`, 0 to 1: the terms, added up in their order."""
    logit = model.bias
    if intent is not None:
        sums, fade = intent.sums, faded(intent, model, time)
        for name, weight in model.weights.items():
            if name in sums:
                logit += weight * log1p(sums[name] * fade)
    return logistic(logit)


def logistic(logit: float) -> float:
    return 1.0 / (1.0 + exp(-logit)) if logit > -700.0 else 0.0
