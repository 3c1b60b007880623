"""Where each event is heard by plays: at its own id, or at the first one above it that belongs to nobody, as of the
moment when the part with it was read there. The logs alone tell.
"""

from dataclasses import dataclass
from typing import Any

from tests.faults.verifier.evidence import Evidence
from tests.faults.verifier.facts import Reference
from tests.faults.verifier.findings import Findings


@dataclass(frozen=True)
class Heard:
    """An event, and who hears it. `readable`: when at the latest it can be read there, seconds."""

    said: dict[str, Any]
    id: str
    readable: float


def hear(evidence: Evidence, reference: Reference, found: Findings) -> list[Heard]:
    """Every event that was applied, once."""
    came = _first_told(reference)
    heard: list[Heard] = []
    for topic, _, entry, said in reference.events:
        id = (entry.key or b"").decode()
        readable = evidence.readable(said["id"], entry.time / 1000.0)
        links = reference.graph.links(topic, id, entry.offset)
        path: tuple[str, ...] = (id,)
        owner = links[-1].to if links else ""
        while owner:
            place = came.get((owner, path, topic, said["id"]))
            if place is None:
                found.wrong("an event was told to nobody", f"{topic} of {path}, wanted by {owner}: {said}")
                break
            readable = evidence.readable("", place[1])
            path, owner = (*path, owner), reference.graph.home(owner, place[0])
        else:
            heard.append(Heard(said, path[-1], readable))
            found.figures["events heard at another id"] += len(path) > 1
            found.figures["events heard beyond a chain"] += len(path) > 2
    return heard


def _first_told(reference: Reference) -> dict[tuple[str, tuple[str, ...], str, str], tuple[int, float]]:
    """(receiver, path, topic, event) -> offset and log time, seconds, of the first part with it."""
    came: dict[tuple[str, tuple[str, ...], str, str], tuple[int, float]] = {}
    for key, parts in reference.parts.items():
        for entry, said in parts:
            for one in said.get("events", ()):
                place = key.decode(), tuple(said["path"]), said["topic"], one["event"]["id"]
                came.setdefault(place, (entry.offset, entry.time / 1000.0))
    return came
