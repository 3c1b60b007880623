"""Values as SDKs send them: lenient in form (numbers as strings, ids as numbers), strict in what they may be.

Each function takes the value and the name of its field, and answers a clean value or raises a Fault with that name.
"""

import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from schemas.event import MICROS

INVALID, FORBIDDEN, OVERSIZE, UNPARSABLE = "invalid", "forbidden", "oversize", "unparsable"

ID_BYTES: Final = 128
TEXT_MOST: Final = 512
EXACT: Final = 2**53
"""Whole numbers beyond it are not the same in every JSON reader."""
TIME_MOST: Final = 4_102_444_800.0
"""The year 2100."""
_MILLISECONDS: Final = 1e11
"""A number beyond it, taken as a time, counts milliseconds."""
_FLOAT_SURE: Final = 2.0**50
"""Below it, scaling a float and rounding gives what its decimal digits give, away from ties."""

_moment = datetime.fromisoformat
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, line ends and what turns the direction of writing."""
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,2})?")


class Fault(Exception):
    """Why an event is not taken. `field` names the place in it; no text tells what a customer's data holds."""

    def __init__(self, field: str, detail: str, reason: str = INVALID) -> None:
        super().__init__(f"{field}: {detail}" if field else detail)
        self.field, self.detail, self.reason = field, detail, reason


def identifier(value: Any, field: str) -> str:
    """An id of 1 to 128 bytes without control characters; empty when there is none (null, "")."""
    if type(value) is not str:
        return "" if value is None else str(whole(value, field))
    id: str = value
    if len(id) <= ID_BYTES and id.isascii() and id.isprintable():
        return id
    if _UNFIT.search(id):
        raise Fault(field, "wanted no control characters")
    size = len(id.encode())
    if size > ID_BYTES:
        raise Fault(field, f"wanted at most {ID_BYTES} bytes, got {size}")
    return id


def whole(value: Any, field: str) -> int:
    """A whole number within 2^53."""
    if type(value) is not int:
        raise Fault(field, f"wanted text or a whole number, got {kind(value)}")
    if not -EXACT <= value <= EXACT:
        raise Fault(field, "wanted a whole number within 2^53")
    return int(value)


def text(value: Any) -> str:
    """Up to 512 characters; what cannot be a text is none."""
    if type(value) is str:
        return value if len(value) <= TEXT_MOST else value[:TEXT_MOST]
    if type(value) is int or type(value) is float:
        return str(value)[:TEXT_MOST]
    return ""


def number(value: Any, field: str) -> float:
    """A finite number, also written as text; none is 0."""
    if type(value) is float:
        return value
    return float(_decimal(value, field))


def micros(value: Any, field: str, place: str = "") -> int:
    """Money in micros, exact to the sender's decimal digits, ties to even. `place` stands before the field's name."""
    if type(value) is float:
        scaled = value * MICROS
        if -_FLOAT_SURE < scaled < _FLOAT_SURE:
            result = round(scaled)
            if -0.25 < scaled - result < 0.25:
                return result
    elif type(value) is int and -EXACT < value * MICROS < EXACT:
        return value * MICROS
    exact = (_decimal(value, place + field) * MICROS).to_integral_value(ROUND_HALF_EVEN)
    if not -EXACT <= exact <= EXACT:
        raise Fault(place + field, "wanted an amount within 2^53 micros")
    return int(exact)


def instant(value: Any, field: str) -> float | None:
    """Seconds since the epoch, of RFC 3339 (no zone: UTC) or a number of seconds or milliseconds. None: none given."""
    if type(value) is str:
        if not value:
            return None
        try:
            moment = _moment(value)
        except ValueError:
            try:
                moment = _moment(value.upper())
            except ValueError:
                raise Fault(field, "wanted a time as RFC 3339") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if value is None:
        return None
    seconds = number(value, field)
    return seconds / 1000 if abs(seconds) >= _MILLISECONDS else seconds


def kind(value: Any) -> str:
    """What a value is, in JSON's words."""
    if value is None:
        return "null"
    names = {bool: "true or false", int: "number", float: "number", str: "text", list: "array", dict: "object"}
    return names.get(type(value), "something else")


def _decimal(value: Any, field: str) -> Decimal:
    """Bounded in digits and exponent, so that no text makes the arithmetic long."""
    if value is None or value == "":
        return Decimal(0)
    if type(value) is int:
        return Decimal(whole(value, field))
    if type(value) is float:
        return Decimal(repr(value))
    if type(value) is not str or not _NUMBER.fullmatch(value.strip()):
        raise Fault(field, f"wanted a number, got {kind(value)}")
    return Decimal(value.strip())
