"""Whose is every event: told from the logs as they are in the end, by one who knows all links from the start.

It knows the shapes of records only: no stretches, no parts, no versions. For each record it looks for the link that
counts there, and follows the owners to the last one.
"""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import Any, NamedTuple, Protocol

from tests.faults.verifier.evidence import EVENTS

FEEDBACK, PARTS = "feedback", "parts"
Said = dict[str, Any]


class Logged(Protocol):
    """A record that can be read."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def offset(self) -> int: ...


class Row(NamedTuple):
    """A record of one id in one log."""

    offset: int
    said: Said


@dataclass
class Link:
    """What the markers of one owner with nobody else between them say."""

    at: int
    """Offset of the first."""
    to: str
    time: float
    again: float
    """Event times of the earliest and the latest claim."""
    most: int
    within: float
    dead: bool = False
    """A later split took it back."""


class Graph:
    """Of logs by topic and partition."""

    def __init__(self, logs: Mapping[tuple[str, int], Iterable[Logged]]) -> None:
        self.rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for (topic, _), log in logs.items():
            for row in log:
                self.rows[topic, (row.key or b"").decode()].append(Row(row.offset, json.loads(row.value or b"")))
        self.markers = {place: [row for row in rows if row.said.get("marker")] for place, rows in self.rows.items()}
        self.ids = sorted({id for _, id in self.rows})
        self.links = cache(self._links)
        self.erased = {id for id in self.ids if any(whose == id for whose, _ in self.erasures(id))}
        """Ids that were erased as a whole."""
        self.homes = {id: self.home(id) for id in self.ids}

    def home(self, id: str, before: float = inf) -> str:
        """Whom all belongs to that has no stretches, as of an offset of `parts`."""
        links = self.links(PARTS, id, before)
        return links[0].to if links else ""

    def erasures(self, id: str, *topics: str) -> list[tuple[str, int]]:
        """(whose, offset) of all erasures in logs of an id."""
        found = []
        for topic in topics or (*EVENTS, PARTS):
            for row in self.markers.get((topic, id), ()):
                if row.said["marker"]["what"] == "erase":
                    found.append((row.said["marker"]["to"], row.offset))
        return found

    def marks(self, topic: str, id: str, before: float = inf) -> list[Link]:
        """All links of one log as of an offset, those taken back too."""
        found: list[Link] = []
        done: set[str] = set()
        for at, said in self.markers.get((topic, id), ()):
            marker = said["marker"]
            if at >= before or said["id"] in done or marker["what"] == "erase":
                continue
            done.add(said["id"])
            to, time = marker["to"], said.get("time", 0.0)
            if marker["what"] == "split":
                for link in found:
                    link.dead = link.dead or link.to == to
            elif found and found[-1].to == to and not found[-1].dead and marker.get("again"):
                continue
            elif found and found[-1].to == to and not found[-1].dead:
                found[-1].time, found[-1].again = min(found[-1].time, time), max(found[-1].again, time)
            else:
                found.append(Link(at, to, time, time, marker.get("most", 0), marker.get("within", 0.0)))
        return found

    def _links(self, topic: str, id: str, before: float = inf) -> list[Link]:
        """The links of one log that count, as of an offset: none where there were too many owners in too short a
        time."""
        live = [link for link in self.marks(topic, id, before) if not link.dead]
        for link in live:
            for end in (link.time, link.again):
                near = {one.to for one in live if one.time <= end and one.again > end - link.within}
                if 0 < link.most < len(near):
                    return []
        return live

    def owner(self, topic: str, id: str, at: float, before: float = inf) -> str:
        """Whose a record at this offset is, as of an offset; empty: the id's own."""
        return owner_at(self.links(topic, id, before), at)

    def events(self, topic: str) -> dict[str, list[Said]]:
        """Last owner -> the events that are theirs, each once."""
        found: dict[str, list[Said]] = defaultdict(list)
        for id in self.ids:
            links, done = self.links(topic, id), set[str]()
            for row in self.rows.get((topic, id), ()):
                if "marker" not in row.said and row.said["id"] not in done:
                    done.add(row.said["id"])
                    owner = owner_at(links, row.offset)
                    if id not in self.erased and not self.dropped(topic, id, row.offset):
                        found[self.root(owner) if owner else id].append(row.said)
        return found

    def dropped(self, topic: str, id: str, at: int) -> bool:
        """Whether an event belonged to an erased owner at any moment since: what is gone does not come back."""
        whose = self.erasures(id, topic)
        moments = [row.offset for row in self.rows[topic, id] if row.offset >= at] if whose else []
        for moment in moments:
            owner = self.owner(topic, id, at, moment + 1)
            if any(owner == erased and offset <= moment for erased, offset in whose):
                return True
        return False

    def feedback(self) -> dict[str, list[Said]]:
        """The same of feedback, which follows the first link. Of whom an erasure may have taken some nothing is said:
        it hangs on which log was read first."""
        found: dict[str, list[Said]] = defaultdict(list)
        for id in self.ids:
            said = {row.said["id"]: row.said for row in self.rows.get((FEEDBACK, id), ())}
            found[self.root(id)] += said.values()
        unsure = {self.root(id) for id in self.ids if self.orphaned(id)} | self.erased
        return {id: said for id, said in found.items() if id not in unsure}

    def orphaned(self, id: str) -> bool:
        """Whether the owner of what has no stretches was erased at any moment."""
        for whose, at in self.erasures(id, PARTS):
            moments = [row.offset for row in self.rows[PARTS, id] if row.offset >= at]
            if any(self.home(id, moment + 1) == whose for moment in moments):
                return True
        return False

    def untouched(self) -> set[str]:
        """Events in logs where nobody was ever erased."""
        quiet = {id for id in self.ids if not self.erasures(id)}
        rows = [row for (topic, id), rows in self.rows.items() if topic in EVENTS and id in quiet for row in rows]
        return {row.said["id"] for row in rows}

    def path(self, id: str) -> list[str]:
        """An id, its owner, and so on to the person."""
        path = [id]
        while self.homes.get(path[-1]) and path[-1] not in self.erased:
            path.append(self.homes[path[-1]])
            assert len(path) < 20, f"a ring: {path}"
        return path

    def root(self, id: str) -> str:
        """The person behind an id."""
        return self.path(id)[-1]

    def all_events(self) -> list[Said]:
        return [event for topic in EVENTS for events in self.events(topic).values() for event in events]

    def circles(self) -> dict[str, frozenset[str]]:
        """Id -> all ids that any link, even one taken back, ever tied to it; itself among them."""
        found: dict[str, set[str]] = {}
        for (_, id), rows in self.markers.items():
            for one in (row.said["marker"]["to"] for row in rows):
                joined = found.setdefault(id, {id}) | found.setdefault(one, {one})
                found.update(dict.fromkeys(joined, joined))
        return {id: frozenset(circle) for id, circle in found.items()}

    def steady(self, id: str) -> bool:
        """Whether no link of this id was ever taken back, and it is not shared."""
        return all(len(self.links(topic, id)) == len(self.marks(topic, id)) for topic in (*EVENTS, PARTS))


def owner_at(links: list[Link], at: float) -> str:
    """Whose a record at this offset is; empty: the id's own."""
    number = bisect_right([link.at for link in links], at)
    return links[max(number - 1, 0)].to if links else ""
