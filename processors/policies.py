"""May we? A table of policies, asked in order; the first no refuses. Each can say in words and figures why.

How it works. A `Case` is all a policy may look at. `known` is asked first: what was sent already is neither counted
nor sent again. A no of `quiet` may be a not yet: `release` says until when to hold the proposal, and then all are
asked again. The channel comes last, because its caps depend on which one is taken. Most proposals are refused, again
and again by the same policy, so words are only made where somebody will read them: `said`, `all_said`.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from processors.caps import held, words
from processors.channels import preferred, reaches
from processors.profile import at
from processors.zones import silence, zone
from schemas.customer import Customer, Sent
from schemas.event import ORDERED
from schemas.playbook import Cap, Play, Playbook, Policies
from schemas.trigger import Check

CHANNEL: Final = "channel"


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


def remembered(customer: Customer, id: str, also: Sequence[str] = ()) -> bool:
    """Whether a trigger of this id was sent, or of the ids it has with other ids of the person."""
    decisions, identity = customer.decisions, customer.identity
    for sent in (decisions.sent if decisions else (), identity.sent if identity else ()):
        for one in sent:
            if one.id == id or one.id in also:
                return True
    return id in customer.forgotten


def known(case: Case) -> bool:
    return remembered(case.customer, case.id, case.also)


def expired(case: Case) -> bool:
    return case.expires <= case.now


def expired_words(case: Case) -> str:
    left = case.expires - case.now
    return f"{left:.0f}s left" if left > 0 else f"over for {abs(left):.0f}s"


def unwanted(case: Case) -> bool:
    """Consent: a word of the customer's counts, else what the playbook says of those who told none."""
    purpose, policy = case.play.purpose, case.playbook.policies.consent
    said = case.customer.clickstream.consent.get(purpose) if case.customer.clickstream else None
    return not said if said is not None else purpose in policy.required and policy.unknown != "allow"


def consent_words(case: Case) -> str:
    purpose, policy = case.play.purpose, case.playbook.policies.consent
    said = case.customer.clickstream.consent.get(purpose) if case.customer.clickstream else None
    if said is not None:
        return f"{purpose}: {'yes' if said else 'no'}"
    return f"{purpose}: not told, {'needed' if purpose in policy.required else 'not needed'}"


def just_bought(case: Case) -> bool:
    policy = case.playbook.policies.just_bought
    if policy is None or case.play.purpose not in policy.purposes:
        return False
    ordered = at(case.customer.pos, ORDERED, -1.0)
    return ordered >= 0.0 and case.now - ordered < policy.within


def just_bought_words(case: Case) -> str:
    policy, ordered = case.playbook.policies.just_bought, at(case.customer.pos, ORDERED, -1.0)
    if policy is None or case.play.purpose not in policy.purposes:
        return "not asked for this purpose"
    if ordered < 0.0:
        return "never ordered"
    return f"ordered {case.now - ordered:.0f}s ago, silent for {words(policy.within)}"


def quiet(case: Case) -> bool:
    return quiet_until(case) is not None


def quiet_words(case: Case) -> str:
    policy, end = case.playbook.policies.quiet, quiet_until(case)
    if end is None or policy is None:
        return "not in quiet hours"
    late = "" if end < case.expires else ", expires before"
    return f"from {policy.from_} to {policy.to} in {quiet_zone(case)}{late}"


def cooling_down(case: Case) -> bool:
    return case.play.cooldown is not None and full(case, cooling(case.play.cooldown))


def cooldown_words(case: Case) -> str:
    return "none" if case.play.cooldown is None else room(case, cooling(case.play.cooldown))


@lru_cache
def cooling(cooldown: float) -> Cap:
    """A cooldown is a cap of one."""
    return Cap(per="play", most=1, within=cooldown)


def capped(case: Case) -> bool:
    """By any cap but those of channels."""
    return any(full(case, cap) for cap in caps(case))


