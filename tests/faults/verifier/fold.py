"""What the facts of one customer and topic must be, from the whole set of its events, in the plainest way.

No increments and no order of reading: everything is sorted, grouped and cut once, from the JSON as it lies there. It
shares no code and no table with the engine; README's section on the 360 view says what stands where.
"""

import base64
import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Any

Event = dict[str, Any]
Facts = dict[str, Any]

KEYS = {
    **{"Page Viewed": "pg1", "Screen Viewed": "sc2", "Customer Identified": "id3", "Products Searched": "se4"},
    **{"Product List Viewed": "li5", "Product Viewed": "pv6", "Product Clicked": "pc7", "Promotion Viewed": "pm8"},
    **{"Promotion Clicked": "pk9", "Product Shared": "ps10", "Product Reviewed": "pr11", "Group Joined": "gj12"},
    **{"Product Added": "ad20", "Product Removed": "rm21", "Cart Viewed": "cv22", "Checkout Started": "co23"},
    **{"Checkout Step Viewed": "cs24", "Checkout Step Completed": "cd25", "Payment Info Entered": "pi26"},
    **{"Coupon Entered": "ce27", "Coupon Applied": "ca28", "Coupon Denied": "cn29", "Coupon Removed": "cr30"},
    **{"Product Added to Wishlist": "wa31", "Product Removed from Wishlist": "wr32"},
    **{"Wishlist Product Added to Cart": "wc33", "Order Completed": "oc40", "Order Updated": "ou41"},
    **{"Order Cancelled": "ox42", "Order Refunded": "or43", "Complaint Opened": "ko50", "Complaint Closed": "kc51"},
    **{"Survey Answered": "sv52", "delivered": "fd60", "opened": "fo61", "clicked": "fc62", "converted": "fv63"},
    **{"dismissed": "fx64"},
}
"""Event name -> key (two letters) and number."""
TAKEN = {key[:2] for key in KEYS.values()} | {"*"}
FAMILIES = {
    "windows": ("minutes", "hours", "days"),
    "timeline": ("touches",),
    "habits": ("channels", "clock", "weekdays", "stores", "devices"),
    "likes": ("likes",),
    "viewed": ("viewed",),
}
"""What an installation may not keep -> fields. Looks have a `cut` too."""
CHANNELS = ("", "web", "app", "store", "push", "email", "line", "sms")
DAY, MONTH = 86_400, 30 * 86_400


def fold(topic: str, events: list[Event], key: str, kept: Collection[str] = tuple(FAMILIES)) -> Facts:
    """All facts but `next` and `seen`, as JSON has them, defaults too; those of families that are not kept left out."""
    gone = {field for family, fields in FAMILIES.items() if family not in kept for field in fields}
    gone |= {"cut"} if "viewed" in gone and topic == "clickstream" else set()
    return {name: value for name, value in FOLDS[topic](events, key).items() if name not in gone}


def b64(parts: Iterable[bytes]) -> str:
    return base64.b64encode(b"".join(parts)).decode()


def firsts(counts: Counter[Any], most: int) -> dict[Any, int]:
    """The first of them by the alphabet."""
    return {name: counts[name] for name in sorted(counts)[:most]}


def second(event: Event) -> int:
    return int(event["time"])


def moment(event: Event) -> datetime:
    return datetime.fromtimestamp(second(event), UTC)


def shared(events: list[Event]) -> Facts:
    times = [event["time"] for event in events]
    names = {event["name"] for event in events} - KEYS.keys() - TAKEN
    own = set(sorted(names)[:64])

    def key(event: Event) -> str:
        name = event["name"]
        return KEYS[name][:2] if name in KEYS else name if name in own else "*"

    keyed: dict[str, list[float]] = {}
    for event in events:
        keyed.setdefault(key(event), []).append(event["time"])
    places = (event["channel"] for event in events if event.get("channel"))
    return {
        "events": len(events),
        "first": min(times),
        "last": max(times),
        "did": {name: [len(at), max(at)] for name, at in keyed.items()},
        **buckets([(second(event), key(event), 1) for event in events] + money(events), int(max(times))),
        "touches": timeline(
            (second(e), int(KEYS.get(e["name"], "xx0")[2:]), e.get("channel", ""), e.get("sentiment")) for e in events
        ),
        "channels": dict(Counter(place if place in ("web", "app", "store") else "other" for place in places)),
        "clock": {str(hour): n for hour, n in Counter(moment(e).hour for e in events).items()},
        "weekdays": {str(day): n for day, n in Counter(moment(e).isoweekday() for e in events).items()},
        "stores": firsts(Counter(e["store"][:64] for e in events if e.get("store")), 8),
        "devices": firsts(Counter(e["device"][:64] for e in events if e.get("device")), 8),
        "likes": likes(events),
    }


def money(events: list[Event]) -> list[tuple[int, str, int]]:
    signs = {"Order Completed": lambda total: total, "Order Refunded": lambda total: -abs(total)}
    return [(second(e), "$", signs[e["name"]](e.get("total", 0))) for e in events if e["name"] in signs]


