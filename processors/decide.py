"""The whole chain: from records and what we remember to what leaves the house.

A record becomes an event or a fault; a repeated one changes nothing; the facts take it in; the intent warms; the
plays that listen are asked; policies allow, hold or refuse what they propose. A due timer enters at the plays. No
I/O, no clock, no chance: the same turn gives the same bytes.
"""

from collections.abc import Sequence
from typing import Final

from processors import erasing, folds, identity, parcels, plays, returns, standing
from processors.arrivals import admitted, arrivals
from processors.counters import facts_of
from processors.hearing import Hearing, count, take
from processors.outcome import Outcomes
from processors.parcels import Home, Parcels
from processors.persons import in_between, owned_by, person_of
from processors.proposals import Conditions, Person, Proposal, of_held, of_silence
from processors.seen import repeated
from processors.sight import look
from processors.turn import Lost, OfCustomer, Record, Turn
from schemas.customer import Customer, Decisions, Waiting, decode_customer, encode_customer
from schemas.facts import FeedbackFacts
from schemas.families import ALL, Kept
from schemas.part import decode_part
from schemas.playbook import Play, Playbook
from schemas.topics import FEEDBACK, PARTS, TRIGGERS
from schemas.trigger import decode_feedback, decode_trigger


class Decider:
    """The fold of customers. `app` names the tenant; `clock_bound`: seconds by which clocks may differ; `kept`: the
    families of facts that are kept."""

    def __init__(
        self,
        app: str,
        playbook: Playbook,
        conditions: Conditions,
        version: str,
        clock_bound: float = 0.0,
        kept: Kept = ALL,
    ) -> None:
        self.version: Final = version
        self.kept, self.answer = kept, folds.answering(kept)
        self.playbook, self.conditions = playbook, conditions
        self.outcomes = Outcomes(app, playbook, version, clock_bound)
        self.hearing = Hearing(playbook, conditions, self.outcomes, kept)
        self.standing = self.hearing.standing
        self.plays = {play.id: play for play in playbook.plays}
        self.ranks = {play.id: rank for rank, play in enumerate(plays.ranked(playbook.plays))}

    def blank(self) -> Customer:
        return Customer()

    def decode(self, value: bytes) -> Customer:
        return decode_customer(value)

    def encode(self, customer: Customer) -> bytes:
        return encode_customer(customer)

    def absorb(self, turn: Turn[Customer], key: bytes, records: OfCustomer) -> None:
        """Fold the records of one customer, topic by topic, in order."""
        turn.kept = self.kept
        customer = admitted(turn, key, records)
        if customer is None:
            return
        for topic, some in records.items():
            if topic == TRIGGERS:
                self._triggers(turn, key, customer, some)
            elif topic == PARTS:
                self._parts(turn, key, customer, some)
            elif topic == FEEDBACK:
                self._feedback(turn, key, customer, some)
            elif take(self.hearing, turn, topic, key, customer, some):
                self._settle(turn, key, customer)

    def pass_over(self, turn: Turn[Customer], topic: str, lost: Sequence[Lost]) -> None:
        """Records of erased customers that nobody can read any more."""
        if lost:
            erasing.pass_over(turn, topic, lost)

    def spent(self, customer: Customer) -> bool:
        """Whether all that ever came under this id belonged to persons who were erased."""
        return erasing.spent(customer)

    def awaken(self, turn: Turn[Customer], customers: Sequence[bytes]) -> None:
        """Fold the due timers, those of plays of highest priority first."""
        for key in customers:
            customer = turn.customers[key]
            decisions = customer.decisions
            if decisions is not None:
                person = Person(key, person_of(turn, key, customer), decisions)
                if standing.due(decisions, turn.until):
                    turn.changed.add(key)
                    self.standing.settle(turn, person, decisions.look)
                for id in sorted(plays.due(decisions.waiting, turn.until), key=self._rank):
                    turn.changed.add(key)
                    self._wake(turn, person, id)
            turn.wake[key] = plays.wake(decisions)

    def judge(self, turn: Turn[Customer], pending: Sequence[tuple[str, bytes]]) -> None:
        """Decide pending triggers (id, customer) again, in order, against what was read back."""
        returns.judge(self.outcomes, turn, pending)

    def _rank(self, play: str) -> int:
        return self.ranks.get(play, len(self.ranks))

    def _triggers(self, turn: Turn[Customer], key: bytes, customer: Customer, records: Sequence[Record]) -> None:
        for record, trigger in arrivals(turn, TRIGGERS, records, decode_trigger):
            sent = returns.read_back(self.outcomes, turn, key, customer, trigger)
            if customer.identity is not None:
                parcels.pass_on(Home(turn, record, key, customer), sent)

    def _parts(self, turn: Turn[Customer], key: bytes, customer: Customer, records: Sequence[Record]) -> None:
        """What other ids of a customer did: new events of theirs are heard here."""
        applied = duplicates = erased = 0
        memory, stands = self.outcomes.memory, False
        for record, part in arrivals(turn, PARTS, records, decode_part):
            if customer.erased is not None or (part.marker is None and erasing.refuses(customer, PARTS)):
                erased += 1
                if customer.erased is not None:
                    turn.late.add(key)
                erasing.answer(Home(turn, record, key, customer), PARTS, part)
                continue
            turn.changed.add(key)
            events = identity.take(Home(turn, record, key, customer), part, memory, self.plays)
            if events is None:
                duplicates += 1
                continue
            applied += 1
            stands = True
            if (given := part.belongings) and given.stage and not owned_by(customer):
                decisions = customer.decisions = customer.decisions or Decisions()
                self.standing.adopt(turn, decisions, given.stage, given.stage_since)
            for event in events:
                self.hearing.react(self.hearing, turn, key, customer, part.topic, event)
        if stands:
            self._settle(turn, key, customer)
        count(turn, PARTS, applied, duplicates, erased)

    def _settle(self, turn: Turn[Customer], key: bytes, customer: Customer) -> None:
        """Segment and stage of a person, as of their latest event; but not of a time to come, by a sender's wrong
        clock. Who belongs to another, or has no event left, has neither."""
        if not self.standing.needed or in_between(customer):  # then the log of parts will tell
            return
        person, decisions = person_of(turn, key, customer), customer.decisions
        if not owned_by(customer) and any(facts.events for facts in facts_of(person)):
            decisions = customer.decisions = decisions or Decisions()
            self.standing.settle(turn, Person(key, person, decisions), min(standing.latest(person), turn.now))
        elif decisions is not None:
            self.standing.leave(turn, key, decisions)

    def _feedback(self, turn: Turn[Customer], key: bytes, customer: Customer, records: Sequence[Record]) -> None:
        applied = duplicates = erased = 0
        leaving: Parcels = {}
        for record, said in arrivals(turn, FEEDBACK, records, decode_feedback):
            if erasing.refuses(customer, FEEDBACK):
                erased += 1
                if customer.erased is not None:
                    turn.late.add(key)
                continue
            facts = customer.feedback
            if facts is None:
                facts = customer.feedback = FeedbackFacts()
            turn.changed.add(key)
            facts.next = record.offset + 1
            if repeated(facts.seen, said.id, record.timestamp / 1000.0):
                duplicates += 1
            else:
                applied += 1
                self.answer(facts, said)
                if customer.identity is not None:
                    parcels.note(leaving, Home(turn, record, key, customer))
        parcels.dispatch(turn, FEEDBACK, leaving)
        count(turn, FEEDBACK, applied, duplicates, erased)

    def _wake(self, turn: Turn[Customer], person: Person, id: str) -> None:
        """One timer is due: it is fired, cancelled, or held until quiet hours are over."""
        decisions, play = person.decisions, self.plays.get(id)
        waiting = decisions.waiting[id]
        gone = play is None or plays.over(person.customer, play, waiting.armed)
        proposal = None if gone or play is None else self._due(person, play, waiting)
        if proposal is None:
            plays.conclude(turn, decisions, id, "timer:cancelled")
        elif self.outcomes.settle(turn, proposal):
            plays.conclude(turn, decisions, id, "timer:fired")

    def _due(self, person: Person, play: Play, waiting: Waiting) -> Proposal | None:
        """What is proposed now. What an event made a play propose is not asked again: the event is gone."""
        if play.after is None:
            return of_held(play, person, waiting) if waiting.held else None
        moment = waiting.time if waiting.held else waiting.due
        view = look(person.customer, person.key, waiting, moment, self.playbook)
        return of_silence(play, person, waiting, view, self.conditions.at(view), self.playbook.intent)
