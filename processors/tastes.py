"""What a customer likes, by the month: counters that old months leave, so nothing has to be decayed."""

from typing import Any, Final, TypeVar

from processors.compiled import compiled
from schemas.event import MICROS, Product
from schemas.facts import LIKED_MOST, MONTH, MONTHS, WORD_MOST, Likes

K = TypeVar("K", str, int)
FIELDS: Final = ("categories", "brands", "bands", "sizes")


@compiled
def count(counts: dict[K, int], key: K, most: int) -> None:
    """One more of a key. Of too many the first are kept: what was once too many stays so, whoever comes."""
    if key in counts:
        counts[key] += 1
    elif len(counts) < most:
        counts[key] = 1
    elif key < (last := max(counts)):
        del counts[last]
        counts[key] = 1


def join(a: dict[K, int], b: dict[K, int], most: int) -> dict[K, int]:
    """The counters of two."""
    both = dict(a)
    for key, many in b.items():
        both[key] = both.get(key, 0) + many
    return both if len(both) <= most else {key: both[key] for key in sorted(both)[:most]}


@compiled
def like(likes: dict[int, Likes], product: Product, second: int) -> None:
    """A product was looked at, added or bought."""
    month = likes.get(at := second // MONTH)
    if month is None:
        if likes and at <= max(likes) - MONTHS:
            return
        month = likes[at] = Likes({}, {}, {}, {})
        keep_newest(likes)
    for counts, word in (
        (month.categories, product.category),
        (month.brands, product.brand),
        (month.sizes, product.size),
    ):
        if word in counts:  # nearly always; what is too long is not
            counts[word] += 1
        elif word:
            count(counts, word[:WORD_MOST], LIKED_MOST)
    if product.price > 0:
        band, bands = (product.price // MICROS).bit_length(), month.bands
        if band in bands:
            bands[band] += 1
        else:
            count(bands, band, LIKED_MOST)


def keep_newest(likes: dict[int, Likes]) -> None:
    """Months that are too old, seen from the latest, go."""
    for old in [at for at in likes if at <= max(likes) - MONTHS]:
        del likes[old]


def join_likes(a: dict[int, Likes], b: dict[int, Likes]) -> dict[int, Likes]:
    """The likes of two."""
    none = Likes({}, {}, {}, {})

    def both(at: int) -> Likes:
        one, other = a.get(at, none), b.get(at, none)
        parts: list[Any] = [join(getattr(one, name), getattr(other, name), LIKED_MOST) for name in FIELDS]
        return Likes(*parts)

    found = {at: both(at) for at in sorted({*a, *b})}
    keep_newest(found)
    return found
