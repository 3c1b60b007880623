"""One person of many ids: what is asked of a customer is asked of all that is theirs."""

from typing import Any

from processors import intent
from processors.joined import together
from processors.profile import known_as
from processors.stretches import owned
from schemas.customer import Customer, Identity, Intent
from schemas.facts import ALIASES_MOST
from schemas.identity import Held, Side
from schemas.topics import CART, CLICKSTREAM, FEEDBACK, POS

FACTS = (CLICKSTREAM, CART, POS, FEEDBACK)
BETWEEN = "\n"
"""No id holds one."""


def whole(customer: Customer) -> Customer:
    """The facts that are this id's own and those of the ids that belong to it, as one. Its decisions are the customer's
    own, not a copy. Not to be changed."""
    identity = customer.identity
    if identity is None or alone(identity):
        return customer
    clicks, cart, pos, feedback = (facts_of(customer, identity, topic) for topic in FACTS)
    return Customer(clicks, cart, pos, feedback, customer.decisions, identity, customer.erased, customer.forgotten)


def alone(identity: Identity) -> bool:
    """Whether all it knows of other ids is that it claimed some: then its facts are the person's."""
    if identity.owner:
        return False
    for side in (identity.clickstream, identity.cart, identity.pos, identity.feedback):
        if side is not None and (side.held or side.owner or side.closed):
            return False
    return True


def facts_of(customer: Customer, identity: Identity, topic: str) -> Any:
    """Facts of one topic; None: there are none."""
    facts, side = getattr(customer, topic), getattr(identity, topic)
    if topic != FEEDBACK and side:
        facts = owned(side, facts, "")
    mine = None if topic == FEEDBACK and identity.owner else facts
    return together([mine, *(held.facts for _, held in parts(identity, side))])


def parts(identity: Identity, side: Side[Any] | None) -> list[tuple[str, Held[Any]]]:
    """What others sent of a topic, by path. What this id only passes on is not its own."""
    return sorted(side.held.items()) if side and not identity.owner else []


def owned_by(customer: Customer) -> str:
    """The key to whom an id belongs; empty: it is its own, and decides."""
    return customer.identity.owner if customer.identity else ""


def in_between(customer: Customer) -> bool:
    """Whether one log of an id says that it belongs to another while the log of parts does not, yet or any more."""
    identity = customer.identity
    if identity is None or identity.owner:
        return False
    return any(side.owner for side in (identity.clickstream, identity.cart, identity.pos) if side)


def origins(customer: Customer) -> list[str]:
    """The ids that belong to this one, and those that belong to them."""
    identity = customer.identity
    if identity is None:
        return []
    sides = [getattr(identity, topic) for topic in FACTS]
    paths = {name for side in sides if side for name, held in parts(identity, side) if held.facts is not None}
    return sorted({id for path in paths for id in path.split(BETWEEN)})


def aliases(customer: Customer) -> list[str]:
    """All other ids known of a person."""
    said = known_as(customer.clickstream) if customer.clickstream else []
    return list(dict.fromkeys((*said, *origins(customer))))[-ALIASES_MOST:] if customer.identity else said


def intent_of(customer: Customer, half_life: float) -> Intent | None:
    """How warm the person is, whichever id it was that looked."""
    own = customer.decisions.intent if customer.decisions else None
    others = customer.identity.warmth if customer.identity else {}
    for name in sorted(others):
        own = intent.together(own or Intent(), others[name], half_life)
    return own
