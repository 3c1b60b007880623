"""What the facts of every customer must be: an independent fold of the logs, from the JSON as it lies there.

It shares no code with the engine; the fold of the events is the external verifier's.
"""

import base64
import json
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from xxhash import xxh3_64_digest

from schemas.topics import CART, CLICKSTREAM, FEEDBACK, PARTS, POS
from tests.faults.sim.kafka import Row
from tests.faults.verifier.fold import fold, plain

Facts = dict[str, Any]
MUST = {
    CLICKSTREAM: ("id", "name", "time"),
    CART: ("id", "name", "time"),
    POS: ("id", "name", "time"),
    FEEDBACK: ("id", "trigger", "what", "time"),
    PARTS: (),
}
"""Fields without which a record is a dead letter."""


def said(row: Row, topic: str) -> dict[str, Any] | None:
    """What a record says; None when it cannot be read."""
    key = row.key or b""
    try:
        if not key or len(key) > 128 or not key.decode().isprintable():
            return None
        fields: dict[str, Any] = json.loads((row.value or b"").decode())
    except ValueError:
        return None
    return fields if all(name in fields for name in MUST[topic]) else None


def tally(
    topic: str, rows: Iterable[Row], here: Any, kept: Collection[str]
) -> tuple[dict[bytes, Facts], Counter[str], list[Row]]:
    """The facts of one topic by customer; how many records were applied and duplicate; and those that are dead.

    `here`: whether a key belongs to the partition the rows are from; `kept`: families of facts."""
    found: dict[bytes, Facts] = {}
    ids: dict[bytes, set[str]] = {}
    events: dict[bytes, list[Facts]] = {}
    counts: Counter[str] = Counter()
    dead = []
    for row in rows:
        event, key = said(row, topic), row.key or b""
        if event is None or not here(key):
            dead.append(row)
            continue
        facts = found.setdefault(key, {"seen": {"now": b"", "since": 0.0}})
        facts["next"] = row.offset + 1
        known = ids.setdefault(key, set())
        if event["id"] in known:
            counts[f"duplicate:{topic}"] += 1
            continue
        known.add(event["id"])
        counts[f"applied:{topic}"] += 1
        remember(facts["seen"], event["id"], row)
        if "marker" in event:
            facts["marked"] = True
        else:
            events.setdefault(key, []).append(event)
    if dead:
        counts[f"dead_lettered:{topic}"] = len(dead)
    for key, facts in found.items():
        facts["seen"] = {"now": base64.b64encode(facts["seen"]["now"]).decode(), "since": facts["seen"]["since"]}
        facts |= plain(fold(topic, events[key], key.decode(), kept)) if key in events else {}
    return found, counts, dead


def tally_parts(rows: Iterable[Row]) -> Counter[str]:
    """Of what ids tell each other: each marker counts once, and of facts what is newer than before.
    `older`: those that are not."""
    counts: Counter[str] = Counter()
    known: set[Any] = set()
    newest: dict[Any, list[int]] = {}
    for row in rows:
        part = said(row, PARTS) or {}
        log = row.key, "/".join(part.get("path", ())), part.get("topic")
        what, version = "applied", part.get("version", [0, 0])
        if "marker" in part:
            what = "duplicate" if (row.key, part["id"]) in known else what
            known.add((row.key, part["id"]))
        elif "belongings" not in part:
            if version <= newest.get(log, [0, 0]):
                what = "duplicate"
                counts["older"] += 1
            newest[log] = max(version, newest.get(log, [0, 0]))
        counts[f"{what}:{PARTS}"] += 1
    return counts


def cut(facts: Facts) -> Facts:
    """What can be told of a log with markers by who does not know to whom its stretches belong: `persons` does."""
    return {name: value for name, value in facts.items() if name in ("next", "seen")}


def remember(seen: Facts, id: str, row: Row) -> None:
    if not seen["now"]:
        seen["since"] = row.timestamp / 1000.0
    seen["now"] += xxh3_64_digest(id.encode())
