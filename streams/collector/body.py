"""Bodies: read within bounds, and unpacked by what their bytes are. Headers are not believed: gzip comes undeclared."""

import asyncio
import zlib
from typing import Any, Final

from aiohttp import web
from aiohttp.web_exceptions import HTTPRequestEntityTooLarge

from streams.collector.answers import Refused, oversize, unavailable

GZIP: Final = b"\x1f\x8b"
MEMBERS_MOST: Final = 16
"""Gzip may be several packed texts in a row. Each costs a copy of the rest, so they are few."""
READ_SECONDS: Final = 30.0
"""Longest time a sender may take for a body."""


class Budget:
    """Bytes of requests being worked on. What does not fit is asked to come again."""

    def __init__(self, limit: int, gauge: Any) -> None:
        self._limit = limit
        self.used = 0
        gauge.set_function(lambda: self.used)

    def take(self, size: int) -> int:
        """Hold `size` bytes until they are given back. Raises Refused."""
        if self.used + size > self._limit:
            raise unavailable("overload", "too much is waiting for Kafka")
        self.used += size
        return size

    def give(self, size: int) -> None:
        """These bytes are done with."""
        self.used -= size


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """The body, unpacked, at most `limit` bytes. Raises Refused."""
    if (request.content_length or 0) > limit:
        raise oversize(f"wanted a body of at most {limit} bytes, got {request.content_length}")
    try:
        if request.content.is_eof():
            body = await request.read()
        else:
            async with asyncio.timeout(READ_SECONDS):
                body = await request.read()
    except HTTPRequestEntityTooLarge:
        raise oversize(f"wanted a body of at most {limit} bytes") from None
    except TimeoutError:
        raise Refused(408, "slow", f"wanted the body within {READ_SECONDS:g} s") from None
    except (ConnectionError, web.RequestPayloadError):
        raise Refused(400, "unparsable", "wanted a whole body, got a part of it or broken chunks") from None
    return unpacked(body, limit)


def unpacked(body: bytes, limit: int) -> bytes:
    """What it holds, where it is packed. Raises Refused."""
    return inflate(body, limit) if body.startswith(GZIP) else body


def inflate(packed: bytes, limit: int) -> bytes:
    """Unpacked gzip, never more than `limit` bytes in memory. Raises Refused."""
    parts, room = [], limit
    for _ in range(MEMBERS_MOST):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            part = unpacker.decompress(packed, room + 1)
        except zlib.error:
            raise Refused(400, "unparsable", "wanted whole gzip, got broken gzip") from None
        room -= len(part)
        if room < 0:
            raise oversize(f"wanted a body of at most {limit} bytes, inflated")
        if not unpacker.eof:
            raise Refused(400, "unparsable", "wanted whole gzip, got a part of it")
        parts.append(part)
        packed = unpacker.unused_data
        if not packed:
            return b"".join(parts)
    raise Refused(400, "unparsable", f"wanted at most {MEMBERS_MOST} gzip members")
