"""Which ids have to do with each other, and where each event is to be heard: told from the logs, of all partitions.

An event is heard where its own log, as far as it had come, says: at home, or at the owner of its stretch. What comes in
`parts` is heard there, or passed on, as that log says when it comes for the first time. No state is asked, so the
place is the same in every history.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from schemas.customer import Sent
from schemas.identity import key_of
from schemas.part import Part, decode_part
from schemas.topics import EVENTS, PARTS
from schemas.trigger import Trigger
from tests.faults.verifier.graph import Graph, owner_at
from tests.processors.builders import Logged

if TYPE_CHECKING:
    from tests.faults.sim.checker import Checked

Logs = dict[tuple[str, int], list[Logged]]


Happened = tuple[float, str, str, float]
"""(event time, name, message id, when the log took it in), seconds since the epoch."""


class Left(Struct, frozen=True):
    """What counts under a cap."""

    id: str
    play: str
    channel: str
    decided: float
    expires: float


class Said(Struct):
    """An event as its log has it first."""

    topic: str
    id: str
    """Whose log."""
    event: str
    name: str
    at: int
    named: tuple[str, ...]
    """Keys of the other ids it says are the same person's."""


class Kinship:
    """Of the logs of one history. `gone`: ids an erasure has to do with; nothing is said of them."""

    def __init__(self, logs: Logs, graph: Graph, gone: frozenset[bytes]) -> None:
        self.graph, self.gone = graph, gone
        self.everywhere: list[Checked] = []
        self._marks = Graph({place: [row for row in rows if marks(row)] for place, rows in logs.items()})
        self.parts = [(told.decode(), at, decode_part(value)) for told, at, value in parts_of(logs)]
        self._told = told(self.parts)
        self.owners: dict[str, set[str]] = defaultdict(set)
        """Id -> whom any link or split in its logs names."""
        self.split = set[str]()
        """Ids of which a link was taken back."""
        self.markers = set[tuple[str, str, str]]()
        """(topic, id, marker id) of all markers."""
        for (topic, id), rows in self._marks.rows.items():
            for row in rows:
                if marker := row.said.get("marker"):
                    self.markers.add((topic, id, row.said["id"]))
                    self.owners[id].add(marker["to"])
                    self.split |= {id} if marker["what"] == "split" else set()
        own = [(id, rows) for (topic, id), rows in graph.rows.items() if topic != PARTS]
        self.busy = {id for id, rows in own if not all("marker" in row.said for row in rows)}
        """Ids that did something themselves."""
        self._kin = self._joined()
        self._left: dict[frozenset[bytes], dict[str, Left]] = {}

    def _joined(self) -> dict[bytes, frozenset[bytes]]:
        """Ids that links join. One of which nothing else is known joins nobody."""
        kin = {id: {id} for id in self.busy}
        for id, owners in self.owners.items():
            for owner in owners & self.busy if id in self.busy else ():
                both = kin[id] | kin[owner]
                for one in both:
                    kin[one] = both
        return {id.encode(): frozenset(one.encode() for one in ids) for id, ids in kin.items()}

    def kin(self, key: bytes) -> frozenset[bytes]:
        return self._kin.get(key, frozenset((key,)))

    def torn(self, id: str) -> bool:
        """Whether some log of an id says that it is another's while `parts` does not: a split and a link met in another
        order there. Where it stands is not asked any more."""
        owners = (owner_at(self._marks.links(topic, id), 1 << 62) for topic in EVENTS)
        return not self.graph.homes.get(id) and any(owners)

    def left_with(self, id: str) -> bool:
        """Whether all of an id went with somebody erased: it never was another's, and no link was taken back."""
        graph = self.graph
        return graph.root(id) in graph.erased and not self.owners[id] - graph.erased and id not in self.split

    def persons(self, here: Callable[[bytes], bool]) -> list[tuple[bytes, list[bytes]]]:
        """(key, ids) of those living here of whose kin nobody was ever another's: what ended a silence is theirs
        still."""
        ids = defaultdict(list)
        for id in sorted(self.busy):
            if here(self.graph.root(id).encode()) and not any(map(self._moved, self.kin(id.encode()))):
                ids[self.graph.root(id).encode()].append(id.encode())
        return list(ids.items())

    def _moved(self, key: bytes) -> bool:
        id = key.decode()
        return len(self.owners[id]) > 1 or id in self.split or key in self.gone

    def events(self, keys: Iterable[bytes]) -> list[Happened]:
        """What these did, as first taken in."""
        return [event for key in keys for one in self.everywhere for event in one.events.get(key, ())]

    def said(self) -> Iterator[Said]:
        """All events, each once."""
        for topic in EVENTS:
            for id in sorted(self.busy):
                done = set[str]()
                for row in self.graph.rows[topic, id]:
                    event = row.said
                    if "marker" not in event and event["id"] not in done and id.encode() not in self.gone:
                        done.add(event["id"])
                        yield Said(topic, id, event["id"], event["name"], row.offset, named(event))

    def place(self, said: Said) -> str:
        """Where an event is to be heard; empty: it was told to somebody, and never came."""
        path: tuple[str, ...]
        path, at = (said.id,), said.at
        owner = owner_at(self._marks.links(said.topic, said.id, at), at)
        if not owner:
            return said.id
        while (found := self._told.get((owner, path, said.topic, at))) is not None:
            links = self._marks.links(PARTS, owner, found)
            if not links:
                return owner
            owner, path, at = links[0].to, (*path, owner), found
        return ""

    def settled(self, id: str) -> bool:
        """Whether a trigger of this id left, or was refused."""
        return any(id in one.triggers.ids or id in one.refolded.refused for one in self.everywhere)

    def left(self, keys: frozenset[bytes]) -> dict[str, Left]:
        """All that left or was to leave, by any history, as far as any of these could know."""
        if keys not in self._left:
            names = {key.decode() for key in keys}
            decided = [one for part in self.everywhere for one in part.refolded.decided.values()]
            visible = [one for part in self.everywhere for one in part.triggers.all]
            mine = {one.id: left_of(one) for one in (*decided, *visible) if one.customer in names}
            self._left[keys] = self.heard_of(names) | mine
        return self._left[keys]

    def heard_of(self, ids: set[str], before: float = float("inf")) -> dict[str, Left]:
        """What these were told that others of their person sent, by records before an offset."""
        given = [part.belongings for id, at, part in self.parts if id in ids and at < before and part.belongings]
        return {one.id: left_of(one) for belongings in given for one in belongings.sent}


def named(event: dict[str, Any]) -> tuple[str, ...]:
    links = (key_of(link["kind"], link["id"]) for link in event.get("links", ()))
    return (*([event["anonymous"]] if event.get("anonymous") else ()), *links)


def marks(row: Logged) -> bool:
    """Whether it is a marker."""
    return b'"marker":' in (row.value or b"")


def parts_of(logs: Logs) -> Iterator[tuple[bytes, int, bytes]]:
    """(who is told, offset, value)."""
    for (topic, _), rows in logs.items():
        for row in rows if topic == PARTS else ():
            yield row.key or b"", row.offset, row.value or b""


def told(parts: list[tuple[str, int, Part]]) -> dict[tuple[str, tuple[str, ...], str, int], int]:
    """(owner, path, topic, offset in the sender's log) -> where in the owner's `parts` it was told first."""
    found: dict[tuple[str, tuple[str, ...], str, int], int] = {}
    for owner, at, part in parts:
        for one in part.events:
            found.setdefault((owner, tuple(part.path), part.topic, one.at), at)
    return found


def left_of(one: Trigger | Sent) -> Left:
    expires = one.expires if isinstance(one, Trigger) else one.decided + one.span
    return Left(one.id, one.play, one.channel, one.decided, expires)
