"""Which records can be folded, decided from the documented shapes alone: plain tables, the json module, no schema."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

from tests.faults.verifier.evidence import Entry

Check = Callable[[Any], bool]
MICROS = 2**53
LATEST = 4_102_444_800.0


def text(least: int = 0, most: int = 512) -> Check:
    return lambda value: isinstance(value, str) and least <= len(value) <= most


def number(least: float, most: float = float("inf")) -> Check:
    return lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


def whole(most: int) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and -most <= value <= most


def flags(value: Any) -> bool:
    return isinstance(value, dict) and len(value) <= 32 and all(map(text(1, 64), value)) and all_of(bool)(value)


def all_of(*kinds: type) -> Check:
    return lambda value: isinstance(value, dict) and all(isinstance(one, kinds) for one in value.values())


def shaped(fields: Mapping[str, Check], *required: str) -> Check:
    def check(value: Any) -> bool:
        if not isinstance(value, dict) or any(name not in value for name in required):
            return False
        return all(holds(value[name]) for name, holds in fields.items() if name in value)

    return check


def list_of(one: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(one, value))


ID, TIME = text(1, 128), number(0.0, LATEST)
PRODUCT = shaped(
    {
        "id": ID,
        **dict.fromkeys(("name", "category", "brand", "variant", "size"), text()),
        "price": whole(MICROS),
        "quantity": whole(1_000_000),
    },
    "id",
)
TRAITS = shaped(
    {
        **dict.fromkeys(("zone", "name", "tier"), text()),
        "consent": flags,
        "reach": flags,
        "points": lambda value: value is None or whole(MICROS)(value),
    }
)
LINK = shaped({"kind": text(0, 64), "id": ID, "trust": text(0, 64), "relation": text(0, 64)}, "kind", "id")
MARKER = shaped({"what": lambda value: value in ("link", "split", "erase"), "to": ID}, "what", "to")
EVENT = shaped(
    {
        **dict.fromkeys(("id", "name"), ID),
        **dict.fromkeys(("time", "received"), TIME),
        **dict.fromkeys(
            ("channel", "source", "anonymous", "order", "cart", "session", "coupon", "query"),
            text(),
        ),
        **dict.fromkeys(("store", "device", "complaint"), text()),
        "sentiment": lambda value: value is None or whole(1)(value),
        "nps": lambda value: value is None or (whole(10)(value) and value >= 0),
        "products": list_of(PRODUCT),
        "total": whole(MICROS),
        "currency": text(0, 8),
        "dwell": number(0.0, 86_400.0),
        "traits": lambda value: value is None or TRAITS(value),
        "properties": all_of(str, int, float, bool),
        "links": lambda value: list_of(LINK)(value) and len(value) <= 16,
        "marker": lambda value: value is None or MARKER(value),
    },
    *("id", "name", "time"),
)
PART_FIELDS = shaped(
    {
        "path": lambda value: list_of(ID)(value) and len(value) <= 16,
        "topic": lambda value: value in ("", "clickstream", "cart", "pos", "feedback"),
        "version": lambda value: list_of(whole(2**63))(value) and len(value) == 2,
        "events": list_of(shaped({"at": whole(2**63), "event": lambda value: True}, "at", "event")),
        "marker": lambda value: value is None or MARKER(value),
        "id": text(),
        "time": number(0.0),
    }
)
"""Of the facts in a part nothing is asked: only the engine writes them."""


def part(value: Any) -> bool:
    """One of three: a marker, facts, belongings."""
    if not PART_FIELDS(value):
        return False
    said = value.get("topic") or value.get("belongings") is not None
    return value.get("marker") is not None or bool(value.get("path") and said)


SAID = ("delivered", "opened", "clicked", "converted", "dismissed")
FEEDBACK = shaped(
    {
        **dict.fromkeys(("id", "trigger"), ID),
        "what": lambda value: value in SAID,
        "time": TIME,
        **dict.fromkeys(("channel", "play"), text()),
        "received": number(0.0),
    },
    *("id", "trigger", "what", "time"),
)
TRIGGER = shaped(
    {
        **dict.fromkeys(("id", "play", "customer"), ID),
        **dict.fromkeys(("version", "channel", "occurrence", "purpose"), lambda value: isinstance(value, str)),
        **dict.fromkeys(("time", "decided", "expires"), TIME),
    },
    *("id", "play", "version", "customer", "channel", "occurrence", "time", "decided", "expires"),
)


def understand(topic: str, entry: Entry, partition: int, partitions: int) -> tuple[dict[str, Any], str]:
    """(what the record says, ""), or ({}, why it must become a dead letter)."""
    if "kid" in dict(entry.headers):
        return {}, "unopened"
    try:
        said = json.loads((entry.value or b"").decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return {}, "undecodable"
    fits = {"feedback": FEEDBACK, "triggers": TRIGGER, "parts": part}.get(topic, EVENT)
    if not fits(said):
        return {}, "invalid"
    if not entry.key:
        return {}, "keyless"
    if crc32(entry.key) % partitions != partition:
        return {}, "misplaced"
    return (said, "") if _sound(entry.key) else ({}, "keyless")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _sound(key: bytes) -> bool:
    try:
        return len(key) <= 128 and not any(c < " " or "\x7f" <= c <= "\x9f" for c in key.decode())
    except UnicodeDecodeError:
        return False
