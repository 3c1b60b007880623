"""What the engine asks of the state, whoever keeps it.

How it works. The state of partition p is one *slot*. A slot holds the customers, the timers (one a customer: when it
wants waking), the outbox (what has been decided and has not been seen in Kafka), `meta` (next offset of each topic,
counters, the token) and the turn records. They change together, in one `commit`, or not at all.

A *token* is a random nonce of 16 bytes and names one content of the slot: `acquire` stores a fresh one, each commit
replaces it by its own. Who shows another token is refused. A nonce, not a counter: when Redis loses its last writes a
counter can come back to a number that was used before.

Calls repeat themselves until they have a definite answer, for as long as it takes: every one of them is idempotent.
Any call that shows a token raises Missing when the slot is gone, and ValueError when it is badly formed (then nothing
has been written).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schemas.families import ALL, Kept

DUE_AT_MOST = 1000
"""Due customers in one answer."""

TOKEN_BYTES = 16


class Refused(Exception):
    """The token is not ours any more: somebody else serves this slot, or the store went back in time."""


class Missing(Exception):
    """There is no slot here: the store is empty, or another one. Never start at zero because of it."""


class Exists(Exception):
    """`create` met a slot that is already there."""


class Unfit(Exception):
    """The store cannot keep the promise (it evicts keys, cannot run functions, lets us not in), or holds what
    another version of Kairos wrote. Refuse to start."""


class Unavailable(Exception):
    """No answer within the store's patience. Only for people and tools: the engine waits for as long as it takes."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a term begins with."""

    meta: dict[str, bytes]
    """Fields of `meta`: `partitions`, `format`, `facts`, `seq`, `next:<topic>`, `count:<name>`; the token is not among
    them."""
    outbox: list[tuple[bytes, bytes]]
    """(id, entry), in no order."""


@dataclass(frozen=True, slots=True)
class Commit:
    """All that one turn changes."""

    token: bytes
    new_token: bytes
    until: float
    """Timers due by this time (seconds since the epoch) are asked for in the answer."""
    record: bytes
    """The turn record."""
    keep: int
    """How many turn records the slot keeps, this one among them; 0: all. It may be less than in the commit before."""
    meta: Mapping[str, bytes] = field(default_factory=dict)
    customers: Sequence[tuple[bytes, bytes]] = ()
    """(customer, value)."""
    wake: Sequence[tuple[bytes, float]] = ()
    """(customer, when it wants waking in seconds since the epoch; finite)."""
    sleep: Sequence[bytes] = ()
    """Customers who want no waking any more."""
    outbox: Sequence[tuple[bytes, bytes]] = ()
    """(id, entry) that must leave."""
    left: Sequence[bytes] = ()
    """Ids that leave the outbox: seen in Kafka, or revoked."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The answer to a commit."""

    next_due: float | None
    """The earliest timer of the slot."""
    due: list[bytes]
    """Customers due by the commit's `until`, earliest first and then by id, DUE_AT_MOST at most."""


class Slot(Protocol):
    """The state of one partition.

    Where one commit names the same thing twice, the later word holds: customers and timers in their order, `sleep`
    after `wake`, `left` after `outbox`.
    """

    async def create(self, partitions: int, offsets: Mapping[str, int], kept: Kept = ALL) -> None:
        """Make the slot: only ever by hand, so it waits no longer than the store's patience. `offsets`: next offset of
        each topic; `kept`: families of facts. Raises Exists, Unavailable."""

    async def remove(self) -> None:
        """Take the slot away, whole: only ever by hand, like `create`. Who serves it is told Missing. Raises
        Unavailable."""

    async def acquire(self, token: bytes) -> None:
        """From here on only the holder of `token` reads or writes. Raises Missing. It is `held`, then `take`, again and
        again while others come between."""

    async def held(self) -> bytes:
        """The stored token; empty before the first acquire. Raises Missing."""

    async def take(self, token: bytes, before: bytes) -> None:
        """Put `token` in the place of `before`, and leave an acquire record. Done already: says nothing. Raises Refused
        when another one is stored: a request that comes late must not name newer content by its token."""

    async def open(self, token: bytes) -> Opened:
        """Where to go on, and what has not left yet. Raises Refused, Missing."""

    async def load(self, tokens: tuple[bytes, bytes], customers: Sequence[bytes]) -> list[bytes | None]:
        """Values of customers, to the holder of either token: ours, or that of our commit in flight (ours again when
        none is). Raises Refused, Missing."""

    async def commit(self, commit: Commit) -> Committed:
        """Change all or nothing. Done already (a lost answer): answers the same. Raises Refused, Missing."""

    async def trim(self, ids: Sequence[bytes]) -> None:
        """Take out of the outbox what Kafka has acknowledged. Needs no token."""

    # -- for people and tools: read without a token, wait no longer than the store's patience, then raise Unavailable

    async def meta(self) -> dict[str, bytes]:
        """All fields of `meta`, the token among them as `token`. Empty when there is no slot."""

    async def customer(self, customer: bytes) -> bytes | None:
        """One customer's value."""

    def customers(self) -> AsyncIterator[tuple[bytes, bytes]]:
        """All customers, each once, in no order. Not a picture of one instant: commits go on meanwhile."""

    async def outbox_size(self) -> int: ...

    async def timers_pending(self) -> int: ...

    async def records(self) -> list[bytes]:
        """The turn records, oldest first. An acquire record is b"A" + token before (0 or 16 bytes) + token."""


class Store(Protocol):
    """All slots, and the playbooks. Its own calls wait no longer than its patience, then raise Unavailable."""

    async def prepare(self) -> None:
        """Look whether this store can keep the promise, and load the function library. Raises Unfit."""

    def slot(self, partition: int) -> Slot: ...

    async def publish(self, version: str, playbook: bytes) -> None:
        """Keep a playbook under its version and make it the current one."""

    async def current(self) -> str | None:
        """The version of the current playbook, None when none was ever published."""

    async def playbook(self, version: str) -> bytes | None: ...

    async def close(self) -> None: ...
