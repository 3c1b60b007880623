"""The turn record: what one turn was given, so that anyone can fold it again; and what it puts on its way out."""

from msgspec import Struct, msgpack


class TurnRecord(Struct, array_like=True, gc=False):
    """Lies in `{app:ppp}:turns` as a MessagePack array, about 100 bytes. Tokens chain: `before` is the last `after`.

    A turn folds its records in a fixed order: topics as `INPUTS` has them, each by offset; then the customers woken;
    then the judging.
    """

    before: bytes
    after: bytes
    now: float
    """The worker's clock, seconds since the epoch."""
    until: float
    """Timers due by this time might fire; 0: none."""
    playbook: str
    ranges: dict[str, tuple[int, int]]
    """Topic -> offsets from, to (exclusive)."""
    woken: list[bytes]
    """Customers whose timer was due, in this order."""
    judged: list[bytes] | None
    """Ids of the triggers judged again, in decided order: all that waited when a term began, or those of customers this
    turn erased; None: this turn did not judge."""


encode_turn = msgpack.Encoder().encode
decode_turn = msgpack.Decoder(TurnRecord).decode


class Message(Struct, array_like=True, gc=False):
    """A record on its way out: a trigger, a marker, a part or a dead letter. A MessagePack array in the outbox."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    since: float = 0.0
    """When the event that led here was received; 0: unknown. For the latency metric."""
    sequence: int = 0
    """Order of deciding in the partition; the engine sets it."""


encode_message = msgpack.Encoder().encode
decode_message = msgpack.Decoder(Message).decode
