"""What the facts of every customer must be: an independent fold of the logs, from the JSON as it lies there.

It shares no code with the engine or its fold, and knows only what the made-up customers do: bounds that a short history
does not reach are left out.
"""

import base64
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from xxhash import xxh3_64_digest

from schemas.topics import CART, CLICKSTREAM, FEEDBACK, PARTS, POS
from tests.faults.sim.kafka import Row

Facts = dict[str, Any]
MUST = {
    CLICKSTREAM: ("id", "name", "time"),
    CART: ("id", "name", "time"),
    POS: ("id", "name", "time"),
    FEEDBACK: ("id", "trigger", "what", "time"),
    PARTS: (),
}
"""Fields without which a record is a dead letter."""

BLANK: dict[str, Facts] = {
    CLICKSTREAM: {"viewed": [], "consent": {}, "reach": {}, "aliases": [], "told": {}, "identified": 0.0}
    | dict.fromkeys(("session", "zone", "name", "tier"), ""),
    CART: {"lines": [], "currency": ""},
    POS: {
        "last_products": [],
        "last_categories": [],
        "bought": {},
        "last_online": 0.0,
        "last_order": "",
        "currency": "",
    }
    | dict.fromkeys(("orders", "receipts", "refunds", "spent"), 0),
}


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
    counts: Counter[str] = Counter()
    dead = []
    for row in rows:
        event, key = said(row, topic), row.key or b""
        if event is None or not here(key):
            dead.append(row)
            continue
        facts = found.setdefault(key, blank(topic))
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
            FOLDS[topic](facts, event, key.decode())
    if dead:
        counts[f"dead_lettered:{topic}"] = len(dead)
    return {key: told(facts) for key, facts in found.items()}, counts, dead


def tally_parts(rows: Iterable[Row]) -> Counter[str]:
    """Of what ids tell each other: each marker counts once, and of facts what is newer than before."""
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
            what = "duplicate" if version <= newest.get(log, [0, 0]) else what
            newest[log] = max(version, newest.get(log, [0, 0]))
        counts[f"{what}:{PARTS}"] += 1
    return counts


def cut(facts: Facts) -> Facts:
    """What can be told of a log with markers by who does not know to whom its stretches belong: `persons` does."""
    return {name: value for name, value in facts.items() if name in ("next", "seen")}


def blank(topic: str) -> Facts:
    facts: Facts = {"next": 0, "seen": {"now": b"", "since": 0.0}, "events": 0, "last": 0.0, "counts": {}}
    if topic == FEEDBACK:
        return facts
    facts |= {"first": 0.0, "at": {}, "channels": {}}
    return facts | {name: type(value)(value) for name, value in BLANK[topic].items()}


def told(facts: Facts) -> Facts:
    """As JSON shows it, defaults left out."""
    seen = facts["seen"]
    facts["seen"] = {"now": base64.b64encode(seen["now"]).decode(), "since": seen["since"]}
    return {name: value for name, value in facts.items() if value not in (0, "", [], {})}


def remember(seen: Facts, id: str, row: Row) -> None:
    if not seen["now"]:
        seen["since"] = row.timestamp / 1000.0
    seen["now"] += xxh3_64_digest(id.encode())


def usual(facts: Facts, event: Facts) -> bool:
    """What is counted of every event. True when none was later."""
    name, time = event["name"], event["time"]
    late = facts["events"] > 0 and time < facts["last"]
    facts["first"] = min(facts["first"], time) if facts["events"] else time
    facts["last"] = max(facts["last"], time)
    facts["events"] += 1
    facts["counts"][name] = facts["counts"].get(name, 0) + 1
    facts["at"][name] = max(facts["at"].get(name, 0.0), time)
    facts["channels"][event["channel"]] = facts["channels"].get(event["channel"], 0) + 1
    return not late


def click(facts: Facts, event: Facts, key: str) -> None:
    if usual(facts, event) and event.get("session"):
        facts["session"] = event["session"]
    anonymous = event.get("anonymous")
    if anonymous and anonymous not in facts["aliases"]:
        facts["aliases"].append(anonymous)
    for product in event.get("products", ()) if event["name"] == "Product Viewed" else ():
        known = [one for one in facts["viewed"] if one["id"] == product["id"]]
        one = known[0] if known else {"id": product["id"], "times": 0, "last": 0.0}
        one["times"] += 1
        if event["time"] >= one["last"]:
            one |= {"last": event["time"], **{name: product[name] for name in ("name", "category", "price")}}
        others = [other for other in facts["viewed"] if other is not one]
        facts["viewed"] = sorted([*others, one], key=lambda other: float(other["last"]))
    for name, word in event.get("traits", {}).items():
        hear(facts, name, word, event["time"])
    if "traits" in event:
        facts["identified"] = max(facts["identified"], event["time"])


def hear(facts: Facts, name: str, word: Any, time: float) -> None:
    """The latest word by event time."""
    items = [(f"{name}:{one}", facts[name], one, yes) for one, yes in word.items()] if isinstance(word, dict) else []
    for place, where, field, value in items or [(name, facts, name, word)]:
        if time >= facts["told"].get(place, 0.0):
            facts["told"][place] = time
            where[field] = value


def cart(facts: Facts, event: Facts, _: str) -> None:
    usual(facts, event)
    lines = facts["lines"]
    for product in event.get("products", ()):
        if event["name"] == "Product Added":
            opened = {"added": event["time"], "opened": event.get("cart") or event["id"]}
            lines.append({**{n: product[n] for n in ("id", "quantity", "price", "name", "category")}, **opened})
        elif event["name"] == "Product Removed":
            left = product["quantity"]
            for line in [line for line in reversed(lines) if line["id"] == product["id"]]:
                taken = min(left, line["quantity"])
                left, line["quantity"] = left - taken, line["quantity"] - taken
            lines[:] = [line for line in lines if line["quantity"]]


def pos(facts: Facts, event: Facts, _: str) -> None:
    latest = event["time"] >= facts["at"].get("Order Completed", 0.0)
    usual(facts, event)
    facts["currency"] = event["currency"]
    if event["name"] == "Order Refunded":
        facts["refunds"] += 1
        facts["spent"] -= event["total"]
        return
    facts["orders"] += 1
    facts["spent"] += event["total"]
    products = event.get("products", [])
    if event["channel"] == "store":
        facts["receipts"] += 1
    else:
        facts["last_online"] = max(facts["last_online"], event["time"])
    for product in products:
        facts["bought"][product["id"]] = max(facts["bought"].get(product["id"], 0.0), event["time"])
    if latest:
        facts["last_order"] = event["order"]
        facts["last_products"] = list(dict.fromkeys(product["id"] for product in products))
        facts["last_categories"] = list(dict.fromkeys(product["category"] for product in products))


def feedback(facts: Facts, event: Facts, _: str) -> None:
    facts["events"] += 1
    facts["last"] = max(facts["last"], event["time"])
    counts = facts["counts"].setdefault(event["channel"], {})
    counts[event["what"]] = counts.get(event["what"], 0) + 1


FOLDS = {CLICKSTREAM: click, CART: cart, POS: pos, FEEDBACK: feedback}
