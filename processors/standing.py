"""Where a customer stands, segment and stage, and what changes it: events, and time.

A change is an event that plays may hear (`Segment Left`, `Segment Entered`, `Stage Changed`); it is in no topic and no
facts, its id follows from what changed and when. Who is where is counted in the books: `segment:<leaf>` and
`stage:<stage>`. Both are asked of the person as a whole: an id that belongs to another has none of its own.
"""

from collections.abc import Callable
from typing import Final

from processors.counters import facts_of
from processors.plays import wake
from processors.proposals import Answers, Conditions, Person
from processors.segments import Waterfall
from processors.sight import look
from processors.stages import Ladder
from processors.turn import Turn
from schemas.customer import Customer, Decisions, Waiting
from schemas.event import SEGMENT_ENTERED, SEGMENT_LEFT, STAGE_CHANGED, Event
from schemas.playbook import Playbook

Hear = Callable[[Turn[Customer], Person, Event], None]


class Standing:
    """Segments and stages of a playbook. `hear`: how plays hear of a change."""

    def __init__(self, playbook: Playbook, conditions: Conditions, hear: Hear) -> None:
        self.playbook, self.conditions, self.hear = playbook, conditions, hear
        self.waterfall, self.ladder = Waterfall(playbook), Ladder(playbook.stages)
        self.needed: Final = bool(self.waterfall.leaves or self.ladder.first)

    def event(self, turn: Turn[Customer], person: Person, topic: str, event: Event) -> bool:
        """An event may move a customer to another stage. True when segment and timer must be settled after it."""
        decisions, ladder = person.decisions, self.ladder
        before = decisions.stage
        if ladder.first and not decisions.stage:
            self._stage(turn, person, ladder.first, event.time)
        if event.name in ladder.heard and ladder.concerns(decisions, event):
            answers = self._asked(person, event, event.time)
            if (to := ladder.moved(decisions, event, answers)) and to != decisions.stage:
                self._stage(turn, person, to, event.time)
        moved = decisions.stage != before
        return moved or (bool(self.waterfall.leaves) and self.waterfall.concerns(decisions.segment, topic, event))

    def settle(self, turn: Turn[Customer], person: Person, moment: float) -> None:
        """Ask all that time or events may have changed, as of a moment, and when to ask again."""
        decisions, customer = person.decisions, person.customer
        if self.ladder.first and not decisions.stage:
            self._stage(turn, person, self.ladder.first, moment)
        lapse = self.ladder.lapses_at(customer, decisions)
        if lapse and lapse <= moment:
            self._stage(turn, person, self.ladder.lapses[decisions.stage].to, lapse)
        if self.waterfall.leaves:
            self._segment(turn, person, moment)
        times = (self.waterfall.hours.after(customer, moment), self.ladder.lapses_at(customer, decisions))
        decisions.look = min((time for time in times if time > moment), default=0.0)
        turn.wake[person.key] = wake(decisions)

    def adopt(self, turn: Turn[Customer], decisions: Decisions, stage: str, since: float) -> None:
        """Who is still in the first stage goes on where another id of the same person has come to. No play hears of it:
        it was heard there."""
        if self.ladder.first and stage and decisions.stage in ("", self.ladder.first):
            self._put(turn, decisions, stage, since)

    def leave(self, turn: Turn[Customer], key: bytes, decisions: Decisions) -> None:
        """An id that belongs to another has no segment and no stage."""
        uncount(turn, decisions)
        decisions.segment = decisions.stage = ""
        decisions.segment_since = decisions.stage_since = decisions.look = 0.0
        turn.wake[key] = wake(decisions)

    def _segment(self, turn: Turn[Customer], person: Person, moment: float) -> None:
        decisions = person.decisions
        leaf, before = self.waterfall.leaf(self._asked(person, Waiting(0.0, moment), moment)), decisions.segment
        if leaf == before:
            return
        decisions.segment, decisions.segment_since = leaf, moment
        turn.counts[f"segment:{leaf}"] += 1
        if before:
            turn.counts[f"segment:{before}"] -= 1
            self._tell(turn, person, SEGMENT_LEFT, moment, {"segment": before, "to": leaf})
        self._tell(turn, person, SEGMENT_ENTERED, moment, {"segment": leaf, "from": before})

    def _stage(self, turn: Turn[Customer], person: Person, stage: str, moment: float) -> None:
        before = person.decisions.stage
        self._put(turn, person.decisions, stage, moment)
        self._tell(turn, person, STAGE_CHANGED, moment, {"stage": stage, "from": before})

    def _put(self, turn: Turn[Customer], decisions: Decisions, stage: str, moment: float) -> None:
        if decisions.stage:
            turn.counts[f"stage:{decisions.stage}"] -= 1
        turn.counts[f"stage:{stage}"] += 1
        decisions.stage, decisions.stage_since = stage, moment

    def _tell(self, turn: Turn[Customer], person: Person, name: str, moment: float, what: dict[str, str]) -> None:
        id = f"{name}:{what.get('segment', what.get('stage'))}:{moment:.6f}"
        self.hear(turn, person, Event(id, name, moment, properties={**what}))

    def _asked(self, person: Person, cause: Event | Waiting, moment: float) -> Answers:
        return self.conditions.at(look(person.customer, person.key, cause, moment, self.playbook))


def uncount(turn: Turn[Customer], decisions: Decisions) -> None:
    """Nobody stands there any more."""
    if decisions.segment:
        turn.counts[f"segment:{decisions.segment}"] -= 1
    if decisions.stage:
        turn.counts[f"stage:{decisions.stage}"] -= 1


def latest(customer: Customer) -> float:
    """Event time of the latest event of all topics."""
    return max((facts.last for facts in facts_of(customer)), default=0.0)


def due(decisions: Decisions, until: float) -> bool:
    """Whether time alone may have changed something."""
    return 0.0 < decisions.look <= until
