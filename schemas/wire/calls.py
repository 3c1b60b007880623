"""Bytes -> calls, in the forms SDKs send them: one call, or a batch. What nobody asks for is skipped, not built.

How it works. A whole batch is read in one go. Only when that fails, or an event may be too large or too deep, is the
batch cut into the bytes of its events and each read alone: so one bad event costs the others nothing, and an honest
batch pays for no care.
"""

import re
from typing import Any, Final

from msgspec import DecodeError, Raw, Struct, ValidationError
from msgspec.json import Decoder

from schemas.wire.values import INVALID, OVERSIZE, UNPARSABLE, Fault

DEPTH: Final = 16
"""Containers within each other, the event itself counted."""

Scalar = str | int | float | bool | None
Odd = str | int | float | bool | list[Any] | None
"""What stands where an object was meant: `[]` from PHP, a bare name from hand-made calls."""


class Library(Struct, gc=False):
    """The SDK."""

    name: Any = None


class Device(Struct, gc=False):
    """`token`: push messages reach it."""

    type: Any = None
    token: Any = None


class System(Struct, gc=False):
    """The operating system."""

    name: Any = None


class Consent(Struct, gc=False, rename="camel"):
    """What a consent manager adds: purpose -> given or denied."""

    category_preferences: dict[str, Any] | Odd = None


class Context(Struct, gc=False, rename="camel"):
    """Of a call's context only what we use."""

    library: Library | Odd = None
    device: Device | Odd = None
    os: System | Odd = None
    timezone: Any = None
    channel: Any = None
    traits: dict[str, Any] | Odd = None
    consent: Consent | Odd = None
    session_id: Any = None
    external_ids: Any = None
    related: Any = None
    identity_token: Any = None


class Call(Struct, gc=False, rename="camel"):
    """One call of an SDK: track, identify, page, screen, group or alias."""

    type: Scalar = None
    event: Scalar = None
    name: Scalar = None
    category: Any = None
    message_id: Scalar = None
    user_id: Scalar = None
    anonymous_id: Scalar = None
    previous_id: Scalar = None
    group_id: Scalar = None
    timestamp: Scalar = None
    original_timestamp: Scalar = None
    sent_at: Scalar = None
    context: Context | Odd = None
    properties: dict[str, Any] | Odd = None
    traits: dict[str, Any] | Odd = None
    write_key: Scalar = None
    channel: Scalar = None


class Batch(Struct, gc=False, rename="camel"):
    """A batch read in one go."""

    batch: list[Call]
    context: Context | Odd = None
    sent_at: Scalar = None
    write_key: Scalar = None


class _Cut(Struct, gc=False, rename="camel"):
    """A batch cut into the bytes of its events."""

    batch: list[Raw]
    context: Context | Odd = None
    sent_at: Scalar = None
    write_key: Scalar = None


class _Keyed(Struct, gc=False, rename="camel"):
    write_key: Any = None


class Calls(Struct):
    """What a request brought. Where an event cannot be read, its Fault stands in its place."""

    items: list[Call | Fault]
    body: bytes
    single: bool
    context: Context | None = None
    sent_at: Scalar = None
    named: str = ""
    """The write key at the root."""

    def __len__(self) -> int:
        return len(self.items)

    @property
    def write_key(self) -> str:
        """At the root, else in the first call that names one; empty when none does."""
        keys = (_text(item.write_key) for item in self.items if isinstance(item, Call))
        return self.named or next(filter(None, keys), "")

    def raw(self, index: int) -> bytes:
        """The bytes of one event, as sent."""
        return self.body if self.single else bytes(_cut(self.body).batch[index])


_call, _batch = Decoder(Call).decode, Decoder(Batch).decode
_cut, _keyed = Decoder(_Cut).decode, Decoder(_Keyed).decode


def read_call(body: bytes, type: str, event_bytes: int) -> Calls:
    """The body of a route that takes one event. Raises Fault when it is no JSON object or too large."""
    if len(body) > event_bytes:
        raise Fault("", f"wanted an event of at most {event_bytes} bytes, got {len(body)}", OVERSIZE)
    item = _read(body, event_bytes)
    if isinstance(item, Fault):
        if item.reason == UNPARSABLE:
            raise item
        return Calls([item], body, True, named=_key_of(body))
    item.type = type
    return Calls([item], body, True)


def read_batch(body: bytes, event_bytes: int, most: int) -> Calls:
    """The body of a route that takes a batch. Raises Fault when it is no batch or has too many events."""
    root: Batch | _Cut
    items: list[Call | Fault]
    try:
        root = _batch(body)
        items = root.batch  # type: ignore[assignment]
        if (len(body) > event_bytes and _has_large(body, event_bytes)) or too_deep(body, DEPTH + 2):
            root, items = _read_each(body, event_bytes)
    except (DecodeError, ValueError, RecursionError):
        root, items = _read_each(body, event_bytes)
    if len(items) > most:
        raise Fault("batch", f"wanted at most {most} events, got {len(items)}", OVERSIZE)
    context = root.context if isinstance(root.context, Context) else None
    return Calls(items, body, False, context, root.sent_at, _text(root.write_key))


def too_deep(body: bytes, most: int) -> bool:
    """Whether containers lie deeper than `most` within each other; exact for JSON.

    Only brackets and quotes are left of the body; then the strings go; then each round takes the innermost pairs off.
    """
    bones = (body if b"\\" not in body else _ESCAPE.sub(b"", body)).translate(_BONES, _FLESH).replace(b'""', b"")
    if b'"' in bones:
        bones = _STRING.sub(b"", bones)
    for _ in range(most):
        if not bones:
            return False
        bones = bones.replace(b"{}", b"")
    return bool(bones)


_ESCAPE: Final = re.compile(rb"\\.", re.DOTALL)
_STRING: Final = re.compile(rb'"[^"]*"')
_FLESH: Final = bytes(set(range(256)) - set(b'{}[]"'))
_BONES: Final = bytes.maketrans(b"[]", b"{}")


def _has_large(body: bytes, event_bytes: int) -> bool:
    return any(len(raw) > event_bytes for raw in _cut(body).batch)


def _read_each(body: bytes, event_bytes: int) -> tuple[_Cut, list[Call | Fault]]:
    try:
        root = _cut(body)
    except (DecodeError, ValueError, RecursionError) as exc:
        fault = _fault(exc, body)
        raise Fault(fault.field, fault.detail, UNPARSABLE) from None
    return root, [_read(bytes(raw), event_bytes) for raw in root.batch]


def _read(raw: bytes, event_bytes: int) -> Call | Fault:
    if len(raw) > event_bytes:
        return Fault("", f"wanted an event of at most {event_bytes} bytes, got {len(raw)}", OVERSIZE)
    try:
        call = _call(raw)
    except (DecodeError, ValueError, RecursionError) as exc:
        return _fault(exc, raw)
    return Fault("", f"wanted containers at most {DEPTH} deep") if too_deep(raw, DEPTH) else call


def _fault(exc: Exception, body: bytes) -> Fault:
    """An object of a wrong shape is an invalid event; all else is not JSON, or not an event at all."""
    reason = INVALID if isinstance(exc, ValidationError) and body.lstrip()[:1] == b"{" else UNPARSABLE
    detail, _, field = str(exc).partition(" - at `$")
    return Fault(field.strip(".`"), detail, reason)


def _key_of(body: bytes) -> str:
    """The write key of a body whose other fields are wrong."""
    try:
        return _text(_keyed(body).write_key)
    except (DecodeError, ValueError, RecursionError):
        return ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
