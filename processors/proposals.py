"""Proposals: a play's condition holds. Made of an event, of a silence that is over, or of what was held before."""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from processors import intent
from processors.persons import intent_of
from processors.view import View
from schemas.customer import Customer, Decisions, Waiting
from schemas.event import Event
from schemas.playbook import IntentModel, Play
from schemas.trigger import Why


class Answers(Protocol):
    """What the conditions of plays say of one view. An error in a condition is a no."""

    def holds(self, play: str) -> bool: ...
    def occurrence(self, play: str) -> str:
        """Empty when it cannot be told: then there is no proposal."""

    def data(self, play: str) -> dict[str, str]: ...
    def facts(self, play: str) -> dict[str, str | float | bool]: ...
    def rule(self, name: str) -> bool:
        """Whether a condition of segments or stages holds."""

    def leaf(self) -> str:
        """The leaf that takes the customer, where that can be told at once; else empty."""

    def error(self, play: str) -> str:
        """Why something asked of this play had no answer; empty when all had."""


class Conditions(Protocol):
    """The conditions of a playbook, ready to be asked."""

    def at(self, view: View) -> Answers: ...


class Person(Struct):
    """Whom it is about."""

    key: bytes
    customer: Customer
    """As a whole: also what other ids of this person did."""
    decisions: Decisions


class Reasons(Struct):
    """What goes with a proposal: the texts of the message, and why."""

    data: dict[str, str]
    why: Why
    error: str = ""
    """Why a text could not be told: then it must not leave."""


class Proposal(Struct):
    """A play fired for a customer."""

    play: Play
    person: Person
    occurrence: str
    time: float
    """Event time, or when the silence was over."""
    armed: float
    """Event time of the event that made us look."""
    event: str
    name: str
    score: float
    reasons: Callable[[], Reasons]
    """Asked only of what is to leave or to be held."""
    received: float = 0.0
    came: Sequence[str] = ()
    """Other ids of the person where the silence was before."""

    def held(self, due: float, reasons: Reasons) -> Waiting:
        """What is kept of it until `due`."""
        data, why = reasons.data, reasons.why
        said = self.armed, self.event, self.name, True, self.time, self.occurrence, data, why
        return Waiting(due, *said, list(self.came))


def of_event(
    play: Play, person: Person, event: Event, view: View, answers: Answers, model: IntentModel
) -> Proposal | None:
    """What an event makes a play propose, None when its condition does not hold."""
    if not answers.holds(play.id) or not (occurrence := answers.occurrence(play.id)):
        return None
    return proposed(play, person, occurrence, event, view, answers, model)


def proposed(
    play: Play, person: Person, occurrence: str, event: Event, view: View, answers: Answers, model: IntentModel
) -> Proposal:
    """The same, when its condition holds."""

    def reasons() -> Reasons:
        return told(event.name, event.id, play, person, view, answers, model)

    time = event.time
    return Proposal(play, person, occurrence, time, time, event.id, event.name, view.score, reasons, event.received)


def of_silence(
    play: Play, person: Person, waiting: Waiting, view: View, answers: Answers, model: IntentModel
) -> Proposal | None:
    """What a silence that is over makes a play propose, None when its condition does not hold (any more)."""
    if not answers.holds(play.id):
        return None
    if waiting.held:
        return of_held(play, person, waiting)
    if not (occurrence := answers.occurrence(play.id)):
        return None

    def reasons() -> Reasons:
        return told("timer", waiting.event, play, person, view, answers, model)

    return Proposal(
        play,
        person,
        occurrence,
        waiting.due,
        waiting.armed,
        waiting.event,
        waiting.name,
        view.score,
        reasons,
        came=waiting.came,
    )


def of_held(play: Play, person: Person, waiting: Waiting) -> Proposal:
    """A proposal that quiet hours held back, as it was."""
    reason = waiting.why or Why("timer")
    return Proposal(
        play,
        person,
        waiting.occurrence,
        waiting.time,
        waiting.armed,
        waiting.event,
        waiting.name,
        reason.score,
        lambda: Reasons(waiting.data, reason),
        came=waiting.came,
    )


def told(on: str, event: str, play: Play, person: Person, view: View, answers: Answers, model: IntentModel) -> Reasons:
    """What the conditions tell of it, before the policies add what they said."""
    warmth = intent.terms(intent_of(person.customer, model.half_life), model, view.now)
    why = Why(on, event, play.when, answers.facts(play.id), view.score, warmth)
    return Reasons(answers.data(play.id), why, answers.error(play.id))
