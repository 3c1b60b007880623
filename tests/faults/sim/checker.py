"""What of the promise is broken at the end of a history: design.md, the end of section 6, line by line.

State and logs are read as anyone can read them. Facts are folded by `facts`, turns folded again by `refold`; windows,
timers and occurrences are worked out here from the logs and the playbook, by other means than the engine's.
"""

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from schemas.topics import DEAD_LETTERS, EVENTS, INPUTS, PARTS, TRIGGERS, partition_of
from tests.faults.sim import facts
from tests.faults.sim.clock import at_once
from tests.faults.sim.kafka import Row
from tests.faults.sim.kinship import Happened, Kinship
from tests.faults.sim.occurrences import Occurrences
from tests.faults.sim.persons import logs, persons
from tests.faults.sim.refold import Refolded, Refolder
from tests.faults.sim.triggers import Triggers
from tests.faults.verifier.graph import Graph

if TYPE_CHECKING:
    from tests.faults.sim.history import History
    from tests.faults.sim.store import Primary

FACTS = tuple(topic for topic in INPUTS if topic not in (TRIGGERS, PARTS))


def check(history: "History") -> list[str]:
    """Every fault, the first of each kind."""
    found: list[str] = []
    everywhere = [Checked(history, primary) for primary in history.primaries]
    read = logs(history)
    graph = Graph(read)
    kinship = Kinship(read, graph, history.traffic.gone)
    kinship.everywhere += everywhere
    for one in everywhere:
        found += [*one.faults(), *Occurrences(one, kinship).faults()]
    found += persons(history, kinship)
    kinds: dict[str, str] = {}
    for fault in found:
        kinds.setdefault(fault.partition(":")[0], fault)
    return list(kinds.values())


