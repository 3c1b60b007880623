"""Facts of two ids, or of two stretches, as one: a join for each topic's facts.

Commutative and associative, and never applied twice to one stretch. Counters add; where the latest wins, the latest by
event time does, and a tie falls to the greater content, never to an order. Nothing given is changed.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from math import exp
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from processors.intent import LN2
from schemas.customer import (
    BOUGHT_MOST,
    LINES_MOST,
    VIEWED_MOST,
    CartFacts,
    ClickFacts,
    FeedbackFacts,
    Intent,
    PosFacts,
    Viewed,
)
from schemas.event import ORDERED
from schemas.topics import CART, CLICKSTREAM, FEEDBACK, POS

K = TypeVar("K")
Plain = ClickFacts | CartFacts | PosFacts


def clicks(a: ClickFacts, b: ClickFacts) -> ClickFacts:
    """Facts of `clickstream`."""
    return ClickFacts(
        **common(a, b),
        zone=word(a, b, "zone"),
        name=word(a, b, "name"),
        tier=word(a, b, "tier"),
        consent=said(a, b, "consent"),
        reach=said(a, b, "reach"),
        viewed=viewed(a.viewed, b.viewed),
        session=later(a.last, a.session, b.last, b.session),
        aliases=list(dict.fromkeys((*a.aliases, *b.aliases))),
        identified=max(a.identified, b.identified),
        related=relations(a, b),
        told=most(a.told, b.told),
    )


def carts(a: CartFacts, b: CartFacts) -> CartFacts:
    """Facts of `cart`."""
    lines = sorted((*a.lines, *b.lines), key=lambda line: (line.added, line.id, line.opened))
    currency = later(a.last, a.currency, b.last, b.currency)
    return CartFacts(**common(a, b), lines=lines[-LINES_MOST:], currency=currency)


def orders(a: PosFacts, b: PosFacts) -> PosFacts:
    """Facts of `pos`."""
    newest = max(a, b, key=lambda one: (one.at.get(ORDERED, 0.0), one.last_order, one.last_products))
    bought = most(a.bought, b.bought)
    kept = sorted(bought, key=lambda id: (-bought[id], id))[:BOUGHT_MOST]
    return PosFacts(
        **common(a, b),
        orders=a.orders + b.orders,
        receipts=a.receipts + b.receipts,
        refunds=a.refunds + b.refunds,
        spent=a.spent + b.spent,
        last_online=max(a.last_online, b.last_online),
        last_order=newest.last_order,
        last_categories=newest.last_categories,
        last_products=newest.last_products,
        bought={id: bought[id] for id in kept},
        currency=later(a.last, a.currency, b.last, b.currency),
    )


def answers(a: FeedbackFacts, b: FeedbackFacts) -> FeedbackFacts:
    """Facts of `feedback`."""
    channels = sorted(a.counts.keys() | b.counts.keys())
    counts = {channel: total(a.counts.get(channel, {}), b.counts.get(channel, {})) for channel in channels}
    return FeedbackFacts(events=a.events + b.events, last=max(a.last, b.last), counts=counts)


def warmth(a: Intent, b: Intent, half_life: float) -> Intent:
    """Sums of two intents, as of the later one."""
    if a.at < b.at:
        a, b = b, a
    sums = dict(a.sums)
    fade = exp(-LN2 * (a.at - b.at) / half_life)
    for name, value in b.sums.items():
        sums[name] = sums.get(name, 0.0) + value * fade
    return Intent(a.at, sums)


JOINS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    CLICKSTREAM: clicks,
    CART: carts,
    POS: orders,
    FEEDBACK: answers,
}


def join(topic: str, facts: Iterable[Any]) -> Any:
    """All of them as one; None when there is nothing in them."""
    some = [one for one in facts if one is not None and one.events]
    return reduce(JOINS[topic], some) if some else None


def common(a: Plain, b: Plain) -> dict[str, Any]:
    """What all topics of events count."""
    return {
        "events": a.events + b.events,
        "first": min(a.first, b.first),
        "last": max(a.last, b.last),
        "counts": total(a.counts, b.counts),
        "at": most(a.at, b.at),
        "channels": total(a.channels, b.channels),
    }


def viewed(a: list[Viewed], b: list[Viewed]) -> list[Viewed]:
    """Products looked at, in order of last looking."""
    found = {one.id: one for one in a}
    for one in b:
        other = found.get(one.id)
        if other is None:
            found[one.id] = one
        else:
            newest = max(one, other, key=lambda each: (each.last, each.name, each.category, each.price))
            found[one.id] = replace(newest, times=one.times + other.times)
    return sorted(found.values(), key=lambda one: (one.last, one.id))[-VIEWED_MOST:]


def word(a: ClickFacts, b: ClickFacts, name: str) -> str:
    """The word told later."""
    return later(a.told.get(name, -1.0), getattr(a, name), b.told.get(name, -1.0), getattr(b, name))


def said(a: ClickFacts, b: ClickFacts, kind: str) -> dict[str, bool]:
    """Each yes or no told later; a no wins over a yes that is not."""
    ours, theirs = getattr(a, kind), getattr(b, kind)
    found = dict(ours)
    for name, value in theirs.items():
        when, then = b.told.get(f"{kind}:{name}", 0.0), a.told.get(f"{kind}:{name}", 0.0)
        if name not in ours or when > then:
            found[name] = value
        elif when == then:
            found[name] = value and ours[name]
    return found


def relations(a: ClickFacts, b: ClickFacts) -> dict[str, str]:
    """Who is near, by the later word."""
    found = {}
    for key in sorted(a.related.keys() | b.related.keys()):
        when, then = (one.told.get(f"related:{key}", 0.0) for one in (a, b))
        found[key] = later(when, a.related.get(key, ""), then, b.related.get(key, ""))
    return found


def later(at: float, one: str, then: float, other: str) -> str:
    """Of two words the one told later; nothing gives way to anything."""
    if not one or not other:
        return one or other
    return max((at, one), (then, other))[1]


def total(a: Mapping[K, int], b: Mapping[K, int]) -> dict[K, int]:
    found = dict(a)
    for name, value in b.items():
        found[name] = found.get(name, 0) + value
    return found


def most(a: Mapping[K, float], b: Mapping[K, float]) -> dict[K, float]:
    found = dict(a)
    for name, value in b.items():
        found[name] = max(found.get(name, value), value)
    return found
