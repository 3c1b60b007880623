"""Data keys: with one of them the records of one customer are sealed, and unreadable once it is gone.

A word about a key is the value of a record in `keys` (compacted: the last word stands, what was wrapped before goes)
and of a field in `{app:ppp}:keys`. Its name is the customer, NUL, and the key's id. A word under the customer's name
alone says that all keys are gone for good.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Raw, Struct
from msgspec.json import Decoder, Encoder

BETWEEN: Final = b"\x00"
"""Between customer and key id: no customer's key has one in it."""
KID: Final = "kid"
"""Header of a sealed record: the id of its key."""
FROM: Final = "from"
"""Header of a sealed part that told something: by whom."""
KID_BYTES: Final = 8
"""In hexadecimal."""
GONE: Final = b"-"
"""Id of a key nobody kept: what comes of a customer who was erased is sealed for nobody."""


class Record(Protocol):
    """Whatever has a key, and perhaps headers."""

    @property
    def key(self) -> bytes | None: ...


class DataKey(Struct, omit_defaults=True):
    """The last word about one key."""

    wrapped: bytes = b""
    """Nonce and AES-256-GCM of the key under a master key; empty: shredded."""
    master: str = ""
    """Which master key wrapped it: the beginning of its digest."""
    made: float = 0.0
    retired: float = 0.0
    """Since then nothing more is sealed with it; only in Redis."""
    shredded: float = 0.0

    @property
    def writes(self) -> bool:
        """Whether records may be sealed with it."""
        return not (self.retired or self.shredded)


class Shred(Struct, omit_defaults=True):
    """A wish in the outbox: the keys of this customer must go. It leaves as words about each of them."""

    forever: bool = False
    """Nothing of this customer is ever to be read again. Else the id may come to be somebody else's, with new keys."""


NOTHING: Final = Raw(b"")


class Brief(Struct):
    """Of a part: whether it tells anything, and by whom."""

    path: list[str] = []
    clickstream: Raw = NOTHING
    cart: Raw = NOTHING
    pos: Raw = NOTHING
    feedback: Raw = NOTHING
    events: list[Raw] = []
    belongings: Raw = NOTHING

    def tells(self) -> bool:
        facts = (self.clickstream, self.cart, self.pos, self.feedback, self.belongings)
        return bool(self.events) or any(bytes(one) for one in facts)


def name_of(customer: bytes, kid: bytes) -> bytes:
    """What a key is called in topic and hash."""
    return customer + BETWEEN + kid


def sealable(key: bytes | None) -> bool:
    """Whether a record's key can be a customer's, and so have a data key."""
    return bool(key) and key is not None and len(key) <= 128 and min(key) >= 0x20


def kid_of(record: Record) -> bytes:
    """The id of the key a record is sealed with; empty: it is not."""
    for name, value in headers_of(record):
        if name == KID:
            fits = value == GONE or (len(value) == 2 * KID_BYTES and value.isalnum())
            return value if fits and sealable(record.key) else b""
    return b""


def headers_of(record: object) -> Sequence[tuple[str, bytes]]:
    """Whatever comes from Kafka has them; who folds knows nothing of them."""
    found: Sequence[tuple[str, bytes]] = getattr(record, "headers", ())
    return found


encode_key = Encoder().encode
decode_key = Decoder(DataKey).decode
encode_shred = Encoder().encode
decode_shred = Decoder(Shred).decode
decode_brief = Decoder(Brief).decode
