"""What a customer did, as touches, newest first: as far as the facts remember it."""

from collections.abc import Iterator

from msgspec import Struct

from schemas.customer import CartFacts, ClickFacts, Customer, PosFacts
from schemas.topics import CART, CLICKSTREAM, FEEDBACK, POS


class Touch(Struct, omit_defaults=True):
    """One moment."""

    time: float
    """Seconds since the epoch."""
    topic: str
    what: str
    """The event's name."""
    product: str = ""
    name: str = ""
    times: int = 1
    """How often, all told; `time` is of the latest."""


def touches(customer: Customer) -> list[Touch]:
    """Of the person as a whole. Facts keep the latest of each kind of event, products looked at, and lines of carts."""
    found = [*_named(customer.clickstream, CLICKSTREAM), *_named(customer.cart, CART), *_named(customer.pos, POS)]
    if customer.clickstream:
        viewed = customer.clickstream.viewed
        found += [Touch(one.last, CLICKSTREAM, "Product Viewed", one.id, one.name, one.times) for one in viewed]
    if customer.cart:
        lines = customer.cart.lines
        found += [Touch(one.added, CART, "Product Added", one.id, one.name, one.quantity) for one in lines]
    if customer.feedback:
        found.append(Touch(customer.feedback.last, FEEDBACK, "feedback", times=customer.feedback.events))
    return sorted(found, key=lambda touch: (-touch.time, touch.topic, touch.what, touch.product))


def _named(facts: ClickFacts | CartFacts | PosFacts | None, topic: str) -> Iterator[Touch]:
    """The latest event of each name."""
    for name, time in facts.at.items() if facts else ():
        yield Touch(time, topic, name, times=facts.counts.get(name, 1) if facts else 1)
