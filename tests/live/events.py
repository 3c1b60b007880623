"""What customers do in live tests, as records for the topics, and the playbooks that listen."""

import random
import time
from typing import Any

from msgspec import Struct

from schemas.event import ADDED, CART_NAMES, MICROS, ORDERED, POS_NAMES, PRODUCT_VIEWED, Event, Product, encode_event
from schemas.topics import CART, CLICKSTREAM, POS

PLAYBOOK = """
policies:
  consent: {unknown: allow}
plays:
  - id: added
    on: [Product Added]
    occurrence: event.id
    channels: [web]
    expires: 6h
  - id: cart-abandoned
    on: [Product Added]
    after: 3s
    unless: [Order Completed]
    when: cart.open
    occurrence: cart.id
    channels: [web]
    expires: 6h
"""
"""One trigger for each addition at once, and one for each cart left alone for 3 s."""

AT_ONCE = PLAYBOOK[: PLAYBOOK.index("  - id: cart-abandoned")]
"""Only the one that asks no clock: what it sends follows from the events alone."""


CUSTOMERS = 300


class Sent(Struct, frozen=True):
    """A record as it is sent."""

    topic: str
    key: bytes
    value: bytes


def happened(customer: str, name: str, *, at: float | None = None, **fields: Any) -> Sent:
    """An event of now, or of `at`, seconds since the epoch."""
    topic = CART if name in CART_NAMES else POS if name in POS_NAMES else CLICKSTREAM
    usual: dict[str, Any] = {"id": f"{customer}/{name}/{fields.get('cart', '')}", "name": name, "channel": "web"}
    event = Event(**(usual | {"time": time.time() if at is None else at} | fields))
    return Sent(topic, customer.encode(), encode_event(event))


def boots(price: float = 40.0) -> list[Product]:
    return [Product("boots", "Boots", price=int(price * MICROS))]


def added(customer: str, cart: str, **fields: Any) -> Sent:
    """Into a cart."""
    return happened(customer, ADDED, cart=cart, **{"products": boots()} | fields)


def at_the_till(customer: str, receipt: str, **fields: Any) -> Sent:
    """An order, paid in a shop."""
    usual: dict[str, Any] = {"channel": "store", "products": boots(), "total": 40 * MICROS}
    return happened(customer, ORDERED, order=receipt, **usual | fields)


class Shopping(Struct):
    """A stream of events, and what must come of it."""

    records: list[Sent] = []
    distinct: int = 0
    """Events, without repeats and without what nobody can read."""
    repeats: int = 0
    bad: int = 0
    additions: list[tuple[bytes, str]] = []
    """(customer, message id) of each addition: one trigger each."""

    def add(self, more: "Shopping") -> None:
        """Goes on with these."""
        self.records += more.records
        self.distinct += more.distinct
        self.repeats += more.repeats
        self.bad += more.bad
        self.additions += more.additions


def shopping(count: int, *, bad: int = 5, seed: int = 1) -> Shopping:
    """`count` events of now: views, additions, orders; one in fifty is sent again later; `bad` ones are no JSON."""
    chance, found = random.Random(seed), Shopping(distinct=count, repeats=count // 50, bad=bad)
    for number in range(count):
        (name,) = chance.choices([PRODUCT_VIEWED, ADDED, ORDERED], [6, 3, 1])
        customer, id = f"c{chance.randrange(CUSTOMERS)}", f"e{seed}-{number}"
        product = Product(f"p{chance.randrange(50)}", price=chance.randrange(1, 90) * MICROS)
        total = product.price if name == ORDERED else 0
        found.records.append(happened(customer, name, id=id, products=[product], total=total))
        if name == ADDED:
            found.additions.append((customer.encode(), id))
    for record in chance.sample(found.records, found.repeats):
        after = found.records.index(record) + 1
        found.records.insert(chance.randint(after, len(found.records)), record)
    for number in range(bad):
        where = chance.randrange(len(found.records))
        found.records.insert(where, Sent(CLICKSTREAM, b"c%d" % number, b"{no json %d" % seed))
    return found
