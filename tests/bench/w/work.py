"""W itself: the fold of one customer, the trigger, and the same in Kairos's words.

One state a customer. All sums fade with one half-life; a late event weighs what it would weigh by now. Scores are
worked out in the order in which Kairos adds, so that both round alike.
"""

from math import exp, log, log1p
from typing import Any, Final

import msgspec
from msgspec import Struct

from schemas.event import ADDED, CHECKOUT, LIST_VIEWED, ORDERED, PRODUCT_VIEWED, REMOVED, SEARCHED

HALF_LIFE: Final = 600.0
BIAS: Final = -3.6
WEIGHTS: Final = {
    "views": 0.55,
    "searches": 0.35,
    "lists": 0.2,
    "adds": 0.95,
    "removes": -0.4,
    "checkouts": 1.3,
    "orders": -0.9,
    "dwell": 0.12,
}
VIEWS, SEARCHES, LISTS, ADDS, REMOVES, CHECKOUTS, ORDERS, DWELL = WEIGHTS.values()
THRESHOLD: Final = 0.85
ONCE: Final = 86_400.0
"""Cooldown, in seconds, of a backlog: longer than backlog and run together. Kairos counts it by the time it decides,
the others by event time; so long it is the same."""

NAMES: Final = (PRODUCT_VIEWED, SEARCHED, LIST_VIEWED, ADDED, REMOVED, CHECKOUT, ORDERED)
"""In the order of the weights, and of the counts of a state."""
RATE: Final = -log(2.0) / HALF_LIFE


class State(Struct, array_like=True, gc=False):
    """What W remembers of a customer. Sums are as of `last`."""

    events: int = 0
    first: float = 0.0
    last: float = 0.0
    n_views: int = 0
    n_searches: int = 0
    n_lists: int = 0
    n_adds: int = 0
    n_removes: int = 0
    n_checkouts: int = 0
    n_orders: int = 0
    views: float = 0.0
    searches: float = 0.0
    lists: float = 0.0
    adds: float = 0.0
    removes: float = 0.0
    checkouts: float = 0.0
    orders: float = 0.0
    dwell: float = 0.0
    score: float = 0.0
    triggered: float = 0.0
    """Event time of the latest trigger; 0: none."""


class Trigger(Struct):
    """What leaves. Names are those of Kairos's triggers."""

    customer: str
    time: float
    """Event time."""
    received: float
    """As the event has it."""
    score: float
    events: int
    """Of this customer so far."""


decode_state = msgspec.msgpack.Decoder(State).decode
encode_state = msgspec.msgpack.Encoder().encode
encode_trigger = msgspec.json.Encoder().encode
asdict = msgspec.structs.asdict


def apply(state: State, name: str, time: float, dwell: float, cooldown: float) -> bool:
    """Fold one event. True when it makes a trigger."""
    age, weight = time - state.last, 1.0
    if not state.events:
        state.first = state.last = time
    elif age > 0.0:
        fade = exp(RATE * age)
        state.views *= fade
        state.searches *= fade
        state.lists *= fade
        state.adds *= fade
        state.removes *= fade
        state.checkouts *= fade
        state.orders *= fade
        state.dwell *= fade
        state.last = time
    elif age < 0.0:
        weight = exp(-RATE * age)
        state.first = min(state.first, time)
    state.events += 1
    if name == PRODUCT_VIEWED:
        state.n_views += 1
        state.views += weight
    elif name == LIST_VIEWED:
        state.n_lists += 1
        state.lists += weight
    elif name == SEARCHED:
        state.n_searches += 1
        state.searches += weight
    elif name == ADDED:
        state.n_adds += 1
        state.adds += weight
    elif name == ORDERED:
        state.n_orders += 1
        state.orders += weight
    elif name == CHECKOUT:
        state.n_checkouts += 1
        state.checkouts += weight
    elif name == REMOVED:
        state.n_removes += 1
        state.removes += weight
    state.dwell += dwell * weight
    state.score = score = 1.0 / (1.0 + exp(-logit(state)))
    if score < THRESHOLD or (state.triggered and time - state.triggered < cooldown):
        return False
    state.triggered = time
    return True


def logit(state: State) -> float:
    return (
        BIAS
        + VIEWS * log1p(state.views)
        + SEARCHES * log1p(state.searches)
        + LISTS * log1p(state.lists)
        + ADDS * log1p(state.adds)
        + REMOVES * log1p(state.removes)
        + CHECKOUTS * log1p(state.checkouts)
        + ORDERS * log1p(state.orders)
        + DWELL * log1p(state.dwell)
    )


def load(value: Any) -> State:
    """A state as it was kept, or a new one where there is none."""
    return decode_state(value) if value else State()


def trigger_of(customer: bytes, state: State, time: float, received: float) -> Trigger:
    return Trigger(customer.decode(), time, received, state.score, state.events)


FACTS: Final = "none"
"""KAIROS_FACTS of W: it remembers counts and sums, so no timeline, windows, habits, likes and looks."""


def playbook(cooldown: float) -> str:
    """W as a playbook; all channels reach all. `cooldown` in seconds; short ones are for triggers that come again and
    again."""
    return f"""
policies:
  consent: {{unknown: allow}}
channels: {{usual: {{}}, unknown: allow}}
intent:
  half_life: {HALF_LIFE:g}s
  bias: {BIAS}
  weights: {{{", ".join(f"{name}: {weight}" for name, weight in WEIGHTS.items())}}}
plays:
  - id: warm
    on: [{", ".join(NAMES)}]
    when: intent.score >= {THRESHOLD}
    occurrence: {"event.day" if cooldown >= ONCE else "event.id"}
    channels: [web, push, email]
    data: {{events: customer.events}}
    cooldown: {cooldown:g}s
    expires: 24h
"""
