"""Data keys in Redis: a copy near at hand, which may be lost or go back in time; the topic is the truth.

The hash `{app:017}:keys` holds the last word about each key, under its name; and under the customer's name the id of
the key to seal with (GONE: of one whom nobody shall read again).
"""

import time
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final, Protocol

from streams.state.server import Server
from streams.state.store import Unavailable

PATIENCE: Final = 0.5
"""Seconds a writer waits: without Redis it makes another key."""
AWAY: Final = 1.0
"""Seconds for which a writer then does not ask again."""
CHUNK: Final = 1000

KEEP: Final = """
local stands = {}
for i = 1, #ARGV, 2 do
  redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1])
  stands[#stands + 1] = redis.call('HGET', KEYS[1], ARGV[i])
end
return stands
"""


class Away(Exception):
    """No answer within the patience of who writes."""


class Shelf(Protocol):
    """The copies, by partition. `patient`: wait for as long as it takes, else raise Away."""

    async def look(self, partition: int, names: Sequence[bytes], *, patient: bool) -> list[bytes | None]:
        """What stands there."""

    async def keep(self, partition: int, items: Mapping[bytes, bytes], *, patient: bool) -> list[bytes]:
        """Put there what is not there yet; answers what stands there now. So a word is never taken back."""

    async def put(
        self, partition: int, items: Mapping[bytes, bytes], gone: Sequence[bytes] = (), *, patient: bool
    ) -> None:
        """Put there, whatever stood there. `gone`: names to take away."""

    async def close(self) -> None: ...


class RedisShelf:
    """The copies in Redis."""

    def __init__(self, url: str, app: str, timeout: float = 10.0) -> None:
        self._server, self._app = Server(url, timeout), app
        self._asks_from = 0.0

    async def look(self, partition: int, names: Sequence[bytes], *, patient: bool) -> list[bytes | None]:
        key, found = self._key(partition), list[bytes | None]()
        for at in range(0, len(names), CHUNK):
            found += await self._ask(patient, key, "HMGET", key, *names[at : at + CHUNK])
        return found

    async def keep(self, partition: int, items: Mapping[bytes, bytes], *, patient: bool) -> list[bytes]:
        key, stands, pairs = self._key(partition), list[bytes](), list(items.items())
        for at in range(0, len(pairs), CHUNK):
            stands += await self._ask(patient, key, "EVAL", KEEP, 1, key, *chain(*pairs[at : at + CHUNK]))
        return stands

    async def put(
        self, partition: int, items: Mapping[bytes, bytes], gone: Sequence[bytes] = (), *, patient: bool
    ) -> None:
        key, pairs = self._key(partition), list(items.items())
        for at in range(0, len(pairs), CHUNK):
            await self._ask(patient, key, "HSET", key, *chain(*pairs[at : at + CHUNK]))
        for at in range(0, len(gone), CHUNK):
            await self._ask(patient, key, "HDEL", key, *gone[at : at + CHUNK])

    async def close(self) -> None:
        await self._server.close()

    def _key(self, partition: int) -> str:
        return f"{{{self._app}:{partition:03}}}:keys"

    async def _ask(self, patient: bool, *command: object) -> list[bytes]:
        if patient:
            answer: list[bytes] = await self._server.ask(str(command[0]), *command[1:])
            return answer
        if time.monotonic() < self._asks_from:
            raise Away
        try:
            answer = await self._server.ask(str(command[0]), *command[1:], patience=PATIENCE)
        except Unavailable as exc:
            self._asks_from = time.monotonic() + AWAY
            raise Away from exc
        return answer