class Checked:
    """One partition at rest."""

    def __init__(self, history: "History", primary: "Primary") -> None:
        self.history, self.partition = history, primary.partition
        slot: Any = primary.slot
        self.meta: dict[str, bytes] = at_once(slot.meta())
        self.customers: dict[bytes, bytes] = primary.keeper.customers(slot)
        self.timers: dict[bytes, float] = primary.keeper.timers(slot)
        self.records: list[bytes] = at_once(slot.records())
        self.counts = Counter({name[6:]: int(n) for name, n in self.meta.items() if name.startswith("count:")})

        self.refolded = Refolder(self.partition, history.broker, history.folds).run(self.records)
        self.triggers = Triggers(self.rows(TRIGGERS))
        self.events = self._events()

    def faults(self) -> list[str]:
        refolded, triggers = self.refolded, self.triggers
        found = [*self._facts(), *refolded.faults, *self._state(refolded), *triggers.faults(self.history)]
        return found + self._memory(triggers)

    def _events(self) -> dict[bytes, list[Happened]]:
        """What each customer did, each message once, as first taken in."""
        found: dict[bytes, dict[str, Happened]] = {}
        for topic in EVENTS:
            for row in self.rows(topic):
                event, key = facts.said(row, topic), row.key or b""
                if event is not None and "marker" not in event and self.here(key):
                    happened = event["time"], event["name"], event["id"], row.timestamp / 1000
                    found.setdefault(key, {}).setdefault(event["id"], happened)
        return {key: list(events.values()) for key, events in found.items()}

    def rows(self, topic: str) -> list[Row]:
        """What a read_committed reader sees."""
        return self.history.broker.logs[topic, self.partition].committed()

    def here(self, key: bytes) -> bool:
        return partition_of(key, self.history.profile.partitions) == self.partition

    def _facts(self) -> list[str]:
        """Each event once, duplicate or dead-lettered; facts as the log says."""
        found, letters, expected = [], Counter[str](), Counter[str]()
        for topic in FACTS:
            wanted, counts, dead = facts.tally(topic, self.rows(topic), self.here, self.history.kept)
            expected += counts
            letters.update(f"{topic}/{self.partition}/{row.offset}" for row in dead)
            got = {key: one[topic] for key, value in self.customers.items() if topic in (one := json.loads(value))}
            for key in [key for key, one in wanted.items() if one.pop("marked", False)]:
                wanted[key], got[key] = facts.cut(wanted[key]), facts.cut(got.get(key, {}))
            for key in (wanted.keys() | got.keys()) - self.history.traffic.gone:
                if wanted.get(key) != got.get(key):
                    found.append(f"facts: {topic} of {key!r}: wanted {wanted.get(key)}, got {got.get(key)}")
        told = facts.tally_parts(self.rows(PARTS))
        self.history.count("parts refused as older", told.pop("older", 0))
        expected += told
        if self.history.leaves:
            return found + self._left(expected) + self._dead_letters(letters)
        kinds = ("applied", "duplicate", "dead_lettered")
        counted = {n: v for n, v in self.counts.items() if n.split(":")[0] in kinds and not n.endswith(":triggers")}
        if counted != dict(expected):
            found.append(f"counts: wanted {dict(expected)}, got {counted}")
        return found + self._dead_letters(letters)

    def _left(self, expected: Counter[str]) -> list[str]:
        """Where somebody was erased: nothing of theirs is there, and each record is booked, as what hangs on what was
        read when."""
        found = []
        for topic in (*FACTS, PARTS):
            wanted = sum(expected[f"{what}:{topic}"] for what in ("applied", "duplicate", "dead_lettered"))
            got = {what: self.counts[f"{what}:{topic}"] for what in ("applied", "duplicate", "dead_lettered", "erased")}
            if sum(got.values()) != wanted or got["dead_lettered"] != expected[f"dead_lettered:{topic}"]:
                found.append(f"counts: {topic} wanted {wanted} records, got {got}")
            self.history.count(f"erased {topic}", got["erased"])
        if self.here(leaver := self.history.traffic.leaver):
            state = json.loads(self.customers.get(leaver, b"{}"))
            if "erased" not in state or state.keys() - {"erased", "forgotten"} or leaver in self.timers:
                found.append(f"erased: {leaver!r} has {state}")
        return found

    def _dead_letters(self, letters: Counter[str]) -> list[str]:
        strange = [row for row in self.rows(TRIGGERS) if row.transaction is None]
        letters.update(f"{TRIGGERS}/{self.partition}/{row.offset}" for row in strange)
        places = {dict(row.headers)["place"].decode() for row in self.rows(DEAD_LETTERS)}
        if places != set(letters):
            return [f"dead letters: lost {sorted(set(letters) - places)}, needless {sorted(places - set(letters))}"]
        return []

    def _state(self, refolded: Refolded) -> list[str]:
        """State = fold(turn records, logs)."""
        found = []
        if refolded.token != self.meta["token"]:
            found.append("chain: the last record is not the stored token's")
        for topic, offset in refolded.offsets.items():
            if offset != int(self.meta[f"next:{topic}"]):
                found.append(f"ranges: {topic} ends at {offset}, the state goes on at {self.meta[f'next:{topic}']!r}")
        for key in self.customers.keys() | refolded.customers.keys():
            got, wanted = self.customers.get(key), refolded.customers.get(key)
            if got != wanted:
                found.append(f"state: {key!r}: wanted {wanted!r}, got {got!r}")
        if self.timers != refolded.timers:
            found.append(f"state: timers, wanted {refolded.timers}, got {self.timers}")
        if +self.counts != +refolded.counts:
            found.append(f"state: counts, wanted {+refolded.counts}, got {+self.counts}")
        return found

    def _memory(self, triggers: Triggers) -> list[str]:
        """What is remembered as sent is what is visible; and the books say so."""
        found = []
        for key, value in self.customers.items():
            state = json.loads(value)
            forgotten = state.get("forgotten", {})
            sent = {one["id"]: one["decided"] for one in state.get("decisions", {}).get("sent", ())}
            seen = {one.id: one.decided for one in triggers.of.get(key, ())}
            sent |= {id: seen.get(id, 0.0) for id in forgotten}
            if sent != seen:
                found.append(f"memory: {key!r}: sent {sorted(sent.items())}, visible {sorted(seen.items())}")
        plays = Counter(one.play for one in triggers.all)
        if booked := {n[8:]: v for n, v in self.counts.items() if n.startswith("trigger:") and v != plays[n[8:]]}:
            found.append(f"books: triggers by play {booked}, visible {dict(plays)}")
        return found
