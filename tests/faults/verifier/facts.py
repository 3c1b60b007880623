"""What the state must hold of every customer, to the byte of every number: the logs read record by record, repeated
ones left out, and each stretch of each topic folded alone (`fold`).
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from xxhash import xxh3_64_digest

from tests.faults.verifier.evidence import EVENTS, Entry, Evidence
from tests.faults.verifier.fold import fold, plain
from tests.faults.verifier.graph import FEEDBACK, PARTS, Graph
from tests.faults.verifier.validity import understand

DAY = 86_400.0
SEEN_MOST = 4096
STRETCHES_MOST, MARKS_MOST = 7, 64
"""Of one log: with more closed stretches or links the engine joins and forgets."""

Facts = dict[str, Any]
Place = tuple[int, bytes, str]
"""Partition, customer, topic: a log of one id."""
Versions = dict[tuple[bytes, str, str], list[int]]
"""Receiver, path, topic -> the newest."""


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


@dataclass
class Piece:
    """The events between two links of one log."""

    at: int
    """Offset of the link it began with; 0: the beginning."""
    owner: str
    """Whose it is in the end; empty: the id's own."""
    events: list[Facts] = field(default_factory=list)


class Reference:
    """What the logs say, of every customer; and what became of every record."""

    def __init__(self, evidence: Evidence) -> None:
        self.customers: dict[tuple[int, bytes], dict[str, Facts]] = {}
        """Customer -> topic -> the facts of what goes on since the last link."""
        self.pieces: dict[Place, list[Piece]] = {}
        """All stretches of a log, oldest first; the last one goes on."""
        self.applied: dict[tuple[str, int], int] = {}
        self.duplicates: dict[tuple[str, int], int] = {}
        self.dead: dict[tuple[str, int, int], tuple[str, Entry]] = {}
        """(topic, partition, offset) -> why it must be a dead letter, and the record."""
        self.events: list[tuple[str, int, Entry, Facts]] = []
        """(topic, partition, record, what it says) of every event that was applied."""
        self.ids: set[str] = set()
        """Every messageId of a record that can be read, duplicates too."""
        self.kept = evidence.kept
        self.parts: dict[bytes, list[tuple[Entry, Facts]]] = {}
        """Customer -> what came in `parts`, markers left out."""
        self._memories: dict[Place, Memory] = {}
        self._short: set[tuple[bytes, str, str]] = set()
        """Parts of `Versions` that lack families of facts: told before a rebuild."""
        self._said: dict[Place, list[tuple[int, Facts]]] = {}
        self._good: dict[tuple[str, int], list[Entry]] = {}
        for topic in (*EVENTS, FEEDBACK, PARTS):
            for partition in range(evidence.partitions):
                self._read(evidence, topic, partition)
        self.graph = Graph(self._good)
        self.circles = self.graph.circles()
        """Id -> all ids it was ever tied to, itself among them."""
        self.touched = self._touched(evidence)
        """Customers in whose logs somebody was erased, and all who were ever tied to them."""
        self.erased = {evidence.place(id.encode()) for id in self.graph.erased}
        """Of these nothing must be left."""
        self._cut()

    def _read(self, evidence: Evidence, topic: str, partition: int) -> None:
        place = topic, partition
        self.applied[place] = self.duplicates[place] = 0
        versions: Versions = {}
        for entry in evidence.log(topic, partition).entries:
            said, fault = understand(topic, entry, partition, evidence.partitions)
            if fault:
                self.dead[topic, partition, entry.offset] = fault, entry
                continue
            key = entry.key or b""
            facts = self.customers.setdefault((partition, key), {})
            if topic == PARTS and "marker" not in said:
                self._tell(partition, entry, said, versions)
                continue
            self.ids.add(said["id"])
            if topic != PARTS:
                facts.setdefault(topic, {})["next"] = entry.offset + 1
            memory = self._memories.setdefault((partition, key, topic), Memory())
            if memory.knows(said["id"], entry.time / 1000.0):
                self.duplicates[place] += 1
                continue
            self.applied[place] += 1
            self._good.setdefault(place, []).append(entry)
            if "marker" in said:
                continue
            self._said.setdefault((partition, key, topic), []).append((entry.offset, said))
            if topic in EVENTS:
                self.events.append((topic, partition, entry, said))

    def _tell(
        self, partition: int, entry: Entry, said: Facts, versions: dict[tuple[bytes, str, str], list[int]]
    ) -> None:
        """A part: of facts only what is newer than before counts, or says what it lacked before a rebuild."""
        key = entry.key or b""
        self.parts.setdefault(key, []).append((entry, said))
        name, version = (key, "\n".join(said.get("path", ())), said.get("topic", "")), said.get("version", [0, 0])
        before, facts = versions.get(name, [0, 0]), said.get("topic", "") in said
        short = facts and "kept" in said and not {*self.kept} <= {*said["kept"].split(",")}
        again = version == before and name in self._short and not short
        old = "belongings" not in said and version <= before and not again
        if "belongings" not in said and not old:
            versions[name] = version
            (self._short.add if short else self._short.discard)(name)
        (self.duplicates if old else self.applied)[PARTS, partition] += 1

    def _touched(self, evidence: Evidence) -> set[tuple[int, bytes]]:
        ids = {id for id in self.graph.ids if self.graph.erasures(id)}
        return {evidence.place(one.encode()) for id in ids for one in self.circles.get(id, {id})}

    def _cut(self) -> None:
        """Each log into its stretches. Of the touched nothing is said but what must be gone: the rest hangs on what
        was read when."""
        for place in self._memories:
            partition, key, topic = place
            if topic == PARTS:
                continue
            pieces = self.pieces[place] = self._pieces(topic, key.decode(), self._said.get(place, []))
            facts = self.folded(topic, pieces[-1].events, key.decode())
            self.customers[partition, key][topic] |= facts | {"seen": self._memories[place].stored()}
        self.events = [one for one in self.events if (one[1], one[2].key or b"") not in self.touched]
        for who in self.erased:
            self.customers[who] = {}

    def _pieces(self, topic: str, id: str, said: list[tuple[int, Facts]]) -> list[Piece]:
        if topic == FEEDBACK:
            return [Piece(0, self.graph.homes.get(id, ""), [event for _, event in said])]
        starts = [0, *(link.at for link in self.graph.marks(topic, id))]
        pieces = [Piece(at, self.graph.owner(topic, id, at)) for at in starts]
        for offset, event in said:
            next(piece for piece in reversed(pieces) if piece.at <= offset).events.append(event)
        return [*(piece for piece in pieces[:-1] if piece.events), pieces[-1]]

    def folded(self, topic: str, events: list[Facts], id: str) -> Facts:
        """The facts of these events, as the state holds them; empty when there are none."""
        return plain(fold(topic, events, id, self.kept)) if events else {}

    def joined(self, id: str) -> list[tuple[int, float, Facts]]:
        """(offset, log time, what was sent) of all that other ids told this one that they sent."""
        return [
            (entry.offset, entry.time / 1000.0, one)
            for entry, said in self.parts.get(id.encode(), ())
            for one in said.get("belongings", {}).get("sent", ())
        ]

    def beyond(self, id: str) -> bool:
        """Whether a log of this id has more stretches or links than are kept."""
        logs = [self.graph.marks(topic, id) for topic in (*EVENTS, PARTS)]
        return any(len(marks) > min(STRETCHES_MOST, MARKS_MOST) for marks in logs)

    def circle(self, id: str) -> frozenset[str]:
        """All ids that any link ever tied to this one; itself among them."""
        return self.circles.get(id, frozenset({id}))

    def of_partition(self, partition: int) -> Iterator[tuple[bytes, dict[str, Facts]]]:
        for (number, key), facts in self.customers.items():
            if number == partition:
                yield key, facts


def stored(raw: Facts) -> Facts:
    """The facts of one topic as the state holds them, without what only says nothing."""
    return plain(raw)


def told(state: Any) -> Facts:
    """The same, without what is of one log alone."""
    return {name: value for name, value in plain(state or {}).items() if name not in ("next", "seen")}
