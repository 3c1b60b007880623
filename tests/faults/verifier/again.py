"""Fold the turn records again with the engine's own Decider: state = fold(turn records, log), byte for byte.

This shows that the fold is deterministic and that nothing else ever touched the state. It is no independent judgement
of the decisions: it is the engine's own code, the only place of the verifier where that is so.
"""

import bisect
from typing import Any
from unittest import mock

from processors import outcome, returns
from processors.decide import Decider
from processors.playbook import read_playbook
from processors.turn import Turn as Given
from processors.turn import by_customer
from schemas.customer import Decisions, encode_customer
from schemas.topics import TRIGGERS, partition_of
from schemas.trigger import Refusal
from schemas.turn import decode_message
from tests.faults.verifier.evidence import INPUTS, Entry, Evidence
from tests.faults.verifier.findings import Findings
from tests.faults.verifier.turns import Chain, Turn, counters

REFUSE = outcome.refuse


class Row:
    """A record as the fold wants it."""

    __slots__ = ("key", "offset", "timestamp", "value")

    def __init__(self, entry: Entry) -> None:
        self.offset, self.timestamp, self.key, self.value = entry.offset, entry.time, entry.key, entry.value


class Again:
    """The second life of one partition."""

    def __init__(self, evidence: Evidence, partition: int, chain: Chain) -> None:
        self.evidence, self.partition, self.chain = evidence, partition, chain
        self.customers: dict[bytes, Any] = {}
        self.timers: dict[bytes, float] = {}
        self.pending: dict[str, bytes] = {}
        """Id -> customer of what was decided and not yet seen in Kafka, as far as this can be told."""
        self.counts: dict[str, int] = {}
        self.refused: dict[str, dict[str, Any]] = {}
        """Id -> refusal, all there ever were in this history."""
        self.revoked: list[str] = []
        self._deciders: dict[str, Decider] = {}
        self._rows = {topic: [Row(e) for e in evidence.log(topic, partition).entries] for topic in INPUTS}
        self._offsets = {topic: [row.offset for row in rows] for topic, rows in self._rows.items()}

    def run(self) -> None:
        with mock.patch.object(outcome, "refuse", self._refuse), mock.patch.object(returns, "refuse", self._refuse):
            for turn in self.chain.turns:
                self._turn(turn)

    def _refuse(self, turn: Given[Any], decisions: Decisions, refusal: Refusal) -> None:
        """A customer keeps only the newest refusals; here all are kept."""
        REFUSE(turn, decisions, refusal)
        told = {name: getattr(refusal, name) for name in ("id", "play", "reason", "time", "decided")}
        self.refused[refusal.id] = told | {"who": (self.partition, b"")}

    def _decider(self, version: str) -> Decider:
        if version not in self._deciders:
            loaded = read_playbook(self.evidence.playbooks[version])
            bound, kept = self.evidence.clock_bound, frozenset(self.evidence.kept)
            decider = Decider(self.evidence.app, loaded.playbook, loaded.conditions, version, bound, kept)
            self._deciders[version] = decider
        return self._deciders[version]

    def _turn(self, turn: Turn) -> None:
        fold = self._decider(turn.playbook)
        batches = [(topic, self._between(topic, *turn.ranges[topic])) for topic in INPUTS if topic in turn.ranges]
        judged = [(id.decode(), self.pending[id.decode()]) for id in turn.judged or () if id.decode() in self.pending]
        for key in (*(row.key for _, rows in batches for row in rows), *turn.woken, *(key for _, key in judged)):
            if key is not None and partition_of(key, self.evidence.partitions) == self.partition:
                self.customers.setdefault(key, fold.blank())
        given: Given[Any] = Given(turn.now, turn.until, self.customers)
        for key, mine in by_customer(batches).items():
            fold.absorb(given, key, mine)
        if turn.woken:
            fold.awaken(given, turn.woken)
        if turn.judged is not None:
            fold.judge(given, judged)
        self._keep(given)

    def _between(self, topic: str, first: int, end: int) -> list[Row]:
        offsets = self._offsets[topic]
        return self._rows[topic][bisect.bisect_left(offsets, first) : bisect.bisect_left(offsets, end)]

    def _keep(self, given: Given[Any]) -> None:
        for fault in given.faults:
            given.counts[f"dead_lettered:{fault.topic}"] += 1
        for name, count in given.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        for key, due in given.wake.items():
            self.timers.pop(key, None)
            if due is not None:
                self.timers[key] = due
        self.pending.update({id: m.key or b"" for id, m in given.messages if m.topic == TRIGGERS})
        for id in given.revoked:
            self.pending.pop(id, None)
        self.revoked += given.revoked


def fold_again(evidence: Evidence, partition: int, chain: Chain, found: Findings) -> Again:
    """Compare the second life with the first. Needs all turn records (KAIROS_TURN_HISTORY=0) and uncut logs."""
    again, slot = Again(evidence, partition, chain), evidence.slots[partition]
    try:
        again.run()
    except Exception as exc:  # whatever it is, it did not happen the first time
        found.wrong("the turn records cannot be folded again", f"partition {partition}: {exc!r}")
        return again
    touched = {key: value for key, value in again.customers.items() if value != type(value)()}
    for key in touched.keys() ^ slot.customers.keys():
        found.wrong("customer in one life only", f"partition {partition}: {key!r}")
    shredded = {key for topic in INPUTS for key in evidence.log(topic, partition).shredded}
    for key in touched.keys() & slot.customers.keys() - shredded:
        told = encode_customer(touched[key])
        if told != slot.customers[key]:
            found.wrong("state is not the fold of its turns", f"{key!r}\nfold  {told!r}\nstate {slot.customers[key]!r}")
    if again.timers != slot.timers:
        found.wrong("timers are not the fold of their turns", f"partition {partition}")
    counts = {name: count for name, count in again.counts.items() if count}
    kept = {name: count for name, count in counters(evidence, partition, "").items() if count}
    if counts != kept and not shredded:
        found.wrong("counters are not the fold of their turns", dict(counts.items() ^ kept.items()))
    for id, entry in slot.outbox.items():
        if decode_message(entry).topic == TRIGGERS and id.decode() not in again.pending:
            found.wrong("outbox holds what no turn decided", id)
    found.figures["revoked"] += len(again.revoked)
    return again
