"""Where to say it: of the channels a play allows, those that reach the customer, the usual one first."""

from collections.abc import Sequence

from schemas.customer import Customer
from schemas.playbook import Channels


def usual(customer: Customer, channels: Channels) -> str:
    """The delivery channel of where most events were seen; feedback, then the name breaks a tie. Empty: nowhere."""
    weights: dict[str, int] = {}
    for facts in (customer.clickstream, customer.cart, customer.pos):
        if facts is not None:
            for place, events in facts.channels.items():
                delivery = channels.usual.get(place)
                if delivery is not None:
                    weights[delivery] = weights.get(delivery, 0) + events
    if len(weights) < 2:
        return next(iter(weights), "")
    return min(weights, key=lambda channel: (-weights[channel], -answered(customer, channel), channel))


def answered(customer: Customer, channel: str) -> int:
    """How often the customer opened, clicked or bought because of it."""
    said = customer.feedback.counts.get(channel, {}) if customer.feedback else {}
    return sum(said.get(what, 0) for what in ("opened", "clicked", "converted"))


def reaches(customer: Customer, channel: str, channels: Channels) -> bool:
    """What the customer told wins; else being seen on web, app or store says that its usual channel reaches; else the
    playbook says what counts."""
    told = customer.clickstream.reach.get(channel) if customer.clickstream else None
    if told is not None:
        return told
    if channels.unknown == "allow":
        return True
    places = [place for place, delivery in channels.usual.items() if delivery == channel]
    facts = (customer.clickstream, customer.cart, customer.pos)
    return any(place in one.channels for one in facts if one for place in places)


def preferred(customer: Customer, allowed: Sequence[str], channels: Channels) -> list[str]:
    """The allowed channels in the order to try them: the usual one, then as the play has them."""
    first = usual(customer, channels)
    return sorted(allowed, key=lambda channel: channel != first)
