"""Two facts of one topic as one: `join`.

Facts are what the set of their events says, so the facts of two logs, or of two ids of one person, can be joined: what
comes out is what a fold of all the events would have given. It matters neither which is first nor how many are joined
in which order. Only the place in the log (`next`) and the memory of message ids (`seen`) are of one log alone: the
former is the greater, the latter empty. Neither of the two changes.
"""

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any, Final, TypeVar

import msgspec

from processors import looks, tastes, windows
from processors.profile import (
    complain,
    fewer_channels,
    fewer_flags,
    fewer_names,
    forget,
    own_names,
    relate,
    tell,
)
from processors.touches import newest as newest_touches
from schemas.facts import (
    ALIASES_MOST,
    LINES_MOST,
    NAMES_MOST,
    PLACES_MOST,
    CartFacts,
    ClickFacts,
    Did,
    FeedbackFacts,
    PosFacts,
    Receipt,
    Seen,
)

F = TypeVar("F", ClickFacts, CartFacts, PosFacts, FeedbackFacts)
E = TypeVar("E", ClickFacts, CartFacts, PosFacts)
ANY_TIME: Final = float("-inf")


def join(a: F, b: F) -> F:
    """Facts of all events of both. No event may be in both."""
    if not a.events or not b.events:
        return own(a if a.events else b, a, b)
    joined: F = JOINS[type(a)](a, b)
    return joined


def together(all_facts: Iterable[F | None]) -> F | None:
    """All of them as one, not to be changed: it may be one of them. None when there is nothing in them."""
    some = [facts for facts in all_facts if facts is not None and facts.events]
    return reduce(join, some) if some else None


def own(facts: F, a: F, b: F) -> F:
    """A copy that shares nothing that a fold changes."""
    copy: F = msgspec.convert(msgspec.to_builtins(facts), type(facts))
    copy.next, copy.seen = max(a.next, b.next), Seen()
    return copy


def shared(facts: E, a: E, b: E) -> E:
    """What is folded of every event."""
    facts.next, facts.events = max(a.next, b.next), a.events + b.events
    facts.first, facts.last = min(a.first, b.first), max(a.last, b.last)
    facts.did = names(a.did, b.did)
    windows.join(facts, a, b)
    fewer_names(facts, own_names(facts.did)[NAMES_MOST:])
    facts.touches = newest_touches(a.touches + b.touches)
    facts.channels = tastes.join(a.channels, b.channels, NAMES_MOST)
    facts.clock = tastes.join(a.clock, b.clock, 24)
    facts.weekdays = tastes.join(a.weekdays, b.weekdays, 7)
    facts.stores = tastes.join(a.stores, b.stores, PLACES_MOST)
    facts.devices = tastes.join(a.devices, b.devices, PLACES_MOST)
    facts.likes = tastes.join_likes(a.likes, b.likes)
    return facts


def names(a: dict[str, Did], b: dict[str, Did]) -> dict[str, Did]:
    none = Did(0, ANY_TIME)
    both = ((key, a.get(key, none), b.get(key, none)) for key in {**a, **b})
    return {key: Did(one.count + other.count, max(one.at, other.at)) for key, one, other in both}


def clicks(a: ClickFacts, b: ClickFacts) -> ClickFacts:
    facts = shared(ClickFacts(), a, b)
    looks.join(facts, a, b)
    facts.session = max(a.session, b.session)
    facts.identified = max(a.identified, b.identified)
    for one in (a, b):
        words(facts, one)
        for id, said in one.complaints.items():
            complain(facts.complaints, id, said)
        for key, near in one.related.items():
            relate(facts.related, key, near)
    aliases = {
        alias: max(a.aliases.get(alias, ANY_TIME), b.aliases.get(alias, ANY_TIME)) for alias in a.aliases | b.aliases
    }
    kept = sorted(aliases, key=lambda alias: (aliases[alias], alias))[-ALIASES_MOST:]
    facts.aliases = {alias: aliases[alias] for alias in kept}
    return facts


def words(facts: ClickFacts, said: ClickFacts) -> None:
    """What one of the two was told."""
    for name, source in said.told.items():
        prefix, colon, what = name.partition(":")
        if not colon:
            tell(facts, name, getattr(said, name), source.at, source.source)
            continue
        known, value = getattr(facts, prefix), getattr(said, prefix)[what]
        before = facts.told.get(name)
        if before is None or (source.at, not value, source.source) > (before.at, not known[what], before.source):
            known[what], facts.told[name] = value, source
    fewer_flags(facts.consent, facts.told, "consent:")
    fewer_flags(facts.reach, facts.told, "reach:")


def carts(a: CartFacts, b: CartFacts) -> CartFacts:
    facts = shared(CartFacts(), a, b)
    facts.lines = sorted((*a.lines, *b.lines))[-LINES_MOST:]
    facts.taken = sorted((*a.taken, *b.taken))[-LINES_MOST:]
    facts.currency = max(a.currency, b.currency)
    return facts


def tills(a: PosFacts, b: PosFacts) -> PosFacts:
    facts = shared(PosFacts(), a, b)
    for name in ("orders", "tills", "refunds", "spent", "refunded"):
        setattr(facts, name, getattr(a, name) + getattr(b, name))
    facts.last_online = max(a.last_online, b.last_online)
    facts.currency = max(a.currency, b.currency)
    copies = (Receipt(r.at, r.id, r.till, r.total, r.products, r.categories) for r in (*a.receipts, *b.receipts))
    facts.receipts, facts.cut = sorted(copies), max(a.cut, b.cut)
    forget(facts)
    return facts


def answers(a: FeedbackFacts, b: FeedbackFacts) -> FeedbackFacts:
    facts = FeedbackFacts(max(a.next, b.next), Seen(), a.events + b.events, max(a.last, b.last))
    for channel in {**a.counts, **b.counts}:
        facts.counts[channel] = tastes.join(a.counts.get(channel, {}), b.counts.get(channel, {}), NAMES_MOST)
    fewer_channels(facts.counts)
    facts.touches = newest_touches(a.touches + b.touches)
    return facts


JOINS: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ClickFacts: clicks,
    CartFacts: carts,
    PosFacts: tills,
    FeedbackFacts: answers,
}
