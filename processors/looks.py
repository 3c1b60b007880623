"""Products looked at: the newest ones, and when each was looked at.

How it works. Looks are kept back to the second in which the first product of too many was last looked at; older ones
are forgotten, of whatever product. Seen so, forgetting depends on the looks alone, and what is forgotten stays so.
"""

from collections.abc import Sequence
from typing import Final

from processors.compiled import compiled
from schemas.event import Product
from schemas.facts import LOOKS_MOST, NAME_MOST, VIEWED_MOST, WORD_MOST, ClickFacts, Viewed

WIDTH: Final = 4


def last(viewed: Viewed) -> int:
    """The latest look, seconds since the epoch."""
    return int.from_bytes(viewed.looks[-WIDTH:], "big")


def times(viewed: Viewed) -> list[int]:
    """All looks, oldest first."""
    looks = viewed.looks
    return [int.from_bytes(looks[at : at + WIDTH], "big") for at in range(0, len(looks), WIDTH)]


@compiled
def looked(viewed: Sequence[Viewed], what: str, since: float, until: float) -> int:
    """Looks at a product, or at products of a category and those below it (`a` holds `a.b`), after `since`."""
    inside = what + "."
    return sum(
        since < look <= until
        for one in viewed
        if what in (one.id, one.category) or one.category.startswith(inside)
        for look in times(one)
    )


def order(viewed: Viewed) -> tuple[bytes, str]:
    return viewed.looks[-WIDTH:], viewed.id


def words(viewed: Viewed) -> tuple[str, str, str, int]:
    return viewed.name, viewed.category, viewed.brand, viewed.price


@compiled
def look_at(facts: ClickFacts, product: Product, second: int) -> None:
    """One more look."""
    if second <= facts.cut:
        return
    viewed, look, id = facts.viewed, second.to_bytes(WIDTH, "big"), product.id
    details = product.name[:NAME_MOST], product.category[:WORD_MOST], product.brand[:WORD_MOST], product.price
    ids = [one.id for one in viewed]
    if id in ids:
        new = viewed.pop(ids.index(id))
        if look > new.looks[-WIDTH:]:
            new.looks = (new.looks + look)[-WIDTH * LOOKS_MOST :]
            new.name, new.category, new.brand, new.price = details
        else:
            new = both(new, Viewed(id, look, *details))
    else:
        new = Viewed(id, look, *details)
    viewed.append(new)
    if len(viewed) > 1 and viewed[-2].looks[-WIDTH:] >= new.looks[-WIDTH:]:
        viewed.sort(key=order)
    if len(viewed) > VIEWED_MOST:
        forget(facts)


def both(known: Viewed, other: Viewed) -> Viewed:
    """The looks of two at one product, with the words of the later."""
    looks = known.looks + other.looks
    if other.looks[:WIDTH] < known.looks[-WIDTH:]:
        looks = b"".join(sorted(looks[at : at + WIDTH] for at in range(0, len(looks), WIDTH)))
    mine, others = known.looks[-WIDTH:], other.looks[-WIDTH:]
    later = known if mine > others or (mine == others and words(known) >= words(other)) else other
    return Viewed(known.id, looks[-WIDTH * LOOKS_MOST :], *words(later))


def forget(facts: ClickFacts) -> None:
    """Of too many products, the looks until the last one at the first too many."""
    viewed = facts.viewed
    if len(viewed) > VIEWED_MOST:
        facts.cut = last(viewed[-VIEWED_MOST - 1])
    forget_until(facts, facts.cut)


def forget_until(facts: ClickFacts, second: int) -> None:
    viewed, cut = facts.viewed, second.to_bytes(WIDTH, "big")
    while viewed and viewed[0].looks[-WIDTH:] <= cut:
        del viewed[0]
    for at in [at for at, one in enumerate(viewed) if len(one.looks) > WIDTH and one.looks[:WIDTH] <= cut]:
        viewed[at] = after(viewed[at], second)


def after(viewed: Viewed, cut: int) -> Viewed:
    """What is left of it."""
    looks = b"".join(at.to_bytes(WIDTH, "big") for at in times(viewed) if at > cut)
    return Viewed(viewed.id, looks, *words(viewed))


def join(facts: ClickFacts, a: ClickFacts, b: ClickFacts) -> None:
    """The looks of two, into `facts`, which has none."""
    found: dict[str, Viewed] = {}
    for one in (*a.viewed, *b.viewed):
        copy = Viewed(one.id, one.looks, *words(one))
        found[one.id] = both(found[one.id], copy) if one.id in found else copy
    facts.cut, facts.viewed = max(a.cut, b.cut), sorted(found.values(), key=order)
    forget_until(facts, facts.cut)
    forget(facts)
