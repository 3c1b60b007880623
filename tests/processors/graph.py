"""Whose is every event: told from the logs as they are in the end, by one who knows all links from the start.

It shares only the shapes of records with the folds: no stretches, no parts, no versions. For each record it looks for
the link that counts there, and follows the owners to the last one.
"""

from collections import defaultdict
from math import inf

from schemas.event import Event, decode_event
from schemas.part import decode_part
from schemas.topics import EVENTS, FEEDBACK, PARTS
from schemas.trigger import Feedback, decode_feedback
from tests.processors.builders import Logged

Links = list[tuple[int, str, float, int]]
"""(offset, owner, time, most) of those no later split took back."""


class Graph:
    """Of logs by topic and partition."""

    def __init__(self, logs: dict[tuple[str, int], list[Logged]]) -> None:
        self.rows: dict[tuple[str, str], list[Logged]] = defaultdict(list)
        for (topic, _), log in logs.items():
            for row in log:
                self.rows[topic, (row.key or b"").decode()].append(row)
        self.ids = sorted({id for _, id in self.rows})
        self.erased = {id for id in self.ids if any(whose == id for whose, _ in self.erasures(id))}
        """Ids that were erased as a whole."""
        self.homes = {id: self.home(id) for id in self.ids}

    def home(self, id: str) -> str:
        links = self.links(PARTS, id)
        return links[0][1] if links else ""

    def erasures(self, id: str, *topics: str) -> list[tuple[str, int]]:
        """(whose, offset) of all erasures in logs of an id."""
        found = []
        for topic in topics or (*EVENTS, PARTS):
            for row in self.rows[topic, id]:
                said = decode_part(row.value or b"") if topic == PARTS else decode_event(row.value or b"")
                if said.marker is not None and said.marker.what == "erase":
                    found.append((said.marker.to, row.offset))
        return found

    def links(self, topic: str, id: str, before: float = inf) -> Links:
        """The live links of one log, as of an offset."""
        found: Links = []
        done: set[str] = set()
        for row in self.rows[topic, id]:
            said = decode_part(row.value or b"") if topic == PARTS else decode_event(row.value or b"")
            if row.offset >= before or said.marker is None or said.id in done or said.marker.what == "erase":
                continue
            done.add(said.id)
            if said.marker.what == "split":
                found = [link for link in found if link[1] != said.marker.to]
            else:
                found.append((row.offset, said.marker.to, said.time, said.marker.most))
        crowd = len({owner for _, owner, _, _ in found})
        return [] if any(0 < most < crowd for _, _, _, most in found) else found

    def events(self, topic: str) -> dict[str, list[Event]]:
        """Last owner -> the events that are theirs, each once."""
        found: dict[str, list[Event]] = defaultdict(list)
        for id in self.ids:
            links, done = self.links(topic, id), set[str]()
            for row in self.rows[topic, id]:
                event = decode_event(row.value or b"")
                if event.marker is None and event.id not in done:
                    done.add(event.id)
                    owner = owner_at(links, row.offset)
                    if id not in self.erased and not self.dropped(topic, id, row.offset):
                        found[self.root(owner) if owner else id].append(event)
        return found

    def dropped(self, topic: str, id: str, at: int) -> bool:
        """Whether an event belonged to an erased owner at any moment since: what is gone does not come back."""
        whose = self.erasures(id, topic)
        moments = [row.offset for row in self.rows[topic, id] if row.offset >= at] if whose else []
        for moment in moments:
            owner = owner_at(self.links(topic, id, moment + 1), at)
            if any(owner == erased and offset <= moment for erased, offset in whose):
                return True
        return False

    def feedback(self) -> dict[str, list[Feedback]]:
        """The same of feedback, which follows the first link. Of whom an erasure may have taken some nothing is said:
        it hangs on which log was read first."""
        found: dict[str, list[Feedback]] = defaultdict(list)
        for id in self.ids:
            said = {one.id: one for one in (decode_feedback(row.value or b"") for row in self.rows[FEEDBACK, id])}
            found[self.root(id)] += said.values()
        unsure = {self.root(id) for id in self.ids if self.orphaned(id)} | self.erased
        return {id: said for id, said in found.items() if id not in unsure}

    def orphaned(self, id: str) -> bool:
        """Whether the owner of what has no stretches was erased at any moment."""
        for whose, at in self.erasures(id, PARTS):
            moments = [row.offset for row in self.rows[PARTS, id] if row.offset >= at]
            links = [self.links(PARTS, id, moment + 1) for moment in moments]
            if any(link[0][1] == whose for link in links if link):
                return True
        return False

    def untouched(self) -> set[str]:
        """Events in logs where nobody was ever erased."""
        quiet = {id for id in self.ids if not self.erasures(id)}
        rows = [row for (topic, id), rows in self.rows.items() if topic in EVENTS and id in quiet for row in rows]
        return {decode_event(row.value or b"").id for row in rows}

    def root(self, id: str) -> str:
        """The person behind an id."""
        path = [id]
        while self.homes.get(path[-1]) and path[-1] not in self.erased:
            path.append(self.homes[path[-1]])
            assert len(path) < 20, f"a ring: {path}"
        return path[-1]

    def all_events(self) -> list[Event]:
        return [event for topic in EVENTS for events in self.events(topic).values() for event in events]


def owner_at(links: Links, at: int) -> str:
    """Whose an event at this offset is; empty: the id's own."""
    before = [owner for offset, owner, _, _ in links if offset < at]
    return before[-1] if before else links[0][1] if links else ""
