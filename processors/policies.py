"""May we? A table of policies, asked in order; each answers with a check in words and figures. The first no
refuses.

How it works. A `Case` is all a policy may look at. `known` is asked first: what was sent already is neither counted
nor sent again. A no of `quiet` may be a not yet: `release` says until when to hold the proposal, and then all are
asked again. The channel comes last, because its caps depend on which one is taken.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from processors.caps import held, words
from processors.channels import preferred, reaches
from processors.profile import at
from processors.zones import silence, zone
from schemas.customer import Customer, Sent
from schemas.event import ORDERED
from schemas.playbook import Cap, Play, Playbook
from schemas.trigger import Check


class Case(Struct):
    """A proposal before the policies."""

    play: Play
    id: str
    time: float
    """Event time, or when the silence was over."""
    now: float
    customer: Customer
    playbook: Playbook
    margin: float
    """Twice the clock bound."""
    also: tuple[str, ...] = ()
    """Ids the same proposal had, made of the person's other ids."""

    @property
    def expires(self) -> float:
        """Counted from its time, but not from a time to come: a sender's wrong clock must not block caps for years."""
        return min(self.time, self.now) + self.play.expires

    @property
    def sent(self) -> list[Sent]:
        own = self.customer.decisions.sent if self.customer.decisions else []
        return [*own, *self.customer.identity.sent] if self.customer.identity else own


def known(case: Case) -> Check:
    return Check("known", not remembered(case.customer, case.id, case.also), "asked of what was sent")


def remembered(customer: Customer, id: str, also: Sequence[str] = ()) -> bool:
    """Whether a trigger of this id was sent, or of the ids it has with other ids of the person."""
    decisions, identity = customer.decisions, customer.identity
    for sent in (decisions.sent if decisions else (), identity.sent if identity else ()):
        for one in sent:
            if one.id == id or one.id in also:
                return True
    return id in customer.forgotten


def expired(case: Case) -> Check:
    left = case.expires - case.now
    return Check("expired", left > 0, f"{left:.0f}s left" if left > 0 else f"over for {abs(left):.0f}s")


def consent(case: Case) -> Check:
    purpose, policy = case.play.purpose, case.playbook.policies.consent
    clicks = case.customer.clickstream
    said = clicks.consent.get(purpose) if clicks else None
    if said is not None:
        return Check("consent", said, f"{purpose}: {'yes' if said else 'no'}")
    needed = purpose in policy.required
    allowed = not needed or policy.unknown == "allow"
    return Check("consent", allowed, f"{purpose}: not told, {'needed' if needed else 'not needed'}")


def just_bought(case: Case) -> Check:
    policy, pos = case.playbook.policies.just_bought, case.customer.pos
    if policy is None or case.play.purpose not in policy.purposes:
        return Check("just_bought", True, "not asked for this purpose")
    ordered = at(pos, ORDERED, -1.0)
    if ordered < 0.0:
        return Check("just_bought", True, "never ordered")
    ago = case.now - ordered
    return Check("just_bought", ago >= policy.within, f"ordered {ago:.0f}s ago, silent for {words(policy.within)}")


def quiet(case: Case) -> Check:
    end = quiet_until(case)
    policy = case.playbook.policies.quiet
    if end is None or policy is None:
        return Check("quiet", True, "not in quiet hours")
    late = "" if end < case.expires else ", expires before"
    return Check("quiet", False, f"from {policy.from_} to {policy.to} in {quiet_zone(case)}{late}")


def cooldown(case: Case) -> Check:
    play = case.play
    if play.cooldown is None:
        return Check("cooldown", True, "none")
    return room(case, "cooldown", cooling(play.cooldown), "")


def cooling(cooldown: float) -> Cap:
    """A cooldown is a cap of one."""
    return Cap(per="play", most=1, within=cooldown)


def caps(case: Case) -> Check:
    """All caps but those of channels: the first that is full, else the last one's figures."""
    check = Check("cap", True, "none")
    for cap in case.playbook.policies.caps:
        if cap.per != "channel":
            check = room(case, "cap", cap, "")
            if not check.allowed:
                return check
    return check


POLICIES: Final[tuple[Callable[[Case], Check], ...]] = (
    known,
    expired,
    consent,
    just_bought,
    quiet,
    cooldown,
    caps,
)
"""In the order in which they are asked."""


def permit(case: Case) -> tuple[list[Check], str]:
    """What each policy said, up to the first no; and the channel to take, empty when there was a no."""
    checks: list[Check] = []
    for policy in POLICIES:
        check = policy(case)
        checks.append(check)
        if not check.allowed:
            return checks, ""
    check, channel = choose(case)
    checks.append(check)
    return checks, channel


def choose(case: Case) -> tuple[Check, str]:
    """The first channel that reaches the customer and has room."""
    channels, said = case.playbook.channels, []
    for channel in preferred(case.customer, case.play.channels, channels):
        if not reaches(case.customer, channel, channels):
            said.append(f"{channel}: does not reach")
            continue
        full = next((check for check in channel_caps(case, channel) if not check.allowed), None)
        if full is None:
            return Check("channel", True, "; ".join((*said, f"{channel}: taken"))), channel
        said.append(f"{channel}: {full.detail}")
    return Check("channel", False, "; ".join(said)), ""


def channel_caps(case: Case, channel: str) -> Iterable[Check]:
    return (room(case, "cap", cap, channel) for cap in case.playbook.policies.caps if cap.per == "channel")


def room(case: Case, policy: str, cap: Cap, channel: str) -> Check:
    """Whether one more, decided now, fits under a cap."""
    play = case.play
    one = Sent(case.id, play.id, channel, case.now, case.expires - case.now, play.purpose)
    others = held(cap, case.sent, one, case.margin) - 1
    return Check(policy, others < cap.most, f"{others} of {cap.most} per {cap.per} in {words(cap.within)}")


def quiet_zone(case: Case) -> str:
    policy, clicks = case.playbook.policies.quiet, case.customer.clickstream
    if policy is None:
        return ""
    own = clicks.zone if clicks and policy.zone == "customer" else policy.zone
    return str(zone(own, policy.otherwise))


def quiet_until(case: Case) -> float | None:
    """When the quiet hours are over; None when it is not quiet for this play."""
    policy, clicks = case.playbook.policies.quiet, case.customer.clickstream
    if policy is None or case.play.purpose not in policy.purposes:
        return None
    own = policy.zone if policy.zone != "customer" else clicks.zone if clicks else ""
    return silence(case.now, *policy.hours(), zone(own, policy.otherwise))


def release(case: Case) -> float | None:
    """Until when to hold a proposal that `quiet` refused; None: it is refused for good."""
    policy, end = case.playbook.policies.quiet, quiet_until(case)
    hold = policy is not None and policy.then == "hold" and end is not None and end < case.expires
    return end if hold else None
