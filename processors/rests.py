"""What conditions may ask rests on facts, and some of these an installation may not keep: which word rests on what."""

from collections.abc import Iterator
from typing import Final

from processors.cel import Expression, Problem, problem_at
from processors.cel.tree import CALL, SELECT
from processors.counters import EVER
from processors.view import EngagementView, HabitsView, LikesView
from processors.windows import WINDOWS as LENGTHS
from schemas.families import HABITS, LIKES, TIMELINE, VIEWED, WINDOWS, Kept, write_families

RESTS: Final[dict[str, str]] = {
    **{f"{what}.{word}": WINDOWS for what in ("events", "spent") for word in LENGTHS},
    **{f"engagement.{word}": WINDOWS for word in EngagementView.__struct_fields__},
    "did": WINDOWS,
    "service.sentiment": TIMELINE,
    **{f"habits.{word}": HABITS for word in HabitsView.__struct_fields__},
    "channel.usual": HABITS,
    **{f"likes.{word}": LIKES for word in LikesView.__struct_fields__},
    "customer.viewed": VIEWED,
    "views": VIEWED,
}
"""Name or function in conditions -> family. All others rest on what is always kept; so does `did(name).ever`."""


def not_kept(made: Expression, text: str, kept: Kept) -> Iterator[Problem]:
    """What an expression asks that nobody remembers."""
    parts, places = made.tree.parts, made.tree.places
    ever = {part.inner[0] for part in parts.values() if part.kind == SELECT and part.what == EVER}
    calls = {number: part.what for number, part in parts.items() if part.kind == CALL}
    words = made.tree.names | {number: what for number, what in calls.items() if what != "did" or number not in ever}
    for number, word in sorted(words.items()):
        family = RESTS.get(word)
        if family is not None and family not in kept:
            begins = text.rfind(word.partition(".")[0], 0, places.get(number, 0) + 1)
            name = f"{word}(...)" if number in calls else word
            yield problem_at(text, max(begins, 0), told(name, family), wanted(family, kept))


def told(name: str, family: str) -> str:
    """What is at fault."""
    return f"{name} rests on {family}, which are not kept here"


def wanted(family: str, kept: Kept) -> str:
    """What would be good instead."""
    return f"what rests on other facts; or KAIROS_FACTS with {family} (it is {write_families(kept)})"
