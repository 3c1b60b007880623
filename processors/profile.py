"""Facts: what a customer did, and the bounds of each of them. `folds` says which event does what."""

from bisect import insort
from typing import Any

from schemas.codes import KEY_OF, KEYS, OWN_KEY
from schemas.event import STORE, Event, Traits
from schemas.facts import (
    ALIASES_MOST,
    COMPLAINTS_MOST,
    FLAGS_MOST,
    LINES_MOST,
    NAME_MOST,
    NAMES_MOST,
    NEAR_MOST,
    ORDER_MOST,
    OTHER,
    RECEIPT,
    RECEIPTS_MOST,
    WORD_MOST,
    ClickFacts,
    Complaint,
    Did,
    EventFacts,
    Line,
    Near,
    PosFacts,
    Receipt,
    Source,
    Taken,
)


def fewer_channels(counts: dict[str, dict[str, int]]) -> None:
    """Channels that are too many, by the alphabet, are one."""
    while len(counts) > NAMES_MOST + (OTHER in counts):
        other = counts.setdefault(OTHER, {})
        for what, many in counts.pop(max(name for name in counts if name != OTHER)).items():
            other[what] = other.get(what, 0) + many


def at(facts: EventFacts | None, name: str, never: float = 0.0) -> float:
    """Event time of the latest event of this name; `never` when there was none."""
    did = facts.did.get(KEY_OF.get(name, name)) if facts is not None else None
    return did.at if did is not None else never


def own_key(facts: EventFacts, name: str) -> str:
    """What a shop's own name is counted by. Of too many the last by the alphabet have one key together."""
    if name in KEYS:
        return OWN_KEY
    if name in facts.did:
        return name
    own = own_names(facts.did)
    if len(own) < NAMES_MOST:
        return name
    if name > own[-1]:
        return OWN_KEY
    fewer_names(facts, own[-1:])
    return name


def own_names(did: dict[str, Did]) -> list[str]:
    return sorted(name for name in did if name not in KEYS)


def fewer_names(facts: EventFacts, gone: list[str]) -> None:
    """These names are counted as others from now on, and what was counted of them."""
    for name in gone:
        one, others = facts.did.pop(name), facts.did.setdefault(OWN_KEY, Did(0, 0.0))
        others.count, others.at = others.count + one.count, max(others.at, one.at)
        for cell in (*facts.minutes, *facts.hours, *facts.days):
            if name in cell.counts:
                cell.counts[OWN_KEY] = cell.counts.get(OWN_KEY, 0) + cell.counts.pop(name)


def keep(rows: list[Any], row: Line | Taken) -> None:
    """Into its place among the newest."""
    if not rows or row >= rows[-1]:
        rows.append(row)
    else:
        insort(rows, row)
    if len(rows) > LINES_MOST:
        del rows[0]


def known_as(facts: ClickFacts) -> list[str]:
    """Other ids, the one met latest last."""
    return sorted(facts.aliases, key=lambda one: (facts.aliases[one], one))


def meet(aliases: dict[str, float], anonymous: str, time: float, customer: bytes) -> None:
    """An anonymousId: those met latest are kept."""
    known = aliases.get(anonymous)
    if known is not None:
        if time > known:
            aliases[anonymous] = time
    elif anonymous.encode() != customer:
        aliases[anonymous] = time
        if len(aliases) > ALIASES_MOST:
            del aliases[min(aliases, key=lambda one: (aliases[one], one))]


def complain(complaints: dict[str, Complaint], id: str, said: Complaint) -> None:
    """The latest word of a complaint; of those too many, the longest unheard of goes."""
    known = complaints.get(id)
    if known is None or (said.at, said.open) > (known.at, known.open):
        complaints[id] = said
        if len(complaints) > COMPLAINTS_MOST:
            del complaints[min(complaints, key=lambda one: (complaints[one].at, one))]


def relate(related: dict[str, Near], key: str, said: Near) -> None:
    """The latest word of who is near: a child, the holder of a card. Of those too many, the longest unnamed goes."""
    known = related.get(key)
    if known is None or said > known:
        related[key] = said
        if len(related) > NEAR_MOST:
            del related[min(related, key=lambda one: (related[one].at, one))]


def order(facts: PosFacts, event: Event) -> None:
    """Count an order, and remember what was bought."""
    till = event.channel == STORE
    facts.orders += 1
    facts.spent += event.total
    if till:
        facts.tills += 1
    elif event.time > facts.last_online:
        facts.last_online = event.time
    products = distinct([product.id for product in event.products])
    categories = distinct([product.category[:WORD_MOST] for product in event.products if product.category])
    insort(facts.receipts, Receipt(event.time, event.order or event.id, till, event.total, products, categories))
    forget(facts)


def forget(facts: PosFacts) -> None:
    """Of sorted orders the newest with so many lines are kept; categories are kept of the last."""
    receipts, lines = facts.receipts, 0
    for receipt in reversed(receipts):
        lines += RECEIPT + len(receipt.products)
        if lines > RECEIPTS_MOST and (place := (receipt.at, receipt.id)) > facts.cut:
            facts.cut = place
    kept = [receipt for receipt in receipts if (receipt.at, receipt.id) > facts.cut]
    for receipt in kept[:-1]:
        receipt.categories = []
    facts.receipts = kept


def distinct(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))[:ORDER_MOST]


def hear(facts: ClickFacts, traits: Traits, time: float, source: str) -> None:
    """Take over what a customer says of themselves, each word by its own time."""
    if time > facts.identified:
        facts.identified = time
    for name in ("zone", "name", "tier"):
        if word := getattr(traits, name):
            tell(facts, name, word[:NAME_MOST], time, source)
    if traits.points is not None:
        tell(facts, "points", traits.points, time, source)
    flags(facts.consent, traits.consent, facts.told, "consent:", Source(time, source[:WORD_MOST]))
    flags(facts.reach, traits.reach, facts.told, "reach:", Source(time, source[:WORD_MOST]))


def tell(facts: ClickFacts, name: str, word: str | int, time: float, source: str) -> None:
    """One word, unless a later one is known."""
    known, source = facts.told.get(name), source[:WORD_MOST]
    if known is None or (time, word, source) > (known.at, getattr(facts, name), known.source):
        facts.told[name] = Source(time, source)
        setattr(facts, name, word)


def flags(known: dict[str, bool], said: dict[str, bool], told: dict[str, Source], prefix: str, new: Source) -> None:
    """Take over each yes and no that is not older than the one we know, a no before a yes; forget those told longest
    ago."""
    for name, value in said.items():
        before = told.get(prefix + name)
        if before is None or (new.at, not value, new.source) > (before.at, not known[name], before.source):
            known[name], told[prefix + name] = value, new
    fewer_flags(known, told, prefix)


def fewer_flags(known: dict[str, bool], told: dict[str, Source], prefix: str) -> None:
    while len(known) > FLAGS_MOST:
        oldest = min(known, key=lambda name: (told[prefix + name].at, name))
        del known[oldest], told[prefix + oldest]
