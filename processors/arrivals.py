"""Records to events: each is decoded once, put beside its customer, or becomes a fault with a reason.

A fault changes no customer, not even `next`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from msgspec import DecodeError, ValidationError

from processors.turn import Fault, OfCustomer, Record, Turn
from schemas.customer import Customer

V = TypeVar("V")
KEY_MOST = 128


def admitted(turn: Turn[Customer], key: bytes, records: OfCustomer) -> Customer | None:
    """Whose records these are. None: nobody's, and they are dead letters."""
    customer, cause = turn.customers.get(key), "keyless"
    if not key:
        detail = "wanted a customer as the key, got none"
    elif customer is None:
        cause, detail = "misplaced", f"wanted a customer of this turn, got {key[:KEY_MOST]!r}"
    elif customer.clickstream is None and customer == NOBODY and not sound(key):
        detail = f"wanted a key of 1 to {KEY_MOST} bytes UTF-8 without control characters, got {key[:KEY_MOST]!r}"
    else:
        return customer
    for topic, some in records.items():
        for record in some:
            refuse(turn, topic, record, cause, detail)
    return None


NOBODY = Customer()


def arrivals(
    turn: Turn[Customer], topic: str, records: Sequence[Record], decode: Callable[[bytes], V]
) -> Iterator[tuple[Record, V]]:
    """(record, what it says), for each that can be read."""
    for record in records:
        try:
            value = decode(record.value)  # type: ignore[arg-type]
        except (DecodeError, UnicodeDecodeError, RecursionError, TypeError) as wrong:
            refuse(turn, topic, record, *fault(record, wrong))
        else:
            yield record, value


def fault(record: Record, wrong: Exception) -> tuple[str, str]:
    """(cause, detail) of a value that could not be decoded."""
    if record.value is None:
        return "undecodable", "wanted a JSON object, got no value"
    if isinstance(wrong, ValidationError):
        return "invalid", str(wrong)
    if isinstance(wrong, RecursionError):
        return "undecodable", "wanted a JSON object, got one nested too deep"
    if isinstance(wrong, TypeError):
        raise wrong
    return "undecodable", f"wanted a JSON object: {wrong}"


def refuse(turn: Turn[Customer], topic: str, record: Record, cause: str, detail: str) -> None:
    """Make it a dead letter."""
    turn.faults.append(Fault(topic, record, cause, detail))


def sound(key: bytes) -> bool:
    """Whether a key can be a customer's."""
    try:
        return len(key) <= KEY_MOST and not any(c < " " or "\x7f" <= c <= "\x9f" for c in key.decode())
    except UnicodeDecodeError:
        return False
