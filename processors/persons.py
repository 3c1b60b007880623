"""One person of many ids: what is asked of a customer is asked of all that is theirs."""

from operator import is_not
from typing import Any, cast

from msgspec import Struct

from processors import intent
from processors.joined import together
from processors.profile import known_as
from processors.stretches import belonging
from processors.turn import Turn
from schemas.customer import Customer, Decisions, Identity, Intent
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
    clicks, cart, pos, feedback = (together(pieces(customer, identity, topic)) for topic in FACTS)
    return Customer(clicks, cart, pos, feedback, customer.decisions, identity, customer.erased, customer.forgotten)


def alone(identity: Identity) -> bool:
    """Whether all it knows of other ids is that it claimed some: then its facts are the person's."""
    if identity.owner:
        return False
    for side in (identity.clickstream, identity.cart, identity.pos, identity.feedback):
        if side is not None and (side.held or side.owner or side.closed):
            return False
    return True


def person_of(turn: Turn[Customer], key: bytes, customer: Customer) -> Customer:
    """The same for a moment of a turn: ask again when the customer has changed. Facts are joined when they are first
    asked for, and in this turn not again as long as no piece of them has changed."""
    identity = customer.identity
    if identity is None or alone(identity):
        return customer
    return cast(Customer, Joining(turn, key, customer, identity))


class Joining:
    """A Customer whose facts are joined topic by topic."""

    def __init__(self, turn: Turn[Customer], key: bytes, customer: Customer, identity: Identity) -> None:
        self.identity, self.erased, self.forgotten = identity, customer.erased, customer.forgotten
        self._turn, self._key, self._customer = turn, key, customer

    @property
    def decisions(self) -> Decisions | None:
        return self._customer.decisions

    def __getattr__(self, name: str) -> Any:
        if name not in FACTS:
            raise AttributeError(f"a customer has facts of {', '.join(FACTS)}; wanted {name}")
        value = self.__dict__[name] = self._joined(name)
        return value

    def _joined(self, topic: str) -> Any:
        some = pieces(self._customer, self.identity, topic)
        if len(some) < 2:
            return some[0] if some else None
        joins, positions = self._turn.joins, [facts.next for facts in some]
        made = joins.get((self._key, topic))
        if made is None or made.positions != positions or any(map(is_not, made.of, some)):
            made = joins[self._key, topic] = Made(some, positions, together(some))
        return made.facts


class Made(Struct):
    """Facts joined in a turn, and what of. Only the going stretch is changed in place, and every record moves it on."""

    of: list[Any]
    positions: list[int]
    facts: Any


def pieces(customer: Customer, identity: Identity, topic: str) -> list[Any]:
    """Facts of one topic that make up the person's, those with something in them."""
    facts, side = getattr(customer, topic), getattr(identity, topic)
    found = [facts]
    if side and topic != FEEDBACK:
        found = [*belonging(side, facts, "")]
    elif topic == FEEDBACK and identity.owner:
        found = []
    found += [held.facts for _, held in parts(identity, side)]
    return [one for one in found if one is not None and one.events]


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
