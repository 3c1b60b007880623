"""A made-up shop: a small outdoor seller with a web shop, an app and a till. Nobody in it exists.

How it works. A visit is one person's walk through the shop, told as (seconds after the step before, call). Visits begin
at random and run side by side; `open_shop` lays their steps on one line of time. All chance comes from the seed, and no
clock is read: whoever sends the calls says when "now" is. Visits are quick, seconds where people take minutes.
"""

import heapq
from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from typing import Any, NamedTuple

Call = dict[str, Any]
"""A Segment call without times."""
Steps = Iterator[tuple[float, Call]]

STEPS_A_VISIT = 4.4
"""On average; what a rate of events means in visits."""
RETURNING = 0.35
"""Share of visits by somebody who was here before."""
REST = 15.0
"""Seconds somebody stays away between two visits, at least."""
REPEATED, BROKEN = 0.01, 0.003
"""Share of calls that are sent twice, as SDKs do after a time-out; and of those that say nothing."""

FIRST = (
    "Ada",
    "Ben",
    "Cleo",
    "Dara",
    "Emil",
    "Fay",
    "Gus",
    "Hana",
    "Ivo",
    "Jun",
    "Kira",
    "Leo",
    "Mina",
    "Nils",
    "Oona",
)
ZONES = ("Europe/Berlin", "Europe/London", "Asia/Tokyo", "Asia/Bangkok", "America/New_York", "America/Los_Angeles")


class Good(NamedTuple):
    """A product."""

    id: str
    name: str
    category: str
    price: float


def _shelf() -> list[Good]:
    """Three of each, so that complements of the shipped playbook fit."""
    kinds = {
        "jackets": ("Rain jacket", 129.0),
        "shoes": ("Trail shoes", 98.0),
        "bags": ("Backpack", 84.0),
        "tents": ("Tent", 249.0),
        "sleeping-bags": ("Sleeping bag", 139.0),
        "stoves": ("Camping stove", 45.0),
    }
    makes = ("Alder", "Birch", "Cedar")
    return [
        Good(f"{category}-{make.lower()}", f"{name} {make}", category, round(price * (1 + 0.2 * step), 2))
        for category, (name, price) in kinds.items()
        for step, make in enumerate(makes)
    ]


SHELF = _shelf()


class Person(NamedTuple):
    """Somebody made up, and where they shop."""

    id: str
    place: str
    """web or app."""
    traits: Call

    @property
    def context(self) -> Call:
        """What their device tells."""
        return {"device": {"type": "ios", "token": f"token-{self.id}"}} if self.place == "app" else {}


class Visit:
    """One person's walk; a kind of visit is a method that yields its steps."""

    def __init__(self, person: Person, number: int, chance: Random) -> None:
        self._person, self._number, self._chance = person, number, chance

    def browses(self) -> Steps:
        """Looks at this and that, and goes."""
        yield self._track("Products Searched", query=self._chance.choice(SHELF).category)
        for good in self._chance.sample(SHELF, self._chance.randint(2, 5)):
            yield self._track("Product Viewed", good)

    def looks_again(self) -> Steps:
        """Comes back to the same thing, and goes."""
        good, other = self._chance.sample(SHELF, 2)
        for one in (good, other, good, good):
            yield self._track("Product Viewed", one)

    def abandons(self) -> Steps:
        """Puts one thing into the cart, and goes."""
        good = self._chance.choice(SHELF)
        yield self._track("Product Viewed", good)
        yield self._track("Product Added", good, cart_id=self._name("cart"))

    def hesitates(self) -> Steps:
        """Two things in the cart and on the way to the checkout, and stops there."""
        for good in self._chance.sample(SHELF, 2):
            yield self._track("Product Viewed", good)
            yield self._track("Product Added", good, cart_id=self._name("cart"))
        yield self._track("Checkout Started", cart_id=self._name("cart"))

    def orders(self) -> Steps:
        """Buys."""
        goods = self._chance.sample(SHELF, self._chance.randint(1, 2))
        for good in goods:
            yield self._track("Product Viewed", good)
            yield self._track("Product Added", good, cart_id=self._name("cart"))
        yield self._track("Checkout Started", cart_id=self._name("cart"))
        yield self._order("order", goods, channel=self._person.place)

    def buys_at_the_till(self) -> Steps:
        """Fills a cart at home and buys the same at the till: nobody should be reminded of that cart."""
        good = self._chance.choice(SHELF)
        yield self._track("Product Viewed", good)
        yield self._track("Product Added", good, cart_id=self._name("cart"))
        yield self._order("till", [good], channel="store")

    def comes_by_many_ids(self) -> Steps:
        """Looks at a thing on a phone that nobody knows yet, logs in there, fills the cart at the laptop, and pays at
        the till with a card: one person, and no word of that cart."""
        good, phone, card = self._chance.choice(SHELF), self._name("phone"), self._name("card")
        gap, look = self._track("Product Viewed", good)
        yield gap, look | {"userId": None, "anonymousId": phone}
        context = self._person.context | {"externalIds": [{"type": "card", "id": card}]}
        login = {"type": "identify", "userId": self._person.id, "anonymousId": phone, "context": context}
        yield 0.5, login | {"channel": "app"}
        yield self._track("Product Added", good, cart_id=self._name("cart"))
        gap, receipt = self._order("till", [good], channel="store")
        yield gap, receipt | {"userId": None, "context": {"externalIds": [{"type": "card", "id": card}]}}

    def _order(self, kind: str, goods: list[Good], channel: str) -> tuple[float, Call]:
        lines = [{**_said(good), "quantity": 1} for good in goods]
        said: Call = {"products": lines, "total": sum(good.price for good in goods), "currency": "EUR"}
        gap, call = self._track("Order Completed", order_id=self._name(kind), **said)
        if channel == "store":
            call["context"] = {}
        return gap, call | {"channel": channel}

    def _track(self, event: str, good: Good | None = None, **properties: Any) -> tuple[float, Call]:
        said = (_said(good) if good else {}) | properties
        call = {"type": "track", "event": event, "properties": said, "channel": self._person.place}
        context = self._person.context | {"sessionId": self._name("visit")}
        return self._chance.uniform(0.2, 1.2), call | {"userId": self._person.id, "context": context}

    def _name(self, kind: str) -> str:
        return f"{kind}-{self._number}"


