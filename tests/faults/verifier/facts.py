"""What the state must hold of every customer, to the byte of every number: the logs read record by record, repeated
ones left out, and each topic folded alone (`fold`).
"""

import base64
import json
from collections.abc import Iterator
from typing import Any

from xxhash import xxh3_64_digest

from tests.faults.verifier.evidence import EVENTS, Entry, Evidence
from tests.faults.verifier.fold import fold, plain
from tests.faults.verifier.validity import understand

DAY = 86_400.0
SEEN_MOST = 4096

Facts = dict[str, Any]


class Memory:
    """Message ids of one customer and topic, in two generations of a day of the log's time."""

    def __init__(self) -> None:
        self.now: list[str] = []
        self.before: list[str] = []
        self.since = 0.0

    def knows(self, id: str, time: float) -> bool:
        if id in self.now or id in self.before:
            return True
        if not self.now:
            self.since = time
        elif time - self.since >= DAY or len(self.now) >= SEEN_MOST:
            self.before, self.now, self.since = self.now, [], time
        self.now.append(id)
        return False

    def stored(self) -> Facts:
        """As the state holds it."""
        found: Facts = {"now": _digests(self.now), "before": _digests(self.before), "since": self.since}
        return {name: value for name, value in found.items() if value}


def _digests(ids: list[str]) -> str:
    return base64.b64encode(b"".join(xxh3_64_digest(id.encode()) for id in ids)).decode()


class Reference:
    """What the logs say, of every customer; and what became of every record."""

    def __init__(self, evidence: Evidence) -> None:
        self.customers: dict[tuple[int, bytes], dict[str, Facts]] = {}
        self.applied: dict[tuple[str, int], int] = {}
        self.duplicates: dict[tuple[str, int], int] = {}
        self.dead: dict[tuple[str, int, int], tuple[str, Entry]] = {}
        """(topic, partition, offset) -> why it must be a dead letter, and the record."""
        self.events: list[tuple[int, Entry, Facts]] = []
        """(partition, record, what it says) of every event that was applied."""
        self.ids: set[str] = set()
        """Every messageId of a record that can be read, duplicates too."""
        self.marked: set[tuple[int, bytes, str]] = set()
        """Logs of ids that belong to others: what is said here of their facts is more than what goes on there."""
        self.touched = all_erasures(evidence)
        """Customers in whose logs somebody was erased -> who."""
        self.erased = {who for who, whose in self.touched.items() if who[1].decode() in whose}
        """Of these nothing must be left."""
        self._memories: dict[tuple[int, bytes, str], Memory] = {}
        self._said: dict[tuple[int, bytes, str], list[Facts]] = {}
        for topic in (*EVENTS, "feedback"):
            for partition in range(evidence.partitions):
                self._read(evidence, topic, partition)
        for (partition, key, topic), memory in self._memories.items():
            events = self._said.get((partition, key, topic), [])
            facts = plain(fold(topic, events, key.decode())) if events else {}
            self.customers[partition, key][topic] |= facts | {"seen": memory.stored()}
        self._erase()

    def _read(self, evidence: Evidence, topic: str, partition: int) -> None:
        place = topic, partition
        self.applied[place] = self.duplicates[place] = 0
        for entry in evidence.log(topic, partition).entries:
            said, fault = understand(topic, entry, partition, evidence.partitions)
            if fault:
                self.dead[topic, partition, entry.offset] = fault, entry
                continue
            key = entry.key or b""
            self.ids.add(said["id"])
            facts = self.customers.setdefault((partition, key), {}).setdefault(topic, {})
            facts["next"] = entry.offset + 1
            memory = self._memories.setdefault((partition, key, topic), Memory())
            if memory.knows(said["id"], entry.time / 1000.0):
                self.duplicates[place] += 1
                continue
            self.applied[place] += 1
            if "marker" in said:
                self.marked.add((partition, key, topic))
                continue
            self._said.setdefault((partition, key, topic), []).append(said)
            if topic in EVENTS:
                self.events.append((partition, entry, said))

    def _erase(self) -> None:
        """Of logs with erasures nothing is said but what must be gone: the rest hangs on what was read when."""
        self.marked |= {(*who, topic) for who in self.touched for topic in (*EVENTS, "feedback")}
        self.events = [one for one in self.events if (one[0], one[1].key or b"") not in self.touched]
        for who in self.erased:
            self.customers[who] = {}

    def of_partition(self, partition: int) -> Iterator[tuple[bytes, dict[str, Facts]]]:
        for (number, key), facts in self.customers.items():
            if number == partition:
                yield key, facts


def stored(raw: Facts) -> Facts:
    """The facts of one topic as the state holds them, without what only says nothing."""
    return plain(raw)


def all_erasures(evidence: Evidence) -> dict[tuple[int, bytes], set[str]]:
    """(partition, customer) -> whose erasures its logs name: its own, or those of owners."""
    found: dict[tuple[int, bytes], set[str]] = {}
    for topic in (*EVENTS, "parts"):
        for partition, entry in evidence.entries(topic):
            value = entry.value or b""
            marker = json.loads(value).get("marker", {}) if b'"what":"erase"' in value else {}
            if marker.get("what") == "erase":
                found.setdefault((partition, entry.key or b""), set()).add(marker["to"])
    return found
