"""The state in memory, for tests and simulations: the same answers as Redis, no I/O, nothing left to chance.

`snapshot` and `restore` of a slot model what Redis does when it loses its last writes.
"""

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.customer import FORMAT
from schemas.families import ALL, Kept, write_families
from streams.state.store import DUE_AT_MOST, TOKEN_BYTES, Commit, Committed, Exists, Missing, Opened, Refused


@dataclass(slots=True)
class Content:
    """All that one slot holds."""

    meta: dict[str, bytes]
    customers: dict[bytes, bytes] = field(default_factory=dict)
    timers: dict[bytes, float] = field(default_factory=dict)
    outbox: dict[bytes, bytes] = field(default_factory=dict)
    turns: list[bytes] = field(default_factory=list)


class MemorySlot:
    """The state of one partition, as a Slot."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self._content: Content | None = None

    def snapshot(self) -> Content | None:
        """What the slot holds now; later calls do not change it."""
        return _copy(self._content)

    def restore(self, content: Content | None) -> None:
        """Go back to a snapshot, or to nothing."""
        self._content = _copy(content)

    async def create(self, partitions: int, offsets: Mapping[str, int], kept: Kept = ALL) -> None:
        if self._content is not None:
            raise Exists(f"create partition {self.partition}: it has a state already")
        made = {"partitions": b"%d" % partitions, "format": b"%d" % FORMAT, "facts": write_families(kept).encode()}
        meta = {"token": b"", "seq": b"0"} | made
        self._content = Content(meta | {f"next:{topic}": b"%d" % offset for topic, offset in offsets.items()})

    async def remove(self) -> None:
        self._content = None

    async def acquire(self, token: bytes) -> None:
        await self.take(token, await self.held())

    async def held(self) -> bytes:
        return self._held("acquire").meta["token"]

    async def take(self, token: bytes, before: bytes) -> None:
        content = self._held("acquire")
        _check_token(token)
        if content.meta["token"] == token:
            return
        if content.meta["token"] != before:
            raise Refused(f"acquire partition {self.partition}: another token is stored")
        content.turns.append(b"A" + before + token)
        content.meta["token"] = token

    async def open(self, token: bytes) -> Opened:
        content = self._shown("open", token)
        meta = {name: value for name, value in content.meta.items() if name != "token"}
        return Opened(meta, list(content.outbox.items()))

    async def load(self, tokens: tuple[bytes, bytes], customers: Sequence[bytes]) -> list[bytes | None]:
        content = self._shown("load", *tokens)
        return [content.customers.get(customer) for customer in customers]

    async def commit(self, commit: Commit) -> Committed:
        content = self._held("commit")
        if math.isnan(commit.until):
            raise ValueError("commit: wanted a time until which timers are due, got nan")
        if content.meta["token"] != commit.new_token:
            self._shown("commit", commit.token)
            _check(commit)
            _write(content, commit)
        return _answer(content, commit.until)

    async def trim(self, ids: Sequence[bytes]) -> None:
        if self._content is not None:
            _remove(self._content.outbox, ids)

    async def meta(self) -> dict[str, bytes]:
        return dict(self._content.meta) if self._content else {}

    async def customer(self, customer: bytes) -> bytes | None:
        return self._content.customers.get(customer) if self._content else None

    async def customers(self) -> AsyncIterator[tuple[bytes, bytes]]:
        for item in list(self._content.customers.items()) if self._content else ():
            yield item

    async def outbox_size(self) -> int:
        return len(self._content.outbox) if self._content else 0

    async def timers_pending(self) -> int:
        return len(self._content.timers) if self._content else 0

    async def records(self) -> list[bytes]:
        return list(self._content.turns) if self._content else []

    def _held(self, call: str) -> Content:
        if self._content is None:
            raise Missing(f"{call} partition {self.partition}: it has no state here")
        return self._content

    def _shown(self, call: str, *tokens: bytes) -> Content:
        content = self._held(call)
        if not content.meta["token"] or content.meta["token"] not in tokens:
            raise Refused(f"{call} partition {self.partition}: another token is stored")
        return content


def _copy(content: Content | None) -> Content | None:
    """All that is inside is immutable."""
    if content is None:
        return None
    customers, timers, outbox = dict(content.customers), dict(content.timers), dict(content.outbox)
    return Content(dict(content.meta), customers, timers, outbox, list(content.turns))


def _check_token(token: bytes) -> None:
    if len(token) != TOKEN_BYTES:
        raise ValueError(f"wanted a token of {TOKEN_BYTES} bytes, got {len(token)}")


def _check(commit: Commit) -> None:
    _check_token(commit.new_token)
    if commit.keep < 0:
        raise ValueError(f"commit: wanted how many records to keep, got {commit.keep}")
    if not all(math.isfinite(when) for _, when in commit.wake):
        raise ValueError("commit: wanted a finite time of waking")


def _write(content: Content, commit: Commit) -> None:
    content.meta.update(commit.meta)
    content.customers.update(commit.customers)
    content.timers.update(commit.wake)
    _remove(content.timers, commit.sleep)
    content.outbox.update(commit.outbox)
    _remove(content.outbox, commit.left)
    content.meta["token"] = commit.new_token
    content.turns.append(commit.record)
    if commit.keep:
        del content.turns[: -commit.keep]


def _remove(items: dict[bytes, bytes] | dict[bytes, float], names: Sequence[bytes]) -> None:
    for name in names:
        items.pop(name, None)


def _answer(content: Content, until: float) -> Committed:
    due = sorted((when, customer) for customer, when in content.timers.items() if when <= until)
    return Committed(min(content.timers.values(), default=None), [customer for _, customer in due[:DUE_AT_MOST]])


class MemoryStore:
    """All slots and the playbooks, as a Store."""

    def __init__(self) -> None:
        self._slots: dict[int, MemorySlot] = {}
        self._playbooks: dict[str, bytes] = {}
        self._current: str | None = None

    async def prepare(self) -> None:
        """Memory is always fit."""

    def slot(self, partition: int) -> MemorySlot:
        return self._slots.setdefault(partition, MemorySlot(partition))

    async def publish(self, version: str, playbook: bytes) -> None:
        self._playbooks[version] = playbook
        self._current = version

    async def current(self) -> str | None:
        return self._current

    async def playbook(self, version: str) -> bytes | None:
        return self._playbooks.get(version)

    async def close(self) -> None:
        """There is nothing to close."""