def cap_words(case: Case) -> str:
    """The figures of the first cap that is full, else of the last."""
    all_ = list(caps(case))
    return room(case, next((cap for cap in all_ if full(case, cap)), all_[-1])) if all_ else "none"


def caps(case: Case) -> Iterator[Cap]:
    return (cap for cap in case.playbook.policies.caps if cap.per != "channel")


class Policy(Struct, frozen=True):
    """One row of the table."""

    name: str
    refuses: Callable[[Case], bool]
    says: Callable[[Case], str]
    """Why, or why not, with the figures."""
    may: Callable[[Play, Policies], bool] = lambda play, policies: True
    """Whether it can refuse a play at all."""


POLICIES: Final = (
    Policy("known", known, lambda case: "asked of what was sent"),
    Policy("expired", expired, expired_words),
    Policy("consent", unwanted, consent_words),
    Policy("just_bought", just_bought, just_bought_words, lambda play, policies: policies.just_bought is not None),
    Policy("quiet", quiet, quiet_words, lambda play, policies: policies.quiet is not None),
    Policy("cooldown", cooling_down, cooldown_words, lambda play, policies: play.cooldown is not None),
    Policy("cap", capped, cap_words, lambda play, policies: any(cap.per != "channel" for cap in policies.caps)),
)
"""In the order in which they are asked."""
SAYS: Final = {policy.name: policy.says for policy in POLICIES}


def asked_of(play: Play, policies: Policies) -> tuple[Policy, ...]:
    """Those that may refuse a play."""
    return tuple(policy for policy in POLICIES if policy.may(play, policies))


def permit(case: Case, asked: Sequence[Policy]) -> tuple[str, str]:
    """(the policy that refuses, the channel to take): one of them is empty."""
    for policy in asked:
        if policy.refuses(case):
            return policy.name, ""
    channel = choose(case)
    return ("", channel) if channel else (CHANNEL, "")


def said(case: Case, policy: str) -> str:
    """What a policy says, in words."""
    return channels_words(case) if policy == CHANNEL else SAYS[policy](case)


def all_said(case: Case) -> list[Check]:
    """What each said of a case that they permit."""
    return [Check(name, True, said(case, name)) for name in (*SAYS, CHANNEL)]


def choose(case: Case) -> str:
    """The first channel that reaches the customer and has room; empty: none."""
    channels = case.playbook.channels
    for channel in preferred(case.customer, case.play.channels, channels):
        if reaches(case.customer, channel, channels) and not any(full(case, cap, channel) for cap in per_channel(case)):
            return channel
    return ""


def channels_words(case: Case) -> str:
    """What was found of each channel, up to the one that is taken."""
    channels, told = case.playbook.channels, []
    for channel in preferred(case.customer, case.play.channels, channels):
        if not reaches(case.customer, channel, channels):
            told.append(f"{channel}: does not reach")
            continue
        cap = next((cap for cap in per_channel(case) if full(case, cap, channel)), None)
        told.append(f"{channel}: {'taken' if cap is None else room(case, cap, channel)}")
        if cap is None:
            break
    return "; ".join(told)


def per_channel(case: Case) -> Iterator[Cap]:
    return (cap for cap in case.playbook.policies.caps if cap.per == "channel")


def full(case: Case, cap: Cap, channel: str = "") -> bool:
    """Whether one more, decided now, does not fit under a cap."""
    return others(case, cap, channel) >= cap.most


def room(case: Case, cap: Cap, channel: str = "") -> str:
    return f"{others(case, cap, channel)} of {cap.most} per {cap.per} in {words(cap.within)}"


def others(case: Case, cap: Cap, channel: str) -> int:
    """How many the fullest window holds already that one more, decided now, would be in."""
    sent = case.sent
    if not sent:
        return 0
    one = Sent(case.id, case.play.id, channel, case.now, case.expires - case.now, case.play.purpose)
    return held(cap, sent, one, case.margin) - 1


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
