"""What the facts of every customer must be: an independent fold of the logs, from the JSON as it lies there.

It shares no code with the engine; the fold of the events is the external verifier's.
"""

import base64
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from xxhash import xxh3_64_digest

from schemas.topics import CART, CLICKSTREAM, FEEDBACK, POS
from tests.faults.sim.kafka import Row
from tests.faults.verifier.fold import fold, plain

Facts = dict[str, Any]
MUST = {
    CLICKSTREAM: ("id", "name", "time"),
    CART: ("id", "name", "time"),
    POS: ("id", "name", "time"),
    FEEDBACK: ("id", "trigger", "what", "time"),
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


def tally(topic: str, rows: Iterable[Row], here: Any) -> tuple[dict[bytes, Facts], Counter[str], list[Row]]:
    """The facts of one topic by customer; how many records were applied and duplicate; and those that are dead.

    `here`: whether a key belongs to the partition the rows are from."""
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
        events.setdefault(key, []).append(event)
    if dead:
        counts[f"dead_lettered:{topic}"] = len(dead)
    for key, facts in found.items():
        facts["seen"] = {"now": base64.b64encode(facts["seen"]["now"]).decode(), "since": facts["seen"]["since"]}
        facts |= plain(fold(topic, events[key], key.decode()))
    return found, counts, dead


def remember(seen: Facts, id: str, row: Row) -> None:
    if not seen["now"]:
        seen["since"] = row.timestamp / 1000.0
    seen["now"] += xxh3_64_digest(id.encode())
