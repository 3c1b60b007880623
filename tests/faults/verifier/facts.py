"""A reference fold of the facts, in the plainest way: dicts, lists, no bounds but the documented ones, no cleverness.

Each topic is folded alone, in the order of its log. What the state must then hold is what stands here, to the byte of
every number.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any

from xxhash import xxh3_64_digest

from tests.faults.verifier.evidence import EVENTS, Entry, Evidence
from tests.faults.verifier.validity import understand

DAY = 86_400.0
SEEN_MOST, NAMES_MOST, LINES_MOST, VIEWED_MOST, BOUGHT_MOST = 4096, 64, 50, 20, 200
ORDER_MOST, ALIASES_MOST, FLAGS_MOST = 50, 20, 32
KNOWN = {
    *("Page Viewed", "Screen Viewed", "Customer Identified", "Products Searched", "Product List Viewed"),
    *("Product Viewed", "Product Clicked", "Product Added", "Product Removed", "Cart Viewed", "Checkout Started"),
    *("Checkout Step Viewed", "Checkout Step Completed", "Payment Info Entered", "Coupon Entered", "Coupon Applied"),
    *("Coupon Denied", "Coupon Removed", "Product Added to Wishlist", "Product Removed from Wishlist"),
    *("Wishlist Product Added to Cart", "Order Completed", "Order Updated", "Order Cancelled", "Order Refunded"),
}
"""Names that are always counted by name."""

Facts = dict[str, Any]


def blank(topic: str) -> Facts:
    """The facts of a customer of whom nothing was read; also what a missing field of a stored one means."""
    shared: Facts = {"next": 0, "seen": {}, "events": 0, "last": 0.0, "counts": {}}
    if topic == "feedback":
        return shared
    shared |= {"first": 0.0, "at": {}, "channels": {}}
    if topic == "clickstream":
        texts: Facts = dict.fromkeys(("session", "zone", "name", "tier"), "")
        return shared | texts | {"viewed": [], "consent": {}, "reach": {}, "aliases": [], "identified": 0.0, "told": {}}
    if topic == "cart":
        return shared | {"lines": [], "currency": ""}
    numbers: Facts = dict.fromkeys(("orders", "receipts", "refunds", "spent"), 0)
    lists: Facts = {"last_categories": [], "last_products": [], "bought": {}}
    return shared | numbers | lists | {"last_online": 0.0, "last_order": "", "currency": ""}


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
        for topic in (*EVENTS, "feedback"):
            for partition in range(evidence.partitions):
                self._read(evidence, topic, partition)
        for (partition, key, topic), memory in self._memories.items():
            self.customers[partition, key][topic]["seen"] = memory.stored()
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
            facts = self.customers.setdefault((partition, key), {}).setdefault(topic, blank(topic))
            facts["next"] = entry.offset + 1
            memory = self._memories.setdefault((partition, key, topic), Memory())
            if memory.knows(said["id"], entry.time / 1000.0):
                self.duplicates[place] += 1
                continue
            self.applied[place] += 1
            if "marker" in said:
                self.marked.add((partition, key, topic))
                continue
            FOLDS[topic](facts, said, key)
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


def tally(facts: Facts, event: Facts) -> bool:
    """True when no event was later."""
    time, name, counts = event["time"], event["name"], facts["counts"]
    facts["first"] = time if facts["events"] == 0 else min(time, facts["first"])
    facts["events"] += 1
    if name not in counts and name not in KNOWN and len(counts) >= NAMES_MOST:
        name = "other"
    elif time >= facts["at"].get(name, 0.0):
        facts["at"][name] = time
    counts[name] = counts.get(name, 0) + 1
    if place := event.get("channel"):
        place = place if place in ("web", "app", "store") else "other"
        facts["channels"][place] = facts["channels"].get(place, 0) + 1
    latest: bool = time >= facts["last"]
    facts["last"] = max(time, facts["last"])
    return latest


def click(facts: Facts, event: Facts, key: bytes) -> None:
    latest = tally(facts, event)
    if latest and event.get("session"):
        facts["session"] = event["session"]
    anonymous = event.get("anonymous", "")
    if anonymous and anonymous.encode() != key and anonymous not in facts["aliases"]:
        facts["aliases"] = [*facts["aliases"], anonymous][-ALIASES_MOST:]
    if event["name"] == "Product Viewed":
        for product in event.get("products", []):
            look_at(facts, product, event["time"])
    if event.get("traits") is not None:
        hear(facts, event["traits"], event["time"])


def look_at(facts: Facts, product: Facts, time: float) -> None:
    others = [one for one in facts["viewed"] if one["id"] != product["id"]]
    known = next((one for one in facts["viewed"] if one["id"] == product["id"]), None)
    known = known or {"id": product["id"], "times": 0, "last": 0.0, "name": "", "category": "", "price": 0}
    known["times"] += 1
    if time >= known["last"]:
        known |= {"last": time, "price": product.get("price", 0)}
        known |= {word: product.get(word, "") for word in ("name", "category")}
    facts["viewed"] = sorted([*others, known], key=lambda one: one["last"])[-VIEWED_MOST:]


def hear(facts: Facts, traits: Facts, time: float) -> None:
    told = facts["told"]
    facts["identified"] = max(facts["identified"], time)
    for word in ("zone", "name", "tier"):
        if traits.get(word) and time >= told.get(word, 0.0):
            facts[word], told[word] = traits[word], time
    for kind in ("consent", "reach"):
        for name, yes in traits.get(kind, {}).items():
            if time >= told.get(f"{kind}:{name}", 0.0):
                facts[kind][name], told[f"{kind}:{name}"] = yes, time
        while len(facts[kind]) > FLAGS_MOST:
            oldest = min(facts[kind], key=lambda name: told[f"{kind}:{name}"])
            del facts[kind][oldest], told[f"{kind}:{oldest}"]


def cart(facts: Facts, event: Facts, _: bytes) -> None:
    tally(facts, event)
    facts["currency"] = event.get("currency") or facts["currency"]
    for product in event.get("products", []):
        if event["name"] == "Product Added" and product.get("quantity", 1) > 0:
            line = {"id": product["id"], "quantity": product.get("quantity", 1), "price": product.get("price", 0)}
            line |= {"added": event["time"], "opened": event.get("cart") or event["id"]}
            facts["lines"].append(line | {word: product.get(word, "") for word in ("name", "category")})
        elif event["name"] == "Product Removed":
            take_out(facts["lines"], product)
    facts["lines"] = facts["lines"][-LINES_MOST:]


def take_out(lines: list[Facts], product: Facts) -> None:
    """Piece by piece from the line added last."""
    for _ in range(product.get("quantity", 1)):
        mine = [line for line in lines if line["id"] == product["id"]]
        if not mine:
            return
        mine[-1]["quantity"] -= 1
        if mine[-1]["quantity"] == 0:
            lines[:] = [line for line in lines if line is not mine[-1]]


def pos(facts: Facts, event: Facts, _: bytes) -> None:
    latest = event["time"] >= facts["at"].get("Order Completed", 0.0)
    tally(facts, event)
    facts["currency"] = event.get("currency") or facts["currency"]
    products = event.get("products", [])
    if event["name"] == "Order Completed":
        facts["orders"] += 1
        facts["spent"] += event.get("total", 0)
        if event.get("channel") == "store":
            facts["receipts"] += 1
        else:
            facts["last_online"] = max(facts["last_online"], event["time"])
        bought = facts["bought"]
        for product in products:
            bought[product["id"]] = max(bought.get(product["id"], 0.0), event["time"])
        while len(bought) > BOUGHT_MOST:
            del bought[min(bought, key=lambda id: bought[id])]
        if latest:
            facts["last_order"] = event.get("order") or event["id"]
            facts["last_products"] = once([product["id"] for product in products])
            facts["last_categories"] = once([p["category"] for p in products if p.get("category")])
    elif event["name"] == "Order Refunded":
        facts["refunds"] += 1
        facts["spent"] -= abs(event.get("total", 0))


def once(names: list[str]) -> list[str]:
    return [name for at, name in enumerate(names) if name not in names[:at]][:ORDER_MOST]


def feedback(facts: Facts, said: Facts, _: bytes) -> None:
    facts["events"] += 1
    facts["last"] = max(facts["last"], said["time"])
    channel = said.get("channel", "")
    if channel not in facts["counts"] and len(facts["counts"]) >= NAMES_MOST:
        channel = "other"
    counts = facts["counts"].setdefault(channel, {})
    counts[said["what"]] = counts.get(said["what"], 0) + 1


FOLDS = {"clickstream": click, "cart": cart, "pos": pos, "feedback": feedback}

VIEWED: Facts = {"times": 0, "last": 0.0, "name": "", "category": "", "price": 0}
LINE: Facts = {"name": "", "category": ""}


def stored(topic: str, raw: Facts) -> Facts:
    """The facts of one topic as the state holds them, with what its bytes leave out."""
    facts = blank(topic) | raw
    for name, defaults in (("viewed", VIEWED), ("lines", LINE)):
        if name in facts:
            facts[name] = [defaults | one for one in facts[name]]
    return facts
