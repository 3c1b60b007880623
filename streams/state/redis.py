"""The state in Redis, one server or a cluster. Any Redis client reads it.

Keys of partition 17 in the app `kairos`: `{kairos:017}:meta`, `:customers` (hash, id to value), `:timers` (sorted set,
by seconds since the epoch), `:outbox` (hash, id to entry) and `:turns` (list). The braces put them on one node, so one
function of functions.lua changes them together. Playbooks: `{kairos}:playbooks` (hash, version to text) and
`{kairos}:playbook` (the current version).
"""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import chain
from typing import Any, NoReturn

from redis.exceptions import ResponseError

from schemas.customer import FORMAT
from schemas.families import ALL, Kept, write_families
from streams.state.server import LONGEST_PAUSE, Server, read_library
from streams.state.store import Commit, Committed, Exists, Missing, Opened, Refused

PRIVATE = ("token", "created")  # fields of meta nobody else needs; `created`: nonce of the call that made the slot
SCAN = 1000
READING = ("kairos_held", "kairos_open", "kairos_load")


class RedisSlot:
    """The state of one partition, as a Slot."""

    def __init__(self, server: Server, app: str, partition: int, patience: float | None) -> None:
        self.partition = partition
        self._server = server
        self._patience = patience
        self._meta, self._customers, self._timers, self._outbox, self._turns = self._keys = tuple(
            f"{{{app}:{partition:03}}}:{part}" for part in ("meta", "customers", "timers", "outbox", "turns")
        )

    async def create(self, partitions: int, offsets: Mapping[str, int], kept: Kept = ALL) -> None:
        made = secrets.token_hex(16), partitions, FORMAT, write_families(kept)
        await self._call("kairos_create", *made, *chain(*offsets.items()), patience=self._patience)

    async def remove(self) -> None:
        await self._server.ask(self._meta, "DEL", *self._keys, patience=self._patience)

    async def acquire(self, token: bytes) -> None:
        while True:
            try:
                return await self.take(token, await self.held())
            except Refused:
                await asyncio.sleep(0)  # somebody came between

    async def held(self) -> bytes:
        token: bytes = await self._call("kairos_held")
        return token

    async def take(self, token: bytes, before: bytes) -> None:
        await self._call("kairos_acquire", token, before)

    async def open(self, token: bytes) -> Opened:
        meta, outbox = await self._call("kairos_open", token)
        fields = {name.decode(): value for name, value in _pairs(meta)}
        return Opened({name: value for name, value in fields.items() if name not in PRIVATE}, _pairs(outbox))

    async def load(self, tokens: tuple[bytes, bytes], customers: Sequence[bytes]) -> list[bytes | None]:
        values: list[bytes | None] = await self._call("kairos_load", *tokens, *customers)
        return values

    async def commit(self, commit: Commit) -> Committed:
        earliest, *due = await self._call("kairos_commit", *_flat(commit))
        return Committed(float(earliest) if earliest else None, due)

    async def trim(self, ids: Sequence[bytes]) -> None:
        await self._call("kairos_trim", *ids)

    async def meta(self) -> dict[str, bytes]:
        fields: dict[bytes, bytes] = await self._read("HGETALL", self._meta)
        return {name.decode(): value for name, value in fields.items() if name != b"created"}

    async def customer(self, customer: bytes) -> bytes | None:
        value: bytes | None = await self._read("HGET", self._customers, customer)
        return value

    async def customers(self) -> AsyncIterator[tuple[bytes, bytes]]:
        seen: set[bytes] = set()  # HSCAN may repeat itself while the hash grows
        cursor: int | None = None
        while cursor != 0:
            cursor, found = await self._read("HSCAN", self._customers, cursor or 0, "COUNT", SCAN)
            for customer, value in found.items():
                if customer not in seen:
                    seen.add(customer)
                    yield customer, value

    async def outbox_size(self) -> int:
        return int(await self._read("HLEN", self._outbox))

    async def timers_pending(self) -> int:
        return int(await self._read("ZCARD", self._timers))

    async def records(self) -> list[bytes]:
        records: list[bytes] = await self._read("LRANGE", self._turns, 0, -1)
        return records

    async def _read(self, command: str, key: str, *arguments: Any) -> Any:
        return await self._server.ask(key, command, key, *arguments, patience=self._patience)

    async def _call(self, function: str, *arguments: Any, patience: float | None = None) -> Any:
        """Call a function of ours; None: wait for as long as it takes."""
        command = "FCALL_RO" if function in READING else "FCALL"
        call = (command, function, len(self._keys), *self._keys, *arguments)
        while True:
            try:
                return await self._server.ask(self._meta, *call, patience=patience)
            except ResponseError as error:
                if "Function not found" not in str(error):
                    self._explain(function, error)
            await self._bring_functions(function, patience)

    async def _bring_functions(self, function: str, patience: float | None) -> None:
        """A node without our functions: an empty one took over, or one that was given this slot without them."""
        exists = await self._server.ask(self._meta, "EXISTS", self._meta, patience=patience)
        if not exists and function != "kairos_create":
            raise Missing(f"{function} partition {self.partition}: redis has neither its state nor our functions")
        await self._server.ask(self._meta, "FUNCTION", "LOAD", "REPLACE", read_library(), patience=patience)
        await asyncio.sleep(random.uniform(0, LONGEST_PAUSE / 10))

    def _explain(self, function: str, error: ResponseError) -> NoReturn:
        """Say an error reply in the words of the protocol; what is not ours is a bug."""
        code, _, text = str(error).partition(" ")
        known = {"REFUSED": Refused, "MISSING": Missing, "EXISTS": Exists, "SHAPE": ValueError}.get(code)
        if known is None:
            raise error
        raise known(f"{function} partition {self.partition}: {text}") from error


