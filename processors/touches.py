"""The timeline: the newest touches, packed, so that a hundred of them are 600 bytes.

Bytes of a touch compare as its time does, then by what it is: sorting needs no unpacking, and two timelines join by
sorting them into one.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from processors.compiled import compiled
from schemas.codes import CODES, NAMED, OWN, PLACED, PLACES
from schemas.customer import Customer
from schemas.facts import TOUCH, TOUCHES_MOST

MOST: Final = TOUCH * TOUCHES_MOST
ELSEWHERE: Final = 15
PLACE_BITS: Final = {place: number << 4 for place, number in PLACES.items()} | {"": 0}


BAD: Final = 1
NEITHER: Final = 2
GOOD: Final = 3
LOW: Final = bytes(byte & 15 for byte in range(256))


def moods(touches: bytes) -> bytes:
    """The sentiment of each touch: 0, BAD, NEITHER or GOOD."""
    return touches[TOUCH - 1 :: TOUCH].translate(LOW)


class Touch(Struct, frozen=True):
    """One moment a customer and the shop met."""

    time: int
    """Seconds since the epoch."""
    name: str
    """The event's name; empty for a shop's own."""
    channel: str
    sentiment: int | None
    """-1 bad, 0 neither, 1 good; None: none told."""


@compiled
def touched(touches: bytes, second: int, number: int, channel: str, sentiment: int | None) -> bytes:
    """The timeline with one more."""
    where = PLACE_BITS.get(channel, ELSEWHERE << 4)
    mood = 0 if sentiment is None else sentiment + 2
    touch = (second << 16 | number << 8 | where | mood).to_bytes(TOUCH, "big")
    at = len(touches)
    while at and touch < touches[at - TOUCH : at]:
        at -= TOUCH
    touches = touches[:at] + touch + touches[at:]
    return touches if len(touches) <= MOST else touches[TOUCH:]


def newest(touches: bytes) -> bytes:
    """Sorted, and no more than may be."""
    each = sorted(touches[at : at + TOUCH] for at in range(0, len(touches), TOUCH))
    return b"".join(each[-TOUCHES_MOST:])


def number_of(name: str) -> int:
    """An event's number in timelines."""
    code = CODES.get(name)
    return code[1] if code else OWN


def read(touches: bytes) -> Iterator[Touch]:
    """Each touch, newest first."""
    for at in range(len(touches) - TOUCH, -1, -TOUCH):
        packed = int.from_bytes(touches[at : at + TOUCH], "big")
        mood = packed & 15
        channel = PLACED.get(packed >> 4 & 15, "")
        yield Touch(packed >> 16, NAMED.get(packed >> 8 & 255, ""), channel, mood - 2 if mood else None)


def timeline(customer: Customer) -> list[Touch]:
    """The touches of all topics, newest first."""
    topics = (customer.clickstream, customer.cart, customer.pos, customer.feedback)
    touches = [touch for facts in topics if facts for touch in read(facts.touches)]
    return sorted(touches, key=lambda touch: -touch.time)
