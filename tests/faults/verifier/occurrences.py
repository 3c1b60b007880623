"""Each occurrence counted from the log is sent, or refused with a reason that holds; by one id; and nothing else is.

How it works. What a play must propose at once is told by the event and the id that hears it. A silence may move on to
the id above while it lasts, so it is looked for at all ids that any link ever tied together: a *circle*.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults.verifier.evidence import Evidence
from tests.faults.verifier.facts import Reference
from tests.faults.verifier.findings import Findings
from tests.faults.verifier.hearing import Heard, hear
from tests.faults.verifier.plays import Book, Cap, Play, id_of
from tests.faults.verifier.promises import Outcome, Trigger, Who

Circle = frozenset[str]


@dataclass
class Case:
    """All that is asked of."""

    evidence: Evidence
    book: Book
    reference: Reference
    outcome: Outcome
    refolded: Mapping[str, Any]
    """Refusals the state has forgotten, by id, from the fold of the turn records."""
    found: Findings
    by_name: dict[tuple[Circle, str], list[Heard]] = field(default_factory=lambda: defaultdict(list))

    def who(self, id: str) -> Who:
        return self.evidence.place(id.encode())

    def ids(self, play: Play, circle: Iterable[str], event: Heard) -> dict[str, str]:
        """Trigger id -> customer, of this occurrence."""
        return {id_of(self.evidence.app, play.id, one.encode(), event.said["id"]): one for one in circle}


def check_occurrences(
    evidence: Evidence, book: Book, reference: Reference, outcome: Outcome, refolded: Mapping[str, Any], found: Findings
) -> None:
    """Of plays the log alone tells of."""
    case = Case(evidence, book, reference, outcome, refolded, found)
    for heard in hear(evidence, reference, found):
        case.by_name[reference.circle(heard.id), heard.said["name"]].append(heard)
    told = {play.id: play for play in book.plays.values() if play.told}
    possible: set[str] = set()
    for play in told.values():
        for circle in {circle for circle, _ in case.by_name}:
            possible |= (_at_once if play.after is None else _silences)(case, play, circle)
    for id, trigger in outcome.visible.items():
        if trigger["play"] in told and id not in possible and case.who(trigger["customer"]) not in reference.touched:
            found.wrong("trigger without an occurrence in the log", trigger)
    for id in outcome.visible.keys() & outcome.refused.keys():
        if outcome.refused[id]["play"] in told:
            found.wrong("both sent and refused", f"{outcome.visible[id]} {outcome.refused[id]}")


def _at_once(case: Case, play: Play, circle: Circle) -> set[str]:
    """Answers all ids it may have sent: each event is proposed where it is heard."""
    possible: set[str] = set()
    for event in (event for name in play.on for event in case.by_name.get((circle, name), ())):
        ids = case.ids(play, [event.id], event)
        possible |= ids.keys()
        case.found.figures[f"occurrences of {play.id}"] += 1
        _decided_once(case, case.ids(play, circle, event), case.outcome.visible | case.outcome.refused)
        _answered(case, play, circle, ids, event)
    return possible


def _silences(case: Case, play: Play, circle: Circle) -> set[str]:
    """The same of a play that waits for a silence."""
    possible: set[str] = set()
    events = [event for name in play.on for event in case.by_name.get((circle, name), ())]
    ends = [event for name in play.unless for event in case.by_name.get((circle, name), ())]
    for event in events:
        ids = case.ids(play, circle, event)
        possible |= ids.keys()
        for trigger in _decided_once(case, ids, case.outcome.visible):
            _check_fired(case, play, circle, event, events, ends, trigger)
        if _must_fire(event, events, ends):
            case.found.figures[f"occurrences of {play.id}"] += 1
            _answered(case, play, circle, ids, event)
    return possible


def _decided_once(case: Case, ids: Mapping[str, str], decided: Mapping[str, Trigger]) -> list[Trigger]:
    """What is known of one occurrence, by whichever id of a person."""
    known = [decided[id] for id in ids if id in decided]
    if len(known) > 1:
        case.found.wrong("an occurrence was decided by two ids", known)
    return known


def _must_fire(event: Heard, events: Iterable[Heard], ends: Iterable[Heard]) -> bool:
    """The last of all that begin the silence, and nothing that ends it came at or after it. Of others it depends on
    what was read when."""
    time = event.said["time"]
    return all(other.said["time"] < time for other in events if other is not event) and all(
        end.said["time"] < time for end in ends
    )


def _check_fired(
    case: Case,
    play: Play,
    circle: Circle,
    event: Heard,
    events: Iterable[Heard],
    ends: Iterable[Heard],
    trigger: Trigger,
) -> None:
    """A timer that fired: at its time, and nothing that could be read at its id before then said otherwise."""
    case.found.figures["timers fired"] += 1
    due, armed = event.said["time"] + (play.after or 0.0), event.said["time"]
    if trigger["time"] != due or trigger["decided"] < due - 2 * case.evidence.clock_bound:
        case.found.wrong("timer fired at another time", f"due {due}: {trigger}")
    if not all(map(case.reference.graph.steady, circle)):
        case.found.figures["timers fired where links were taken back, time checked only"] += 1
        return
    here = trigger["customer"]
    for end in (end for end in ends if end.id == here):
        if end.said["time"] >= armed and end.readable < due:
            case.found.wrong("timer fired, its cancel in the log before", f"due {due}, cancel {end}: {trigger}")
    for again in (again for again in events if again.id == here):
        if again.said["time"] > armed and again.readable < due:
            case.found.wrong("timer fired, its new beginning in the log before", f"due {due}, again {again}: {trigger}")


def _answered(case: Case, play: Play, circle: Circle, ids: Mapping[str, str], event: Heard) -> None:
    """Sent, refused with a reason that holds, or still waiting."""
    outcome, found = case.outcome, case.found
    refusals = [
        refusal
        for id, one in ids.items()
        if (refusal := outcome.refused.get(id) or (case.who(one) in outcome.full and case.refolded.get(id)))
    ]
    waiting = [outcome.waiting.get(case.who(one), {}).get(play.id, {}).get("event") for one in circle]
    if ids.keys() & outcome.visible.keys():
        found.figures["occurrences sent"] += 1
    elif refusals:
        found.figures["occurrences refused"] += 1
        if not any(holds(case, play, circle, refusal) for refusal in refusals):
            found.wrong("refused for a reason that does not hold", f"{sorted(circle)} {refusals}")
    elif event.said["id"] in waiting:
        found.figures["occurrences waiting"] += 1
    else:
        found.wrong("occurrence neither sent nor refused", f"{sorted(circle)} {play.id} {event}")


def holds(case: Case, play: Play, circle: Circle, refusal: Mapping[str, Any]) -> bool:
    """Whether a refusal is true, as far as that can be seen from outside."""
    reason, decided = refusal["reason"], refusal["decided"]
    if reason == "expired":
        return bool(decided >= refusal["time"] + play.expires)
    if reason not in ("cap", "cooldown", "channel", "judge"):
        return False
    at = refusal["time"] if reason == "judge" else decided
    margin = 2 * case.evidence.clock_bound + 0.01
    counted = _counted(case, play, circle, refusal)
    return any(_is_full(cap, play, at, margin, counted) for cap in case.book.caps if cap.only in ("", play.id))


def _counted(case: Case, play: Play, circle: Circle, refusal: Mapping[str, Any]) -> list[Trigger]:
    """What may have been counted: all that left, what waited and was taken back, and what ids told each other that they
    decided, even if it never left."""
    outcome, whos = case.outcome, {case.who(one) for one in circle}
    left = [trigger for who in whos for trigger in outcome.by_customer.get(who, ())]
    revoked = [
        {"play": one["play"], "decided": one["time"], "expires": one["time"] + play.expires}
        for one in outcome.refused.values()
        if one["reason"] == "judge" and one["who"] in whos and one["id"] != refusal["id"]
    ]
    known = {trigger["id"] for trigger in left}
    said = {
        one["id"]: one | {"expires": one["decided"] + one.get("span", 0.0)}
        for id in circle
        for _, _, one in case.reference.joined(id)
        if one["id"] not in known
    }
    return [*left, *revoked, *said.values()]


def _is_full(cap: Cap, play: Play, at: float, margin: float, counted: Iterable[Trigger]) -> bool:
    """Whether a window of this cap that holds `at` holds all it may. Windows are longer by the span of what begins
    them, and by a margin for clocks."""
    others = [t for t in counted if (cap.per != "play" and not cap.only) or t["play"] == play.id]
    begins = [(t["decided"], t["expires"] - t["decided"]) for t in others] + [(at, play.expires)]
    return any(
        start <= at < start + span + cap.within + margin
        and sum(start <= t["decided"] < start + span + cap.within + margin for t in others) >= cap.most
        for start, span in begins
    )
