"""What left the house, read back from Kafka; and the second judging of what still waits when a term begins.

Usually a trigger read back says nothing new. After the store went back in time it does: then it is remembered, and
counts.
"""

from collections.abc import Sequence

from processors.caps import held, words
from processors.erasing import refuses
from processors.outcome import Outcomes, refuse, sent_of
from processors.policies import cooling
from processors.turn import Turn
from schemas.customer import Customer, Decisions, Sent
from schemas.playbook import Cap, Playbook
from schemas.topics import TRIGGERS
from schemas.trigger import Refusal, Trigger


def read_back(outcomes: Outcomes, turn: Turn[Customer], key: bytes, customer: Customer, trigger: Trigger) -> Sent:
    """Put one trigger into the sent memory. Of two decided times Kafka's is what happened."""
    turn.returned.append(trigger.id)
    sent = sent_of(trigger)
    if trigger.id in customer.forgotten:
        return sent
    if refuses(customer, TRIGGERS):
        turn.counts[f"trigger:{trigger.play}"] += 1
        customer.forgotten[trigger.id] = trigger.play
        turn.changed.add(key)
        return sent
    decisions = customer.decisions
    known = next((one for one in decisions.sent if one.id == trigger.id), None) if decisions else None
    if known is None:
        turn.counts[f"trigger:{trigger.play}"] += 1
        if sent.decided < turn.now - outcomes.memory:
            return sent
        decisions = customer.decisions = decisions or Decisions()
        outcomes.remember(turn, decisions, sent)
        turn.changed.add(key)
    elif decisions and known != sent:
        decisions.sent[decisions.sent.index(known)] = sent
        turn.changed.add(key)
    return sent


def judge(outcomes: Outcomes, turn: Turn[Customer], pending: Sequence[tuple[str, bytes]]) -> None:
    """Decide pending triggers again, in order, as if only what Kafka has had been sent. What no longer fits goes."""
    waiting = {id for id, _ in pending}
    kept: dict[bytes, list[Sent]] = {}
    for id, key in pending:
        decisions = turn.customers[key].decisions or Decisions()
        if key not in kept:
            identity = turn.customers[key].identity
            others = identity.sent if identity else []
            kept[key] = [one for one in (*decisions.sent, *others) if one.id not in waiting]
        one = next((one for one in decisions.sent if one.id == id), None)
        if one is None:  # erased; or it expired long ago: no sender would take it
            drop(turn, key, id)
            continue
        broken = full(outcomes.playbook, kept[key], one, outcomes.margin)
        if broken is None:
            kept[key].append(one)
        else:
            revoke(turn, key, decisions, one, broken)


def drop(turn: Turn[Customer], key: bytes, id: str) -> None:
    """It must not leave. What an erasure forgot was counted as decided."""
    turn.revoked.append(id)
    play = turn.customers[key].forgotten.pop(id, None)
    if play is not None:
        turn.counts[f"trigger:{play}"] -= 1
        turn.changed.add(key)


def full(playbook: Playbook, others: Sequence[Sent], one: Sent, margin: float) -> Cap | None:
    """The first cap or cooldown that has no room for it."""
    cooldowns = (play.cooldown for play in playbook.plays if play.id == one.play)
    caps = [*(cooling(cooldown) for cooldown in cooldowns if cooldown), *playbook.policies.caps]
    return next((cap for cap in caps if held(cap, others, one, margin) > cap.most), None)


def revoke(turn: Turn[Customer], key: bytes, decisions: Decisions, one: Sent, cap: Cap) -> None:
    """It must not leave: out of the sent memory, and refused. Its occurrence went with the trigger."""
    decisions.sent.remove(one)
    turn.revoked.append(one.id)
    turn.changed.add(key)
    turn.counts[f"trigger:{one.play}"] -= 1
    words_ = f"sent already: {cap.most} per {cap.per} in {words(cap.within)}"
    refuse(turn, decisions, Refusal(one.id, one.play, "", one.decided, turn.now, "judge", words_))
