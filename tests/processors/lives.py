"""Made-up events of one customer and topic, by a seed: few words, so that times, products and names meet again, or
many, so that every bound is passed. Two events may be the same but for their ids."""

import random
from typing import Any

from schemas import event as names
from schemas.event import Event, Product, Traits
from schemas.identity import Link
from schemas.topics import CART, CLICKSTREAM, POS

START = 1_790_000_000
TOPICS = (CLICKSTREAM, CART, POS)
NAMES = {
    CLICKSTREAM: [names.PRODUCT_VIEWED] * 6
    + [names.PAGE, names.IDENTIFIED, names.SEARCHED, names.COMPLAINED, names.SETTLED, names.SURVEYED, "pv", "own"],
    CART: [names.ADDED] * 4 + [names.REMOVED] * 3 + [names.CHECKOUT, "other"],
    POS: [names.ORDERED] * 4 + [names.REFUNDED, "Order Updated"],
}


class Lives:
    """One seed's events. `wide`: many products, names and times."""

    def __init__(self, seed: int, wide: bool) -> None:
        self.chance, self.wide = random.Random(seed), wide
        self.span = self.chance.choice((600, 7_200, 100_000, 4_000_000, 20_000_000))
        self.count = 0

    def events(self, topic: str, most: int) -> list[Event]:
        return [self.event(topic) for _ in range(self.chance.randint(1, most))]

    def event(self, topic: str) -> Event:
        pick, self.count = self.chance.choice, self.count + 1
        name = pick(NAMES[topic])
        if self.wide and self.chance.random() < 0.3:
            name = f"name {self.chance.randrange(150)}"
        fields: dict[str, Any] = {"products": [self.product() for _ in range(self.chance.choice((0, 1, 1, 3, 40)))]}
        if self.chance.random() < 0.5:
            fields |= {"store": self.word("store", 3), "device": self.word("d", 3), "sentiment": pick((-1, 0, 1))}
            fields |= {
                "session": self.word("s", 3),
                "anonymous": self.word("anon", 3),
                "currency": pick(("EUR", "GBP")),
            }
            fields |= {"nps": pick((None, 3, 9)), "complaint": self.word("c", 3), "order": self.word("o", 9)}
        if name == names.IDENTIFIED:
            fields["traits"] = self.traits()
            near = Link(pick(("user", "card")), self.word("near", 3), relation=pick(("child", "holder")))
            fields["links"] = [near, Link("card", "1")]
        time = START - self.chance.randrange(self.span) + pick((0.0, 0.0, 0.25, 0.5))
        total, channel = self.chance.randrange(90) * 10**6, pick(("web", "app", "store", "", "tv"))
        source = pick(("web", "crm"))
        return Event(f"m{self.count}", name, time, 0.0, channel, source, total=total, **fields)

    def product(self) -> Product:
        id, pick = self.word("p", 3), self.chance.choice
        words = (id.title() + pick(("", "!")), self.word("cat", 3), self.word("brand", 3), "", pick(("", "M", "L")))
        return Product(id, *words, price=pick((0, 10**6, 19_990_000)), quantity=pick((1, 1, 2, 3, 0, -1)))

    def traits(self) -> Traits:
        told = {
            self.word("c", 3): self.chance.random() < 0.5 for _ in range(self.chance.randrange(12 if self.wide else 3))
        }
        words = (
            self.chance.choice(("", "UTC")),
            told,
            told,
            self.word("Ann", 2),
            self.chance.choice(("", "gold", "silver")),
        )
        return Traits(*words, points=self.chance.choice((None, 5, 7)))

    def word(self, stem: str, few: int) -> str:
        return f"{stem}{self.chance.randrange(few * 20 if self.wide else few)}"
