"""Partitions, logs and a relay in memory: what links need to cross. Any side can go back in time, and repeat itself."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct, field
from msgspec.structs import replace

from processors.decide import Decider
from processors.markers import markers
from processors.turn import Lost, Turn, by_customer
from schemas.customer import Customer
from schemas.datakey import Brief, decode_brief
from schemas.identity import Marker
from schemas.topics import DEAD_LETTERS, INPUTS, PARTS, TRIGGERS, partition_of
from schemas.turn import Message
from tests.processors.builders import START, Logged


class Kept(Struct):
    """The state of one partition: it changes, and goes back in time, as one."""

    customers: dict[bytes, bytes] = field(default_factory=dict)
    wake: dict[bytes, float] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(INPUTS, 0))
    outbox: dict[str, Message] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    heard: Counter[str] = field(default_factory=Counter)
    """Event -> how often a play was asked because of it, in this history."""

    def copy(self) -> "Kept":
        whole = (self.customers, self.wake, self.offsets, self.outbox, self.counts, self.heard)
        return Kept(*(part.copy() for part in whole))  # type: ignore[arg-type]


class Estate:
    """All partitions of one installation."""

    def __init__(self, fold: Decider, partitions: int = 3) -> None:
        self.fold, self.partitions = fold, partitions
        self.logs: dict[tuple[str, int], list[Logged]] = {(t, p): [] for t in INPUTS for p in range(partitions)}
        self.kept = [Kept() for _ in range(partitions)]
        self.now = 0.0
        self.shred: dict[str, bool] = {}
        """Whose data keys must go."""
        self.shredded: set[bytes] = set()
        """Whose data keys are gone."""
        self.left: list[Message] = []
        """All that ever left."""
        self.sent: set[str] = set()
        """Ids of the outboxes that ever left: of what is in Kafka a worker knows before it judges."""
        self.hearing: list[str] = []
        """Whoever answers for a play may note what it was asked of."""

    def put(self, *records: Logged) -> None:
        """Into the logs."""
        for one in records:
            log = self.logs[one.topic, self.place(one.key or b"")]
            log.append(replace(one, offset=len(log), timestamp=int((START + self.now) * 1000)))

    def split(self, lesser: str, owner: str, cause: str) -> None:
        """What the command puts into the logs."""
        marker = Marker("split", owner, by="test", why="a test")
        self.send(message for _, message in markers(lesser, marker, cause, START + self.now))

    def erase(self, id: str, cause: str) -> None:
        """What the profile API puts into the logs."""
        marker = Marker("erase", id, by="test", why="a test")
        self.send(message for _, message in markers(id, marker, cause, START + self.now))

    def send(self, messages: Iterable[Message]) -> None:
        self.put(*(Logged(m.topic, m.key, m.value) for m in messages if m.topic != DEAD_LETTERS))

    def unreadable(self, row: Logged) -> bool:
        """Whether it was sealed with a key that was shredded. Triggers and markers are not sealed."""
        return row.key in self.shredded and row.topic != TRIGGERS and b'"marker":' not in (row.value or b"")

    def sender(self, row: Logged) -> str:
        """What stays readable of a part that tells something."""
        brief = decode_brief(row.value or b"{}") if row.topic == PARTS else Brief()
        return brief.path[-1] if brief.tells() else ""

    def rebuilt(self) -> "Estate":
        """The same logs, read from their beginning, when all the keys that must go are gone."""
        again = Estate(self.fold, self.partitions)
        again.logs, again.now, again.shredded = self.logs, self.now, {key.encode() for key in self.shred}
        again.settle()
        return again

    def place(self, key: bytes) -> int:
        return partition_of(key, self.partitions)

    def turn(self, partition: int, most: dict[str, int], until: float | None = None) -> None:
        """Read at most so many records of each topic."""
        kept, fold = self.kept[partition], self.fold
        taken = {}
        for topic in INPUTS:
            at = kept.offsets[topic]
            if rows := self.logs[topic, partition][at : at + most.get(topic, 0)]:
                taken[topic] = rows
        due = sorted(key for key, when in kept.wake.items() if until is not None and when <= START + until)
        keys = {row.key for rows in taken.values() for row in rows if row.key} | set(due)
        customers = {key: fold.decode(kept.customers[key]) if key in kept.customers else fold.blank() for key in keys}
        turn = Turn(START + self.now, START + (until or 0.0), customers)
        readable = {}
        for topic, rows in taken.items():
            lost = [row for row in rows if self.unreadable(row)]
            fold.pass_over(turn, topic, [Lost(row, self.sender(row)) for row in lost])
            readable[topic] = [row for row in rows if row not in lost]
            kept.offsets[topic] += len(rows)
        for key, mine in by_customer(readable.items()).items():
            fold.absorb(turn, key, mine)
        fold.awaken(turn, due)
        if turn.erased:
            waiting = [(id, m) for id, m in kept.outbox.items() if m.topic == TRIGGERS and id not in self.sent]
            fold.judge(turn, [(id, m.key or b"") for id, m in waiting if m.key in turn.erased])
        self._commit(kept, turn)

    def _commit(self, kept: Kept, turn: Turn[Customer]) -> None:
        assert not turn.faults, turn.faults
        self.shred |= {key.decode(): forever for key, forever in turn.shred.items()}
        for key in turn.changed:
            kept.customers[key] = self.fold.encode(turn.customers[key])
        for key, when in turn.wake.items():
            kept.wake.pop(key, None)
            if when is not None:
                kept.wake[key] = when
        for id, message in turn.messages:
            assert id not in kept.outbox or kept.outbox[id] == message, f"two messages called {id}"
            kept.outbox[id] = message
        for id in turn.revoked:
            kept.outbox.pop(id, None)
        kept.counts.update(turn.counts)
        kept.heard.update(self.hearing)
        self.hearing.clear()

    def relay(self, partition: int, most: int, forget: bool = True) -> None:
        """The oldest of the outbox into the logs; without `forget` they will leave once more."""
        outbox = self.kept[partition].outbox
        ids = list(outbox)[:most]
        self.left += [outbox[id] for id in ids]
        self.sent.update(ids)
        self.send(outbox[id] for id in ids)
        for id in ids if forget else ():
            del outbox[id]

    def settle(self, until: float | None = None) -> None:
        """Until nothing moves any more."""
        for _ in range(200):
            before = self.at()
            for partition in range(self.partitions):
                self.turn(partition, dict.fromkeys(INPUTS, 1 << 30), until)
                self.relay(partition, 1 << 30)
            if before == self.at():
                return
        raise AssertionError(f"it never comes to rest: {self.at()}")

    def at(self) -> list[tuple[int, int, int]]:
        """How far each partition has come."""
        logs = [sum(len(self.logs[topic, p]) for topic in INPUTS) for p in range(self.partitions)]
        return [(size, sum(k.offsets.values()), len(k.outbox)) for size, k in zip(logs, self.kept, strict=True)]

    def customer(self, id: str) -> Customer:
        value = self.kept[self.place(id.encode())].customers.get(id.encode())
        return self.fold.decode(value) if value else self.fold.blank()

    @property
    def counts(self) -> Counter[str]:
        return sum((kept.counts for kept in self.kept), Counter())
