"""Folds the turn records over the logs again: the chain must hold, and the state must come out byte for byte."""

from collections import Counter
from dataclasses import dataclass, field

from processors.turn import Turn, by_customer
from schemas.customer import Customer
from schemas.topics import INPUTS, PARTS, TRIGGERS, partition_of
from schemas.trigger import Refusal, Trigger, decode_trigger
from schemas.turn import TurnRecord, decode_turn
from tests.faults.sim.kafka import Broker, Row
from tests.faults.sim.playbooks import Attentive

TOKEN = 16
RefusalKey = tuple[str, float, str]


@dataclass
class Refolded:
    """What the turn records of one partition lead to."""

    faults: list[str] = field(default_factory=list)
    customers: dict[bytes, bytes] = field(default_factory=dict)
    timers: dict[bytes, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    offsets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(INPUTS, 0))
    token: bytes = b""
    decided: dict[str, Trigger] = field(default_factory=dict)
    """Every trigger decided in this history, revoked ones among them."""
    revoked: set[str] = field(default_factory=set)
    refused: dict[str, list[tuple[bytes, Refusal]]] = field(default_factory=dict)
    """Trigger id -> (customer, refusal), each."""
    knew: dict[str, tuple[int, int, list[str]]] = field(default_factory=dict)
    """Trigger id -> what was read when it was decided: offsets in `parts` and `triggers`, and what this history had
    decided for the customer before."""
    heard: Counter[tuple[bytes, str]] = field(default_factory=Counter)
    """(customer, message id) -> how often it was heard there."""
    turns: int = 0


class Refolder:
    """Folds one partition."""

    def __init__(self, partition: int, broker: Broker, folds: dict[str, Attentive]) -> None:
        self.partition, self.broker, self.folds = partition, broker, folds
        self.found = Refolded()

    def run(self, records: list[bytes]) -> Refolded:
        found = self.found
        for fold in self.folds.values():
            fold.heard = found.heard
        for number, raw in enumerate(records):
            before, after = (raw[1:-TOKEN], raw[-TOKEN:]) if raw[:1] == b"A" else self._turn(number, decode_turn(raw))
            if before != found.token:
                found.faults.append(f"chain: record {number} of partition {self.partition} follows another token")
            found.token = after
        return found

    def _turn(self, number: int, record: TurnRecord) -> tuple[bytes, bytes]:
        found, fold = self.found, self.folds[record.playbook]
        found.turns += 1
        known = found.offsets[PARTS], found.offsets[TRIGGERS]
        rows = {topic: self._rows(number, topic, *span) for topic, span in record.ranges.items()}
        keys = {row.key for part in rows.values() for row in part if row.key is not None}
        keys = {key for key in keys if partition_of(key, self.broker.partitions) == self.partition}
        judged = [(id.decode(), self._customer(id.decode())) for id in record.judged or () if b":" not in id]
        keys.update(record.woken, (key for _, key in judged))
        turn = Turn(record.now, record.until, {key: self._load(fold, key) for key in keys})
        before = {key: set(map(refusal_key, refusals(customer))) for key, customer in turn.customers.items()}
        for key, mine in by_customer((topic, rows[topic]) for topic in INPUTS if topic in rows).items():
            fold.absorb(turn, key, mine)
        if record.woken:
            fold.awaken(turn, record.woken)
        if record.judged is not None:
            fold.judge(turn, judged)
        self._keep(fold, turn, before, known)
        return record.before, record.after

    def _rows(self, number: int, topic: str, first: int, end: int) -> list[Row]:
        at = self.found.offsets.get(topic, 0)
        if first != at or end < first:
            self.found.faults.append(f"ranges: record {number} reads {topic} from {first} to {end}, wanted from {at}")
        self.found.offsets[topic] = end
        return self.broker.logs[topic, self.partition].committed(first, end)

    def _customer(self, id: str) -> bytes:
        trigger = self.found.decided.get(id)
        if trigger is None:
            self.found.faults.append(f"judged: nobody decided {id}")
        return trigger.customer.encode() if trigger else b""

    def _load(self, fold: Attentive, key: bytes) -> Customer:
        value = self.found.customers.get(key)
        return fold.blank() if value is None else fold.decode(value)

    def _keep(
        self, fold: Attentive, turn: Turn[Customer], before: dict[bytes, set[RefusalKey]], known: tuple[int, int]
    ) -> None:
        found = self.found
        for key in turn.changed:
            found.customers[key] = fold.encode(turn.customers[key])
            for one in refusals(turn.customers[key]):
                if refusal_key(one) not in before[key]:
                    found.refused.setdefault(one.id, []).append((key, one))
        for key, wake in turn.wake.items():
            found.timers.pop(key, None)
            if wake is not None:
                found.timers[key] = wake
        found.counts.update(turn.counts)
        for fault in turn.faults:
            found.counts[f"dead_lettered:{fault.topic}"] += 1
        for id, message in turn.messages:
            if message.topic == TRIGGERS:
                trigger = decode_trigger(message.value or b"")
                earlier = [one.id for one in found.decided.values() if one.customer == trigger.customer]
                found.knew[id] = *known, earlier
                found.decided[id] = trigger
        found.revoked.update(turn.revoked)


def refusals(customer: Customer) -> list[Refusal]:
    return customer.decisions.refused if customer.decisions else []


def refusal_key(one: Refusal) -> RefusalKey:
    return one.id, one.decided, one.reason
