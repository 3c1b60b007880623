"""Stages: a state machine the playbook gives as a table. An event moves a customer on, silence lets them lapse.

Event times decide: an event older than the last change moves nobody. Silence counts from the latest event of the
customer, or from the change if that came later.
"""

from typing import Final

from processors.counters import facts_of
from processors.proposals import Answers
from schemas.customer import Customer, Decisions
from schemas.event import Event
from schemas.playbook import Move, Stages


def rule(number: int) -> str:
    """The name a row's condition is asked by."""
    return f"stage:{number}"


class Ladder:
    """The stages of a playbook."""

    def __init__(self, stages: Stages | None) -> None:
        self.first: Final = stages.first if stages else ""
        self.lapses: Final = {lapse.from_: lapse for lapse in stages.lapse} if stages else {}
        self._moves: Final[dict[tuple[str, str], list[tuple[str, Move]]]] = {}
        for number, move in enumerate(stages.table if stages else ()):
            for stage in move.from_:
                for name in move.on:
                    self._moves.setdefault((stage, name), []).append((rule(number), move))
        self.heard: Final = {name for _, name in self._moves}

    def concerns(self, decisions: Decisions, event: Event) -> bool:
        """Whether an event may move this customer."""
        stage = decisions.stage or self.first
        return event.time >= decisions.stage_since and (stage, event.name) in self._moves

    def moved(self, decisions: Decisions, event: Event, answers: Answers) -> str:
        """The stage an event moves to: that of the first row whose condition holds. Empty: none."""
        rows = self._moves[decisions.stage or self.first, event.name]
        return next((move.to for rule, move in rows if move.when == "true" or answers.rule(rule)), "")

    def lapses_at(self, customer: Customer, decisions: Decisions) -> float:
        """When silence will have lasted long enough; 0: never."""
        lapse = self.lapses.get(decisions.stage)
        if lapse is None:
            return 0.0
        return max((decisions.stage_since, *(facts.last for facts in facts_of(customer)))) + lapse.after
