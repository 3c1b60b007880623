"""What becomes of a proposal: it leaves as a trigger, waits for the end of quiet hours, or is refused with a reason."""

from collections.abc import Sequence

from processors import plays, policies
from processors.persons import aliases, origins
from processors.policies import Case, permit, release
from processors.proposals import Answers, Person, Proposal, Reasons
from processors.turn import Turn
from schemas.customer import REFUSALS_MOST, Customer, Decisions, Sent, Waiting
from schemas.playbook import Play, Playbook
from schemas.trigger import Refusal, Trigger, message, trigger_id


class Outcomes:
    """Puts proposals before the policies and keeps what comes of it."""

    def __init__(self, app: str, playbook: Playbook, version: str, clock_bound: float) -> None:
        self.app, self.playbook, self.version = app, playbook, version
        self.margin = 2 * clock_bound
        windows = [cap.within for cap in playbook.policies.caps]
        windows += [play.cooldown for play in playbook.plays if play.cooldown]
        span = max((play.expires for play in playbook.plays), default=0.0)
        self.memory = playbook.policies.remember + max(windows, default=0.0) + span + self.margin
        """Seconds for which what was sent is remembered."""
        self.asked = {play.id: policies.asked_of(play, playbook.policies) for play in playbook.plays}

    def told(self, play: Play, person: Person, answers: Answers) -> bool:
        """Whether what an event could make a play propose was sent before, by this id: then nothing more need be asked.
        Most that is proposed was."""
        for one in person.decisions.sent:
            if one.play == play.id:
                break
        else:
            return False
        occurrence = answers.occurrence(play.id)
        return bool(occurrence) and policies.remembered(
            person.customer, trigger_id(self.app, play.id, person.key, occurrence)
        )

    def settle(self, turn: Turn[Customer], proposal: Proposal) -> bool:
        """True when it is settled; False when it waits."""
        play, person = proposal.play, proposal.person
        id, *also = self._ids(play, person, proposal.occurrence, proposal.came)
        case = Case(play, id, proposal.time, turn.now, person.customer, self.playbook, self.margin, tuple(also))
        no, channel = permit(case, self.asked[play.id])
        end = release(case) if no == "quiet" else None
        reasons = proposal.reasons() if channel or end is not None else None
        if reasons and reasons.error:
            refuse(turn, person.decisions, refusal(case, proposal, "condition", reasons.error))
        elif reasons is None:
            if no != "known" and not refused(person.decisions, id, no):
                refuse(turn, person.decisions, refusal(case, proposal, no, policies.said(case, no)))
        elif end is None:
            reasons.why.checks = policies.all_said(case)
            self.send(turn, proposal, case, reasons, channel)
        else:
            self.hold(turn, proposal, proposal.held(end, reasons), policies.said(case, no))
            return False
        return True

    def _ids(self, play: Play, person: Person, occurrence: str, came: Sequence[str] = ()) -> list[str]:
        """The trigger's id, then those it would have with the person's other ids."""
        keys = [person.key]
        if came or person.customer.identity is not None:
            keys += [other.encode() for other in {*origins(person.customer), *came}]
        return [trigger_id(self.app, play.id, key, occurrence) for key in keys]

    def send(self, turn: Turn[Customer], proposal: Proposal, case: Case, reasons: Reasons, channel: str) -> None:
        """Into the sent memory and out of the house."""
        play, person = proposal.play, proposal.person
        trigger = Trigger(
            id=case.id,
            play=play.id,
            version=self.version,
            customer=person.key.decode(),
            channel=channel,
            occurrence=proposal.occurrence,
            time=proposal.time,
            decided=turn.now,
            expires=case.expires,
            purpose=play.purpose,
            aliases=aliases(person.customer),
            offer=play.offer,
            data=reasons.data,
            received=proposal.received,
            why=reasons.why,
        )
        self.remember(turn, person.decisions, sent_of(trigger))
        turn.messages.append((case.id, message(self.app, person.key, trigger)))
        turn.counts[f"trigger:{play.id}"] += 1

    def remember(self, turn: Turn[Customer], decisions: Decisions, sent: Sent) -> None:
        """Into the sent memory, if it is not too old for it; what has become too old goes."""
        oldest = turn.now - self.memory
        decisions.sent = [one for one in (*decisions.sent, sent) if one.decided >= oldest]

    def hold(self, turn: Turn[Customer], proposal: Proposal, held: Waiting, quiet: str) -> None:
        """Ask again when quiet hours are over. Of two occurrences of a play the older is refused."""
        play, key, decisions = proposal.play.id, proposal.person.key, proposal.person.decisions
        gone = plays.hold(turn, decisions, play, held)
        turn.wake[key] = plays.wake(decisions)
        if gone is not None:
            id = trigger_id(self.app, play, key, gone.occurrence)
            detail, score = f"{quiet}, and a later one waits", gone.why.score if gone.why else 0.0
            refuse(turn, decisions, Refusal(id, play, gone.occurrence, gone.time, turn.now, "quiet", detail, score))


def sent_of(trigger: Trigger) -> Sent:
    span = trigger.expires - trigger.decided
    return Sent(trigger.id, trigger.play, trigger.channel, trigger.decided, span, trigger.purpose)


def refusal(case: Case, proposal: Proposal, policy: str, detail: str) -> Refusal:
    about, score = proposal.occurrence, proposal.score
    return Refusal(case.id, case.play.id, about, case.time, case.now, policy, detail, score)


def refuse(turn: Turn[Customer], decisions: Decisions, refusal: Refusal) -> None:
    """Keep it and count it: once, as long as the same policy goes on refusing the same occurrence."""
    if not refused(decisions, refusal.id, refusal.reason):
        decisions.refused.append(refusal)
        del decisions.refused[:-REFUSALS_MOST]
        turn.counts[f"refused:{refusal.play}:{refusal.reason}"] += 1


def refused(decisions: Decisions, id: str, policy: str) -> bool:
    """Whether this policy was the last to refuse it, as far as is kept."""
    for one in reversed(decisions.refused):
        if one.id == id:
            return one.reason == policy
    return False
