"""Heads of plain requests: of the very form most senders use, so that nothing in them can be meant otherwise."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from streams.collector.keys import named_key

HEADS_MOST: Final = 1_000
"""Heads that are kept."""
_NAME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9-]*")
_VALUE: Final = re.compile(rb"[\x20-\x7e]*")
_ODD: Final = frozenset(
    (
        b"content-length",
        b"transfer-encoding",
        b"expect",
        b"upgrade",
        b"connection",
        b"te",
        b"trailer",
        b"proxy-connection",
    )
)
_READ: Final = {b"authorization": "Authorization", b"x-write-key": "X-Write-Key", b"sentat": "SentAt"}


class Route(Struct, frozen=True):
    """What a path takes, as `Intake.take` is told it."""

    type: str
    historical: bool
    seconds: Callable[[str], Any]
    """Status -> the metric of how long it took."""


class Head(Struct, frozen=True):
    """A plain request's head, but for the length of its body."""

    route: Route
    secret: str
    """The write key, empty where the head names none."""
    sent: str | None
    """The header SentAt."""


class Heads(dict[bytes, Head | None]):
    """Heads that were read, without the lengths of their bodies: a sender repeats its own."""

    def __init__(self, routes: Mapping[bytes, Route]) -> None:
        super().__init__()
        self._routes = routes

    def __missing__(self, head: bytes) -> Head | None:
        if len(self) >= HEADS_MOST:
            self.clear()
        found = self[head] = read_lines(head, self._routes)
        return found


def read_lines(head: bytes, routes: Mapping[bytes, Route]) -> Head | None:
    """None: not plain. `head`: without the line that tells the length."""
    first, *lines = head.split(b"\r\n")
    route = routes.get(first)
    if route is None:
        return None
    headers, hosts = dict[str, str](), 0
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            return None
        name, value = name.lower(), value.strip(b" ")
        if name in _READ:
            if _READ[name] in headers:
                return None
            headers[_READ[name]] = value.decode("ascii")
        elif name == b"host":
            hosts += 1
        elif name in _ODD and (name, value.lower()) != (b"connection", b"keep-alive"):
            return None
    return Head(route, named_key(headers, {}), headers.get("SentAt")) if hosts == 1 else None