def _pairs(flat: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _flat(commit: Commit) -> list[bytes | str]:
    """The arguments of kairos_commit; see there."""
    runs: list[list[bytes | str]] = [
        [part for item in commit.meta.items() for part in item],
        [part for item in commit.customers for part in item],
        [part for customer, when in commit.wake for part in (repr(float(when)), customer)],
        [*commit.sleep],
        [part for item in commit.outbox for part in item],
        [*commit.left],
    ]
    head: list[bytes | str] = [
        commit.token,
        commit.new_token,
        repr(float(commit.until)),
        commit.record,
        str(commit.keep),
    ]
    return [*head, *(str(len(run)) for run in runs), *chain.from_iterable(runs)]


class RedisStore:
    """All slots and the playbooks, as a Store."""

    def __init__(self, url: str, app: str, *, patience: float | None = None, timeout: float = 10.0) -> None:
        """`url`: redis://, rediss://, or with +cluster for Redis Cluster. `patience`: how long calls for people and
        tools wait, seconds; None: for ever. `timeout`: how long one try waits for its reply, seconds."""
        self._server = Server(url, timeout)
        self._app = app
        self._patience = patience
        self._playbooks, self._playbook = f"{{{app}}}:playbooks", f"{{{app}}}:playbook"

    async def prepare(self) -> None:
        await self._server.prepare(read_library(), self._patience)

    def slot(self, partition: int) -> RedisSlot:
        return RedisSlot(self._server, self._app, partition, self._patience)

    async def publish(self, version: str, playbook: bytes) -> None:
        await self._ask("HSET", self._playbooks, version, playbook)  # first, so that the current one is always there
        await self._ask("SET", self._playbook, version)

    async def current(self) -> str | None:
        version: bytes | None = await self._ask("GET", self._playbook)
        return version.decode() if version is not None else None

    async def playbook(self, version: str) -> bytes | None:
        playbook: bytes | None = await self._ask("HGET", self._playbooks, version)
        return playbook

    async def close(self) -> None:
        await self._server.close()

    async def _ask(self, command: str, key: str, *arguments: Any) -> Any:
        return await self._server.ask(key, command, key, *arguments, patience=self._patience)
