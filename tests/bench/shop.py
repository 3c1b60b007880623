"""A made-up shop and its customers: the same seed gives the same events, but for their times.

How it works. Few customers come often, most seldom (Zipf). What they do has the mix of a shop: mostly views, a few
carts, fewer orders, some of them at the till. Everyone introduces themselves first, in a zone where it is about noon:
so quiet hours hold nothing back, whenever a benchmark runs.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import accumulate, repeat
from typing import Final

from schemas.event import (
    ADDED,
    CHECKOUT,
    IDENTIFIED,
    LIST_VIEWED,
    MICROS,
    ORDERED,
    PRODUCT_VIEWED,
    REMOVED,
    SEARCHED,
    STORE,
    Event,
    Product,
    Traits,
)

MIX: Final = {PRODUCT_VIEWED: 55, LIST_VIEWED: 14, SEARCHED: 12, ADDED: 9, REMOVED: 3, CHECKOUT: 3, ORDERED: 4}
"""Event name -> how many of a hundred."""
CATEGORIES: Final = ("shoes", "jackets", "tents", "watches", "bags", "kids", "stoves", "home", "garden", "sale")
BRANDS: Final = 37
PRODUCTS: Final = 2_000
ZIPF: Final = 1.1

Visit = tuple[bytes, Event]
"""A customer's key, and what they did; `time` and `received` are still 0."""


def catalogue() -> list[Product]:
    """What the shop sells."""
    return [
        Product(
            id=f"p{number:06d}",
            name=f"Product name no {number}",
            category=CATEGORIES[number % len(CATEGORIES)],
            brand=f"brand-{number % BRANDS}",
            price=int((4.9 + number % 190 * 1.1) * MICROS),
        )
        for number in range(PRODUCTS)
    ]


def key(number: int) -> bytes:
    """Of a customer."""
    return f"c{number:08d}".encode()


class Shop:
    """Customers and what they do."""

    def __init__(self, customers: int, seed: int = 7) -> None:
        self.keys: Final = [key(number) for number in range(customers)]
        self._chance = random.Random(seed)
        self._products = catalogue()
        self._count = 0

    def introductions(self, now: float) -> Iterator[Visit]:
        """One event of each customer, before all others."""
        zone = noon(now)
        for key in self.keys:
            told = Traits(zone=zone, consent={"marketing": True}, reach={"push": True, "email": True}, tier="silver")
            yield key, self._event(IDENTIFIED, key, "web", traits=told)

    def visits(self, events: int) -> Iterator[Visit]:
        """So many events."""
        weights = list(accumulate(1 / rank**ZIPF for rank in range(1, len(self.keys) + 1)))
        shuffled = self._chance.sample(self.keys, len(self.keys))
        yield from self.visits_of(self._chance.choices(shuffled, cum_weights=weights, k=events))

    def visits_of(self, keys: Sequence[bytes]) -> Iterator[Visit]:
        """One event of each of these, in their order."""
        names = self._chance.choices(list(MIX), weights=list(MIX.values()), k=len(keys))
        yield from zip(keys, map(self._visit, keys, names), strict=True)

    def _visit(self, key: bytes, name: str) -> Event:
        chance = self._chance
        place = STORE if name == ORDERED and chance.random() < 0.4 else "app" if chance.random() < 0.5 else "web"
        products = [chance.choice(self._products) for _ in repeat(None, 2 if name == ORDERED else 1)]
        event = self._event(name, key, place, products=products)
        event.dwell = chance.randrange(300, 45_000) / 1000
        event.session = f"s-{key.decode()}-{self._count >> 12:05d}"
        if name == SEARCHED:
            event.query, event.products = products[0].category + " for the rain", []
        elif name == ORDERED:
            event.order, event.total, event.dwell = f"o-{self._count:08d}", sum(p.price for p in products), 0.0
        elif name != PRODUCT_VIEWED:
            event.cart = f"k-{key.decode()}-{self._count >> 14:05d}"
        return event

    def _event(
        self, name: str, key: bytes, place: str, products: Sequence[Product] = (), traits: Traits | None = None
    ) -> Event:
        self._count += 1
        about = {"url": f"https://shop.example.com/{name.replace(' ', '-').lower()}", "os": "ios", "app": "5.14.2"}
        return Event(
            id=f"{self._chance.getrandbits(128):032x}",
            name=name,
            time=0.0,
            channel=place,
            source="shop",
            anonymous=f"a-{key.decode()}",
            products=list(products),
            currency="EUR",
            traits=traits,
            properties=dict(about),
        )


def noon(now: float) -> str:
    """A zone in which it is about noon: `Etc/GMT-5` is five hours ahead of UTC."""
    ahead = 12 - int(now // 3600) % 24
    return f"Etc/GMT{-ahead:+d}" if ahead else "UTC"
