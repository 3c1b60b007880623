"""Records, customers and playbooks for tests: `viewed("ann", "boots", at=5)` is a record of `clickstream`."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from processors.decide import Decider
from processors.turn import Turn, by_customer
from processors.view import View
from schemas.customer import Customer
from schemas.event import (
    ADDED,
    IDENTIFIED,
    MICROS,
    ORDERED,
    PRODUCT_VIEWED,
    REMOVED,
    Event,
    Product,
    Traits,
    encode_event,
)
from schemas.families import ALL, Kept
from schemas.playbook import Playbook
from schemas.topics import CART, CLICKSTREAM, POS, TRIGGERS
from schemas.trigger import Trigger, decode_trigger, encode_trigger

START = 1_790_000_000.0
"""Times in tests are seconds after this one: 2026-09-21 14:13:20 UTC."""


class Logged(Struct, frozen=True):
    """A record as the log gives it."""

    topic: str
    key: bytes | None
    value: bytes | None
    offset: int = 0
    timestamp: int = int(START * 1000)


def happened(customer: str, name: str, *, at: float = 0.0, topic: str = CLICKSTREAM, **fields: Any) -> Logged:
    """A record of one event. `at`: seconds after START; its message id is made of all it says, unless given."""
    id = fields.pop("id", f"{name}@{at}{sorted(fields)}")[:128]
    event = Event(id=id, name=name, time=START + at, **fields)
    return Logged(topic, customer.encode(), encode_event(event), timestamp=int((START + at) * 1000))


def products(*names: str, price: float = 10.0, quantity: int = 1) -> list[Product]:
    return [Product(name, name.title(), price=int(price * MICROS), quantity=quantity) for name in names]


def viewed(customer: str, product: str, *, at: float = 0.0, **fields: Any) -> Logged:
    return happened(customer, PRODUCT_VIEWED, at=at, **{"channel": "web", "products": products(product)} | fields)


def added(
    customer: str, product: str, *, at: float = 0.0, price: float = 10.0, quantity: int = 1, **more: Any
) -> Logged:
    fields = {"channel": "web", "products": products(product, price=price, quantity=quantity)} | more
    return happened(customer, ADDED, at=at, topic=CART, **fields)


def removed(customer: str, product: str, *, at: float = 0.0, quantity: int = 1, **more: Any) -> Logged:
    fields = {"channel": "web", "products": products(product, quantity=quantity)} | more
    return happened(customer, REMOVED, at=at, topic=CART, **fields)


def ordered(customer: str, *names: str, at: float = 0.0, till: bool = False, **more: Any) -> Logged:
    fields = {"channel": "store" if till else "web", "products": products(*names), "total": len(names) * 10 * MICROS}
    return happened(customer, ORDERED, at=at, topic=POS, **fields | more)


def identified(customer: str, *, at: float = 0.0, **traits: Any) -> Logged:
    return happened(customer, IDENTIFIED, at=at, traits=Traits(**traits), channel="web")


class Asked:
    """Conditions as Python functions: play -> what `when` says; the occurrence is another."""

    def __init__(
        self, view: View, when: dict[str, Callable[[View], bool]], occurrence: dict[str, Callable[[View], str]]
    ):
        self.view, self.when, self.about = view, when, occurrence

    def holds(self, play: str) -> bool:
        return self.when[play](self.view) if play in self.when else True

    def occurrence(self, play: str) -> str:
        return self.about[play](self.view) if play in self.about else self.view.cart.id or self.view.event.id

    def data(self, play: str) -> dict[str, str]:
        return {"item": self.view.cart.items[0].name} if self.view.cart.items else {}

    def facts(self, play: str) -> dict[str, str | float | bool]:
        return {"cart.open": self.view.cart.open, "cart.value": self.view.cart.value}

    def rule(self, name: str) -> bool:
        return self.when[name](self.view) if name in self.when else True

    def leaf(self) -> str:
        return ""

    def error(self, play: str) -> str:
        return ""


class Fakes:
    """Hand-made conditions."""

    def __init__(self, when: dict[str, Callable[[View], bool]], occurrence: dict[str, Callable[[View], str]]):
        self.when, self.about = when, occurrence

    def at(self, view: View) -> Asked:
        return Asked(view, self.when, self.about)


def play(id: str = "cart-abandoned", **fields: Any) -> dict[str, Any]:
    """A play as a playbook has it: 45 minutes of silence after Product Added, unless told otherwise."""
    usual: dict[str, Any] = {
        "id": id,
        "on": [ADDED],
        "occurrence": "cart.id",
        "channels": ["web", "email"],
        "expires": "6h",
    }
    return usual | fields


ABANDONED = play(after="45m", unless=[ORDERED])


def decider(
    *plays: dict[str, Any],
    when: dict[str, Callable[[View], bool]] | None = None,
    occurrence: dict[str, Callable[[View], str]] | None = None,
    clock_bound: float = 0.0,
    kept: Kept = ALL,
    **rest: Any,
) -> Decider:
    """A fold of those plays; consent counts as given, unless `policies` say otherwise."""
    policies = {"consent": {"unknown": "allow"}} | rest.pop("policies", {})
    playbook = Playbook.model_validate({"plays": list(plays), "policies": policies, **rest})
    return Decider("shop", playbook, Fakes(when or {}, occurrence or {}), "v1", clock_bound, kept)


class World:
    """Customers and logs in memory, and turns over them: what the engine is to the fold."""

    def __init__(self, fold: Decider) -> None:
        self.fold = fold
        self.stored: dict[bytes, bytes] = {}
        self.wake: dict[bytes, float] = {}
        self.offsets: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.triggers: list[Trigger] = []

    def turn(self, *records: Logged, now: float, until: float | None = None) -> Turn[Customer]:
        """One turn: records by topic in the order given, then due timers. Times: seconds after START."""
        till = START + (now if until is None else until)
        due = sorted((key for key, when in self.wake.items() if when <= till), key=self.wake.__getitem__)
        keys = {record.key for record in records if record.key} | set(due)
        turn = Turn(START + now, till, {key: self.customer(key) for key in keys})
        topics: dict[str, list[Logged]] = {}
        for record in records:
            topics.setdefault(record.topic, []).append(record)
        batches = [(topic, self.numbered(topic, batch)) for topic, batch in topics.items()]
        for key, mine in by_customer(batches).items():
            self.fold.absorb(turn, key, mine)
        self.fold.awaken(turn, due)
        self.commit(turn)
        return turn

    def numbered(self, topic: str, batch: Sequence[Logged]) -> list[Logged]:
        first = self.offsets.get(topic, 0)
        self.offsets[topic] = first + len(batch)
        return [Logged(each.topic, each.key, each.value, first + at, each.timestamp) for at, each in enumerate(batch)]

    def customer(self, key: bytes) -> Customer:
        return self.fold.decode(self.stored[key]) if key in self.stored else self.fold.blank()

    def commit(self, turn: Turn[Customer]) -> None:
        for key in turn.changed:
            self.stored[key] = self.fold.encode(turn.customers[key])
        for key, when in turn.wake.items():
            self.wake.pop(key, None)
            if when is not None:
                self.wake[key] = when
        for name, many in turn.counts.items():
            self.counts[name] = self.counts.get(name, 0) + many
        self.triggers += [decode_trigger(m.value or b"") for _, m in turn.messages if m.topic == TRIGGERS]

    def ann(self) -> Customer:
        return self.customer(b"ann")

    @property
    def pending(self) -> int:
        """Timers that wait."""
        customers = [self.customer(key) for key in self.stored]
        return sum(len(one.decisions.waiting) for one in customers if one.decisions)


def came_back(trigger: Trigger, **changes: Any) -> Logged:
    """The record by which a trigger is read back."""
    return Logged(TRIGGERS, trigger.customer.encode(), encode_trigger(replace(trigger, **changes)))
