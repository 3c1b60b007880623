"""What somebody left behind, and whether it is what W leaves.

The same means, for each customer: as many events, the same first and last event time, as many events of each name,
and fading sums that differ by rounding only (a billionth); and the same triggers, by customer, event time and events
until then, with scores that differ by rounding only. Not compared: keys and bytes, what Kairos keeps beyond W, ids and
reasons of triggers. Whose state is nowhere outside is judged by the triggers alone: each tells events and score.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from math import isclose

import msgspec
from redis.asyncio import Redis

from schemas.codes import KEY_OF
from schemas.customer import Customer, decode_customer
from schemas.event import Event
from schemas.facts import ClickFacts, Did
from schemas.topics import TRIGGERS
from schemas.trigger import decode_trigger
from streams.kafka import read_log
from streams.settings import Settings
from streams.state import open_store
from tests.bench.w.job import Job
from tests.bench.w.work import NAMES, WEIGHTS, State, Trigger, apply, load, trigger_of

COUNTS = ("n_views", "n_searches", "n_lists", "n_adds", "n_removes", "n_checkouts", "n_orders")
"""In the order of NAMES."""
EXACT = ("events", "first", "last", *COUNTS)
NEAR = 1e-9
TOLD = 5
"""Differences named; others are counted."""

decode = msgspec.json.Decoder(Trigger).decode


@dataclass
class Outcome:
    """States by key, triggers in no order."""

    states: dict[bytes, State] = field(default_factory=dict)
    triggers: list[Trigger] = field(default_factory=list)

    def take(self, key: bytes, event: Event, cooldown: float) -> None:
        """Do W here: what others should leave."""
        state = self.states.get(key)
        if state is None:
            state = self.states[key] = State()
        if apply(state, event.name, event.time, event.dwell, cooldown):
            self.triggers.append(trigger_of(key, state, event.time, event.received))


def differences(wanted: Outcome, got: Outcome, states: bool = True) -> list[str]:
    """In words; empty when both are the same. `states`: compare them too."""
    found = [*_of_triggers(wanted.triggers, got.triggers)]
    if states:
        found += _of_states(wanted.states, got.states)
    return [*found[:TOLD], f"and {len(found) - TOLD} more"] if len(found) > TOLD else found


def _of_triggers(wanted: Iterable[Trigger], got: Iterable[Trigger]) -> Iterable[str]:
    theirs = {(one.customer, one.time): one for one in got}
    ours = {(one.customer, one.time): one for one in wanted}
    if len(theirs) != len(got_all := list(got)):
        yield f"triggers: wanted each once, got {len(got_all) - len(theirs)} repeated"
    for place in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(place), theirs.get(place)
        if one is None or other is None or one.events != other.events or not near(one.score, other.score):
            yield f"trigger: wanted {one}, got {other}"


def _of_states(wanted: dict[bytes, State], got: dict[bytes, State]) -> Iterable[str]:
    for key in sorted(wanted.keys() | got.keys()):
        one, other = wanted.get(key, State()), got.get(key, State())
        exact = all(getattr(one, name) == getattr(other, name) for name in EXACT)
        if not exact or not all(near(getattr(one, name), getattr(other, name)) for name in WEIGHTS):
            yield f"state of {key.decode()}: wanted {one}, got {other}"


def near(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=NEAR, abs_tol=NEAR)


async def left_by_kairos(settings: Settings) -> Outcome:
    """Customers of the store, and the topic `triggers`."""
    outcome = Outcome(triggers=[one async for one in _triggers(settings, TRIGGERS, _of_kairos)])
    store = open_store(settings)
    try:
        for number in range(settings.partitions):
            async for key, value in store.slot(number).customers():
                outcome.states[key] = _state(decode_customer(value))
    finally:
        await store.close()
    return outcome


async def left_by_peer(settings: Settings, job: Job, topic: str, keys: list[bytes]) -> Outcome:
    """States of these customers in Redis, and the peer's topic of triggers."""
    outcome = Outcome(triggers=[one async for one in _triggers(settings, topic, decode)])
    async with Redis.from_url(job.redis) as redis:
        values = await redis.mget(map(job.key, keys))
    outcome.states = {key: load(value) for key, value in zip(keys, values, strict=True) if value}
    return outcome


async def _triggers(settings: Settings, topic: str, decode: Callable[[bytes], Trigger]) -> AsyncIterator[Trigger]:
    async for records in read_log(settings, [settings.topic(topic)]):
        for record in records:
            yield decode(record.value or b"")
        await asyncio.sleep(0)


def _of_kairos(value: bytes) -> Trigger:
    one = decode_trigger(value)
    return Trigger(one.customer, one.time, one.received, one.why.score if one.why else 0.0, int(one.data["events"]))


def _state(customer: Customer) -> State:
    facts, none = customer.clickstream or ClickFacts(), Did(0, 0.0)
    sums = customer.decisions.intent.sums if customer.decisions else {}
    counts = [facts.did.get(KEY_OF[name], none).count for name in NAMES]
    state = State(facts.events, facts.first, facts.last, *counts)
    for name in WEIGHTS:
        setattr(state, name, sums.get(name, 0.0))
    return state
