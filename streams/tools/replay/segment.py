"""Segment calls, one JSON object a line: sent as they are, but for the time and a message id where none is given."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import orjson

from streams.tools.replay.rows import Bad, Call, Item, message_id

TIMES = ("timestamp", "originalTimestamp", "sentAt")


def read(lines: Iterable[str]) -> Iterator[Item]:
    """The customer is the userId, or the anonymousId: their calls keep their order."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _call(number, line)
        except (ValueError, TypeError) as exc:
            yield Bad(number, f"{exc}")


def _call(number: int, line: str) -> Call:
    call = orjson.loads(line)
    if not isinstance(call, dict):
        raise ValueError(f"wanted a JSON object, got {line[:80]!r}")
    call.setdefault("messageId", message_id("segment", number, line))
    customer = call.get("userId") or call.get("anonymousId") or ""
    return Call(number, str(customer), _time(call), orjson.dumps(call))


def _time(call: dict[str, object]) -> float:
    """Seconds since the epoch; 0 where the call does not say when: it then happens when it is sent."""
    for name in TIMES:
        text = call.get(name)
        if isinstance(text, str):
            told = datetime.fromisoformat(text)
            return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    return 0.0


def at(body: bytes, time: float) -> bytes:
    """The call, as if it had happened at `time`: the server's clock is ours, so there is no skew to correct."""
    call = orjson.loads(body)
    for name in TIMES:
        call.pop(name, None)
    call["timestamp"] = datetime.fromtimestamp(time, UTC).isoformat()
    return orjson.dumps(call)
