"""Was this message applied before? Asked of each record, by its message id.

Digests of 8 bytes lie back to back in two generations. When the newer one is a day old, by the log's time, or full,
it becomes the older one: so an id is remembered for a day at least, or among the SEEN_MOST newest. Of those who send
much an index is kept beside, in memory only: a search through 64 KB would cost as much as all the rest of an event.
"""

from struct import iter_unpack
from typing import Final

from xxhash import xxh3_64_digest

from processors.compiled import compiled
from schemas.facts import SEEN_MOST, SEEN_SECONDS, Seen

WIDTH: Final = 8
FULL: Final = SEEN_MOST * WIDTH
FEW: Final = 64 * WIDTH
"""Bytes that are searched through; more have an index."""


@compiled
def repeated(seen: Seen, id: str, time: float) -> bool:
    """True when `id` was seen before; else it is from now on. `time`: when the log took it in, in seconds."""
    digest = xxh3_64_digest(id.encode())
    now, before = seen.now, seen.before
    many = len(now) + len(before) > FEW
    if many:
        if digest in (index := indexed(seen)):
            return True
        index.add(digest)
    elif (digest in now and holds(now, digest)) or (digest in before and holds(before, digest)):
        return True
    if not now:
        seen.since = time
    elif time - seen.since >= SEEN_SECONDS or len(now) >= FULL:
        seen.before, now, seen.since = now, b"", time
        vars(seen).pop("index", None)
    seen.now = now + digest
    return False


def holds(digests: bytes, digest: bytes) -> bool:
    """Whether `digest` is one of them, and not just the end of one and the beginning of the next."""
    at = digests.find(digest)
    while at >= 0 and at % WIDTH:
        at = digests.find(digest, at + 1)
    return at >= 0


def indexed(seen: Seen) -> set[bytes]:
    """All digests of both generations, made when first asked for."""
    kept: dict[str, set[bytes]] = vars(seen)
    if "index" not in kept:
        kept["index"] = {digest for (digest,) in iter_unpack(f"{WIDTH}s", seen.now + seen.before)}
    return kept["index"]
