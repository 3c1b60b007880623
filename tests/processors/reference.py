"""Facts once more, written another way: plain dicts over the whole log of one customer and topic, no increments.

It shares only the event's shape with the fold. What is bounded there is bounded here by sorting.
"""

from collections import Counter, defaultdict
from typing import Any

from schemas.event import Event


def common(events: list[Event]) -> dict[str, Any]:
    """What every topic counts. Events are in the log's order, repeated ones taken out."""
    return {
        "events": len(events),
        "first": min(event.time for event in events),
        "last": max(event.time for event in events),
        "counts": dict(Counter(event.name for event in events)),
        "at": {name: max(e.time for e in events if e.name == name) for name in {e.name for e in events}},
        "channels": dict(Counter(event.channel for event in events if event.channel)),
    }


def clicks(events: list[Event]) -> dict[str, Any]:
    views = [(e.time, n, p.id) for n, e in enumerate(events) if e.name == "Product Viewed" for p in e.products]
    last: dict[str, tuple[float, int]] = {}
    for time, number, product in views:
        last[product] = max(last.get(product, (0.0, 0)), (time, number))
    sessions = [e.session for n, e in enumerate(events) if e.session and e.time >= max(x.time for x in events[: n + 1])]
    return common(events) | {
        "viewed": {product: (sum(p == product for _, _, p in views), time) for product, (time, _) in last.items()},
        "session": sessions[-1] if sessions else "",
    }


def cart(events: list[Event]) -> dict[str, Any]:
    """Units: each piece added is one, and a removal takes the pieces added last."""
    units: list[tuple[str, float]] = []
    for event in events:
        for product in event.products:
            if event.name == "Product Added":
                units += [(product.id, event.time)] * product.quantity
            elif event.name == "Product Removed":
                for _ in range(product.quantity):
                    places = [n for n, (id, _) in enumerate(units) if id == product.id]
                    if places:
                        del units[places[-1]]
    return common(events) | {"units": sorted(units)}


def pos(events: list[Event]) -> dict[str, Any]:
    orders = [event for event in events if event.name == "Order Completed"]
    refunds = [event for event in events if event.name == "Order Refunded"]
    bought: defaultdict[str, float] = defaultdict(float)
    for event in orders:
        for product in event.products:
            bought[product.id] = max(bought[product.id], event.time)
    latest = max(enumerate(orders), key=lambda item: (item[1].time, item[0]))[1] if orders else None
    return common(events) | {
        "orders": len(orders),
        "receipts": sum(event.channel == "store" for event in orders),
        "refunds": len(refunds),
        "spent": sum(event.total for event in orders) - sum(event.total for event in refunds),
        "last_online": max((event.time for event in orders if event.channel != "store"), default=0.0),
        "last_order": (latest.order or latest.id) if latest else "",
        "bought": dict(bought),
    }