KINDS: dict[Callable[[Visit], Steps], float] = {
    Visit.browses: 25,
    Visit.looks_again: 15,
    Visit.abandons: 20,
    Visit.hesitates: 12,
    Visit.orders: 18,
    Visit.buys_at_the_till: 6,
    Visit.comes_by_many_ids: 4,
}
"""Kind of visit -> how many in a hundred."""


def open_shop(seed: int, per_second: float) -> Iterator[tuple[float, Call]]:
    """(seconds since the shop opened, call), in order of time, for ever. The same seed gives the same calls."""
    chance, numbers, visits = Random(seed), count(1), count(1)
    resting: list[tuple[float, int, Person]] = []
    under_way: list[tuple[float, int, Person, Steps, Call]] = []
    begins = 0.0
    while True:
        begins += chance.expovariate(per_second / STEPS_A_VISIT)
        while under_way and under_way[0][0] <= begins:
            at, number, person, steps, call = heapq.heappop(under_way)
            yield from _sent(at, call, f"shop-{seed}-{next(numbers)}", chance)
            if not _next(under_way, at, number, person, steps):
                heapq.heappush(resting, (at + REST, number, person))
        number = next(visits)
        person, steps = _enter(resting, begins, number, chance)
        _next(under_way, begins, number, person, steps)


def _enter(resting: list[tuple[float, int, Person]], now: float, number: int, chance: Random) -> tuple[Person, Steps]:
    """Somebody new, who says who they are first; or somebody who has rested."""
    kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
    if resting and resting[0][0] <= now and chance.random() < RETURNING:
        person = heapq.heappop(resting)[2]
        return person, kind(Visit(person, number, chance))
    person = _person(number, chance)
    hello = {"type": "identify", "userId": person.id, "traits": person.traits, "context": person.context}
    return person, _after(hello | {"channel": person.place}, kind(Visit(person, number, chance)))


def _after(hello: Call, steps: Steps) -> Steps:
    yield 0.0, hello
    yield from steps


def _next(
    under_way: list[tuple[float, int, Person, Steps, Call]], at: float, number: int, person: Person, steps: Steps
) -> bool:
    """Line up a visit's next step. False when it is over."""
    step = next(steps, None)
    if step is not None:
        heapq.heappush(under_way, (at + step[0], number, person, steps, step[1]))
    return step is not None


def _sent(at: float, call: Call, id: str, chance: Random) -> Iterator[tuple[float, Call]]:
    call = call | {"messageId": id}
    if chance.random() < BROKEN:
        call = {"type": "track", "userId": call["userId"] or call.get("anonymousId") or "nobody", "messageId": id}
    yield at, call
    if chance.random() < REPEATED:
        yield at, call


def _person(number: int, chance: Random) -> Person:
    name = chance.choice(FIRST)
    id = f"{name.lower()}-{number:04}"
    traits: Call = {"name": f"{name} (made up)", "timezone": chance.choice(ZONES), "tier": chance.choice(("", "gold"))}
    if chance.random() < 0.8:
        traits["email"] = f"{id}@example.com"
    if chance.random() < 0.9:
        traits["consent"] = {"marketing": chance.random() < 0.9}
    return Person(id, chance.choice(("web", "app")), traits)


def _said(good: Good) -> Call:
    return {"product_id": good.id, "name": good.name, "category": good.category, "price": good.price}