def buckets(rows: list[tuple[int, str, int]], latest: int) -> Facts:
    """Each row is in the finest bucket that is not too old, seen from the latest event."""
    cells: dict[str, dict[int, Counter[str]]] = {"minutes": {}, "hours": {}, "days": {}}
    for at, key, amount in rows:
        for name, size, most in (("minutes", 300, 12), ("hours", 3600, 24), ("days", DAY, 30)):
            if at // size > latest // size - most:
                cells[name].setdefault(at // size, Counter())[key] += amount
                break
    return {name: [[at, dict(found[at])] for at in sorted(found)] for name, found in cells.items()}


def timeline(touches: Iterable[tuple[int, int, str, int | None]]) -> str:
    packed = []
    for at, number, channel, sentiment in touches:
        place = CHANNELS.index(channel) if channel in CHANNELS else 15
        packed.append(struct.pack(">IBB", at, number, place * 16 + (0 if sentiment is None else sentiment + 2)))
    return b64(sorted(packed)[-100:])


def likes(events: list[Event]) -> Facts:
    rows = [
        (second(event) // MONTH, product)
        for event in events
        if event["name"] in ("Product Viewed", "Product Added", "Order Completed")
        for product in event.get("products", ())
    ]
    latest = max((month for month, _ in rows), default=0)
    found = {}
    for month in {month for month, _ in rows if month > latest - 3}:
        mine = [product for at, product in rows if at == month]
        words = [Counter(p[word][:64] for p in mine if p.get(word)) for word in ("category", "brand", "size")]
        bands = Counter((p["price"] // 1_000_000).bit_length() for p in mine if p.get("price", 0) > 0)
        category, brand, size = (firsts(one, 12) for one in words)
        found[str(month)] = [category, brand, {str(band): n for band, n in firsts(bands, 12).items()}, size]
    return found


def latest(events: list[Event], field: str) -> list[Any]:
    return list(max(((e["time"], e[field]) for e in events if e.get(field)), default=(0.0, "")))


# -- clickstream


def clicks(events: list[Event], key: str) -> Facts:
    viewed, cut = looks(events)
    met: dict[str, float] = {}
    for event in events:
        if (alias := event.get("anonymous")) and alias != key:
            met[alias] = max(met.get(alias, 0.0), event["time"])
    kept = sorted(met, key=lambda alias: (met[alias], alias))[-20:]
    traits = [event for event in events if event.get("traits") is not None]
    return {
        **shared(events),
        **words(events),
        "viewed": viewed,
        "cut": cut,
        "session": latest(events, "session"),
        "identified": max((event["time"] for event in traits), default=0.0),
        "aliases": {alias: met[alias] for alias in kept},
        "complaints": complaints(events),
        "related": related(events),
    }


def looks(events: list[Event]) -> tuple[list[Any], int]:
    rows = [
        (
            (second(event), product.get("name", "")[:80], product.get("category", "")[:64]),
            (product.get("brand", "")[:64], product.get("price", 0), product["id"]),
        )
        for event in events
        if event["name"] == "Product Viewed"
        for product in event.get("products", ())
    ]
    newest: dict[str, int] = {}
    for (at, *_), (*_, id) in rows:
        newest[id] = max(newest.get(id, 0), at)
    lasts = sorted(newest.values(), reverse=True)
    cut = lasts[20] if len(lasts) > 20 else 0
    found = []
    for id in sorted((id for id in newest if newest[id] > cut), key=lambda id: (newest[id], id)):
        mine = sorted((*one, *other[:2]) for one, other in rows if other[2] == id and one[0] > cut)
        packed = b64(struct.pack(">I", row[0]) for row in mine[-8:])
        found.append([id, packed, *mine[-1][1:]])
    return found, cut


def words(events: list[Event]) -> Facts:
    """What was told, each word by its own time, and by whom."""
    facts: Facts = {"zone": "", "name": "", "tier": "", "points": 0, "nps": 0, "consent": {}, "reach": {}, "told": {}}
    said: dict[str, list[tuple[float, Any, str]]] = {}
    for event in events:
        traits, stamp = event.get("traits") or {}, (event["time"], event.get("source", "")[:64])
        told = {word: traits[word][:80] for word in ("zone", "name", "tier") if traits.get(word)}
        told |= {"points": traits["points"]} if traits.get("points") is not None else {}
        told |= {"nps": event["nps"]} if event.get("nps") is not None else {}
        told |= {f"{kind}:{one}": not yes for kind in ("consent", "reach") for one, yes in traits.get(kind, {}).items()}
        for word, value in told.items():
            said.setdefault(word, []).append((stamp[0], value, stamp[1]))
    for word, all_said in said.items():
        time, value, source = max(all_said)
        kind, colon, name = word.partition(":")
        others = [(max(said[other])[0], other) for other in said if other.partition(":")[:2] == (kind, ":")]
        if colon and (time, word) not in sorted(others)[-32:]:
            continue
        facts["told"][word] = [time, source]
        if colon:
            facts[kind][name] = not value
        else:
            facts[word] = value
    return facts


def complaints(events: list[Event]) -> Facts:
    heard: dict[str, tuple[float, bool]] = {}
    for event in events:
        if event["name"] in ("Complaint Opened", "Complaint Closed"):
            id, said = event.get("complaint", ""), (event["time"], event["name"] == "Complaint Opened")
            heard[id] = max(heard.get(id, said), said)
    return {id: list(heard[id]) for id in sorted(heard, key=lambda id: (heard[id][0], id))[-8:]}


def related(events: list[Event]) -> Facts:
    """Who is near. Plain keys are those of userIds and anonymousIds."""
    near: dict[str, tuple[float, str]] = {}
    for event in events:
        for link in event.get("links", ()):
            if link.get("relation"):
                key = link["id"] if link["kind"] in ("user", "anonymous") else f"{link['kind']}:{link['id']}"
                said = event["time"], link["relation"]
                near[key] = max(near.get(key, said), said)
    return {key: list(near[key]) for key in sorted(near, key=lambda key: (near[key][0], key))[-32:]}


# -- cart, pos, feedback


def carts(events: list[Event], _: str) -> Facts:
    rows = [(e, p) for e in events for p in e.get("products", ()) if p.get("quantity", 1) > 0]
    lines = [
        [*(e["time"], p["id"], p.get("quantity", 1), p.get("price", 0), e.get("cart") or e["id"]), *detail(p)]
        for e, p in rows
        if e["name"] == "Product Added"
    ]
    taken = [[e["time"], p["id"], p.get("quantity", 1)] for e, p in rows if e["name"] == "Product Removed"]
    currency = latest(events, "currency")
    return {**shared(events), "lines": sorted(lines)[-30:], "taken": sorted(taken)[-30:], "currency": currency}


def detail(product: Event) -> tuple[str, str]:
    return product.get("name", "")[:80], product.get("category", "")[:64]


def tills(events: list[Event], _: str) -> Facts:
    orders = [event for event in events if event["name"] == "Order Completed"]
    back = [abs(event.get("total", 0)) for event in events if event["name"] == "Order Refunded"]
    online = [event["time"] for event in orders if event.get("channel") != "store"]
    receipts = sorted(receipt(event) for event in orders)
    sums = {(r[0], r[1]): sum(3 + len(other[4]) for other in receipts if other[:2] >= r[:2]) for r in receipts}
    cut = max((place for place in sums if sums[place] > 150), default=(0.0, ""))
    receipts = [r for r in receipts if sums[r[0], r[1]] <= 150]
    return {
        **shared(events),
        "receipts": [[*r[:5], r[5] if r is receipts[-1] else []] for r in receipts],
        "cut": list(cut),
        "orders": len(orders),
        "tills": len(orders) - len(online),
        "refunds": len(back),
        "spent": sum(event.get("total", 0) for event in orders) - sum(back),
        "refunded": sum(back),
        "last_online": max(online, default=0.0),
        "currency": latest(events, "currency"),
    }


def receipt(event: Event) -> list[Any]:
    products = event.get("products", ())
    bought = once(product["id"] for product in products)
    categories = once(product["category"][:64] for product in products if product.get("category"))
    till, total = event.get("channel") == "store", event.get("total", 0)
    return [event["time"], event.get("order") or event["id"], till, total, bought, categories]


def once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))[:72]


def answers(events: list[Event], _: str) -> Facts:
    channels = {event.get("channel", "")[:64] for event in events}
    kept = {*sorted(channels - {"other"})[:64], "other"}
    counts: dict[str, Counter[str]] = {}
    for event in events:
        channel = event.get("channel", "")[:64]
        counts.setdefault(channel if channel in kept else "other", Counter())[event["what"]] += 1
    touches = ((second(e), int(KEYS[e["what"]][2:]), e.get("channel", ""), None) for e in events)
    return {
        "events": len(events),
        "last": max(event["time"] for event in events),
        "counts": {channel: dict(what) for channel, what in counts.items()},
        "touches": timeline(touches),
    }


FOLDS: dict[str, Callable[[list[Event], str], Facts]] = {
    "clickstream": clicks,
    "cart": carts,
    "pos": tills,
    "feedback": answers,
}
EMPTY: Facts = {
    **dict.fromkeys(("events", "points", "nps", "orders", "tills", "refunds", "spent", "refunded"), 0),
    **dict.fromkeys(("first", "last", "identified", "last_online"), 0.0),
    **dict.fromkeys(("touches", "zone", "name", "tier"), ""),
    **{name: [] for name in ("minutes", "hours", "days", "viewed", "lines", "taken", "receipts")},
    **{
        name: {}
        for name in ("did", "channels", "clock", "weekdays", "stores", "devices", "likes", "consent", "reach", "told")
    },
    **{name: {} for name in ("seen", "aliases", "complaints", "related", "counts")},
    **{name: [0.0, ""] for name in ("session", "currency")},
}
"""What a field that is not written means."""


def plain(facts: Facts) -> Facts:
    """Facts with what only says nothing left out: zero counts of money among them."""
    kept = {name: value for name, value in facts.items() if name not in EMPTY or value != EMPTY[name]}
    if kept.get("cut") in (0, [0.0, ""]):
        del kept["cut"]
    return kept
