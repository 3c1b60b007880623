"""Events are taken in and heard: facts first, then warmth, stage, and what the plays say that listen."""

from collections.abc import Callable, Sequence
from typing import Final

from processors import erasing, folds, identity, intent, parcels, plays
from processors.arrivals import arrivals
from processors.compiled import compiled_in
from processors.outcome import Outcomes
from processors.owners import gone
from processors.parcels import Home, Parcels
from processors.persons import owned_by, person_of
from processors.plays import Listening
from processors.proposals import Conditions, Person, of_event
from processors.seen import repeated
from processors.sight import look
from processors.standing import Standing
from processors.turn import Record, Turn
from schemas.customer import Customer, Decisions
from schemas.event import Event, decode_event
from schemas.families import Kept
from schemas.playbook import Playbook

compiled = compiled_in("_hearing")
React = Callable[["Hearing", Turn[Customer], bytes, Customer, str, Event], bool]


class Hearing:
    """What takes events in, and who listens to them in a playbook. `kept`: the families of facts that are kept."""

    def __init__(self, playbook: Playbook, conditions: Conditions, outcomes: Outcomes, kept: Kept) -> None:
        self.folds: Final = folds.folds(kept)
        self.rules: Final = playbook.identity
        self.playbook: Final = playbook
        self.half_life: Final = playbook.intent.half_life
        self.conditions = conditions
        self.outcomes: Final = outcomes
        self.listening: Final = plays.by_event(playbook)
        self.standing: Final = Standing(playbook, conditions, self._made)
        self.react: React = react
        """What is done with each event that is heard here: who wants to know of them puts something before it."""

    def _made(self, turn: Turn[Customer], person: Person, event: Event) -> None:
        """Plays hear of an event the engine made."""
        if (heard := self.listening.get(event.name)) is not None:
            hear(self, turn, person, event, heard)


@compiled
def take(
    hearing: Hearing, turn: Turn[Customer], topic: str, key: bytes, customer: Customer, records: Sequence[Record]
) -> bool:
    """Records of a topic of events, of one customer. True when segment and timer must be settled after them."""
    facts_of_topic, fold = hearing.folds[topic]
    applied = duplicates = erased = 0
    leaving: Parcels = {}
    facts, stands = None, False
    for record, event in arrivals(turn, topic, records, decode_event):
        if customer.erased is not None:
            erased += 1
            turn.late.add(key)
            erasing.late(Home(turn, record, key, customer), hearing.rules, topic, event)
            continue
        if facts is None:
            facts = facts_of_topic(customer)
            turn.changed.add(key)
        facts.next = record.offset + 1
        if repeated(facts.seen, event.id, record.timestamp / 1000.0):
            duplicates += 1
            continue
        if event.marker is not None:
            applied += 1
            identity.mark(Home(turn, record, key, customer), leaving, topic, event, event.marker)
            facts, stands = None, True  # another stretch may have begun
            continue
        known = customer.identity
        side = getattr(known, topic) if known is not None else None
        if side is not None and gone(side.owner):
            erased += 1
            continue
        applied += 1
        fold(facts, event, key)
        if not identity.own(known, side, event) and identity.elsewhere(
            Home(turn, record, key, customer), hearing.rules, leaving, topic, event
        ):
            continue
        if hearing.react(hearing, turn, key, customer, topic, event):
            stands = True
        if owned_by(customer):
            parcels.hand_over(Home(turn, record, key, customer), topic)
    if leaving:
        parcels.dispatch(turn, topic, leaving)
    count(turn, topic, applied, duplicates, erased)
    return stands


def count(turn: Turn[Customer], topic: str, applied: int, duplicates: int, erased: int) -> None:
    if applied:
        turn.counts[f"applied:{topic}"] += applied
    if duplicates:
        turn.counts[f"duplicate:{topic}"] += duplicates
    if erased:
        turn.counts[f"erased:{topic}"] += erased


@compiled
def react(hearing: Hearing, turn: Turn[Customer], key: bytes, customer: Customer, topic: str, event: Event) -> bool:
    """What follows of an event. True when segment and timer must be settled after it."""
    feature, heard = intent.FEATURES.get(event.name), hearing.listening.get(event.name)
    stands = hearing.standing.needed and not owned_by(customer)
    if feature is None and not event.dwell and heard is None and not stands:
        return False
    decisions = customer.decisions
    if decisions is None:
        decisions = customer.decisions = Decisions()
    intent.warm(decisions.intent, feature, event.dwell, min(event.time, turn.now), hearing.half_life)
    if heard is None and not stands:
        return False
    person = Person(key, person_of(turn, key, customer), decisions)
    stands = stands and hearing.standing.event(turn, person, topic, event)
    if heard is not None:
        hear(hearing, turn, person, event, heard)
    return stands


@compiled
def hear(hearing: Hearing, turn: Turn[Customer], person: Person, event: Event, heard: Listening) -> None:
    """Silences begin and end, and plays are asked, because of an event."""
    customer, decisions = person.customer, person.decisions
    moved = False
    for play in heard.ended:
        moved |= plays.stop(turn, customer, decisions, play)
    for play in heard.started:
        moved |= plays.start(turn, customer, decisions, play, event)
    if moved:
        turn.wake[person.key] = plays.wake(decisions)
    if not heard.asked:
        return
    view = look(customer, person.key, event, event.time, hearing.playbook)
    answers = hearing.conditions.at(view)
    for play in heard.asked:
        if play.unless and plays.over(customer, play, event.time):
            continue
        if hearing.outcomes.told(play, person, answers):
            continue
        proposal = of_event(play, person, event, view, answers, hearing.playbook.intent)
        if proposal is not None:
            hearing.outcomes.settle(turn, proposal)
