"""Families of facts that an installation may do without: it keeps of customers only what it uses.

All else is always kept: positions, digests of message ids, counts ever, first and last, words told, consent, carts,
orders. What is kept is fixed for the life of a state, as the number of partitions is: facts must not depend on when a
setting changed.
"""

from collections.abc import Collection
from typing import Any, Final, TypeVar

from msgspec.structs import replace

F = TypeVar("F")

WINDOWS: Final = "windows"
TIMELINE: Final = "timeline"
HABITS: Final = "habits"
LIKES: Final = "likes"
VIEWED: Final = "viewed"
NONE: Final = "none"

FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    WINDOWS: ("minutes", "hours", "days"),
    TIMELINE: ("touches",),
    HABITS: ("channels", "clock", "weekdays", "stores", "devices"),
    LIKES: ("likes",),
    VIEWED: ("viewed", "cut"),
}
"""Family -> its fields in `schemas.facts`. Facts that lack the first of them lack the family."""

Kept = frozenset[str]
"""Families that are kept."""
ALL: Final[Kept] = frozenset(FAMILIES)


def read_families(text: str) -> Kept:
    """Families by commas, or `none`. Raises ValueError."""
    names = [name.strip() for name in text.split(",")]
    if names == [NONE]:
        return frozenset()
    if unknown := [name for name in names if name not in FAMILIES]:
        got = ", ".join(map(repr, unknown))
        raise ValueError(f"wanted families of {', '.join(FAMILIES)} by commas, or {NONE}; got {got}")
    return frozenset(names)


def write_families(kept: Collection[str]) -> str:
    """The same the other way round, always in one order."""
    return ",".join(name for name in FAMILIES if name in kept) or NONE


def left_out(kept: Collection[str]) -> list[str]:
    """Families that are not kept."""
    return [name for name in FAMILIES if name not in kept]


def lacking(facts: F, kept: Kept) -> F:
    """Facts without families that are not kept: the same ones, or a copy. None is None."""
    if facts is None or kept == ALL:
        return facts
    blank: Any = type(facts)()
    held: Any = facts
    families = (names for family, names in FAMILIES.items() if family not in kept)
    fields = [name for names in families if hasattr(held, names[0]) for name in names]
    gone = {name: getattr(blank, name) for name in fields if getattr(held, name) != getattr(blank, name)}
    return replace(held, **gone) if gone else facts
