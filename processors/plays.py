"""Which plays an event makes us look at, and their timers.

How it works. A play with `after` waits for a silence: each `on` event begins it again, and an `unless` event at or
after its beginning ends it, by event times, whichever was read first. A timer is no thing of its own: it is what
`waiting` says, and `wake` answers when a customer wants waking. Every timer armed is later fired, or cancelled, or
still waiting.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from processors.turn import Turn
from schemas.customer import Customer, Decisions, Waiting
from schemas.event import Event
from schemas.playbook import Play, Playbook


class Listening(Struct, frozen=True):
    """What an event of one name is to the plays, those of highest priority first."""

    asked: tuple[Play, ...]
    """Asked at once."""
    started: tuple[Play, ...]
    """Their silence begins."""
    ended: tuple[Play, ...]
    """Their silence ends."""


def by_event(playbook: Playbook) -> dict[str, Listening]:
    """Event name -> the plays that listen."""
    plays = ranked(playbook.plays)
    names = {name for play in plays for name in (*play.on, *play.unless)}
    return {
        name: Listening(
            asked=tuple(play for play in plays if name in play.on and play.after is None),
            started=tuple(play for play in plays if name in play.on and play.after is not None),
            ended=tuple(play for play in plays if name in play.unless),
        )
        for name in names
    }


def ranked(plays: Iterable[Play]) -> list[Play]:
    """Highest priority first, then as the playbook has them: so caps favour what matters more."""
    return sorted(plays, key=lambda play: -play.priority)


def over(customer: Customer, play: Play, since: float) -> bool:
    """Whether an `unless` event happened at or after `since`, as far as it was read."""
    for facts in (customer.clickstream, customer.cart, customer.pos):
        if facts is not None:
            for key in play.ends:
                did = facts.did.get(key)
                if did is not None and did.at >= since:
                    return True
    return False


def start(turn: Turn[Customer], customer: Customer, decisions: Decisions, play: Play, event: Event) -> bool:
    """Begin a play's silence, or begin it again: the same timer moves. True when it did."""
    time, waiting = event.time, decisions.waiting.get(play.id)
    if play.after is None or time <= decisions.concluded.get(play.id, -1.0) or over(customer, play, time):
        return False
    if waiting is None:
        turn.counts["timer:armed"] += 1
    elif time <= waiting.armed:
        return False
    decisions.waiting[play.id] = Waiting(time + play.after, time, event.id, event.name)
    return True


def stop(turn: Turn[Customer], customer: Customer, decisions: Decisions, play: Play) -> bool:
    """End a play's silence if an `unless` event did. True when it was waiting."""
    waiting = decisions.waiting.get(play.id)
    if waiting is None or not over(customer, play, waiting.armed):
        return False
    conclude(turn, decisions, play.id, "timer:cancelled")
    return True


def conclude(turn: Turn[Customer], decisions: Decisions, play: str, how: str) -> None:
    """The timer is done with. A late event from before it was armed will not arm it again."""
    waiting = decisions.waiting.pop(play)
    turn.counts[how] += 1
    decisions.concluded[play] = waiting.armed


def hold(turn: Turn[Customer], decisions: Decisions, play: str, held: Waiting) -> Waiting | None:
    """Keep a proposal until quiet hours are over. A play holds one: the older of two gives way, and is the answer."""
    before = decisions.waiting.get(play)
    if before is None:
        turn.counts["timer:armed"] += 1
    elif before.held and before.armed != held.armed:
        if before.occurrence == held.occurrence:
            return None
        if held.armed < before.armed:
            return held
        decisions.waiting[play] = held
        return before
    decisions.waiting[play] = held
    return None


def adopt(
    turn: Turn[Customer], customer: Customer, decisions: Decisions, id: str, play: Play | None, theirs: Waiting
) -> bool:
    """Go on with a silence that began at another id of the same person. Of two the later one counts."""
    ours = decisions.waiting.get(id)
    if theirs.armed <= decisions.concluded.get(id, -1.0) or (ours and theirs.armed <= ours.armed):
        return False
    if play is not None and over(customer, play, theirs.armed):
        return False
    if ours is None:
        turn.counts["timer:armed"] += 1
    decisions.waiting[id] = theirs
    return True


def due(waiting: Mapping[str, Waiting], until: float) -> list[str]:
    """The plays whose time has come."""
    return [play for play, one in waiting.items() if one.due <= until]


def wake(decisions: Decisions | None) -> float | None:
    """When the customer next wants waking."""
    if decisions is None:
        return None
    due = decisions.look or None
    for one in decisions.waiting.values():
        if due is None or one.due < due:
            due = one.due
    return due
