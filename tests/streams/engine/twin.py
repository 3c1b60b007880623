"""A broker in memory, as far as a partition sees one: logs, fetches, fenced producers. And the smallest of folds."""

import asyncio
import json
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import msgspec
from aiokafka.errors import KafkaError, ProducerFenced

from processors.turn import Fault, Lost, OfCustomer, Record, Turn
from schemas.topics import INPUTS, KEYS, TRIGGERS
from schemas.turn import Message
from streams.engine.fetch import Ends, Fetch
from streams.engine.partition import Partition
from streams.engine.relay import Leaving
from streams.engine.world import World
from streams.settings import Settings
from streams.state.memory import MemoryStore
from streams.vault.vault import Vault


@dataclass
class Row:
    """A record in a log."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    headers: Sequence[tuple[str, bytes]] = ()


class Broker:
    """Logs of one partition number, and who reads and writes them."""

    def __init__(self) -> None:
        self.logs: dict[str, list[Row]] = {topic: [] for topic in INPUTS}
        self.first = dict.fromkeys(INPUTS, 0)
        self.dead: list[Message] = []
        self.epoch = 0
        self.now = 1000.0

    def append(self, topic: str, *pairs: tuple[bytes, bytes], headers: Sequence[tuple[str, bytes]] = ()) -> None:
        log = self.logs[topic]
        for key, value in pairs:
            log.append(Row(len(log), key, value, int(self.now * 1000), headers))

    def visible(self) -> list[str]:
        return [json.loads(row.value or b"")["id"] for row in self.logs[TRIGGERS]]


class Reader:
    """A `Source` that hands fetches to one Partition when pumped."""

    def __init__(self, broker: Broker) -> None:
        self.broker, self.ends = broker, Ends()
        self.positions: dict[str, int] = {}
        self.resumed: set[str] = set()
        self.lose = 0
        """How many of the next fetches get lost on the way."""

    async def bounds(self, partition: int) -> dict[str, tuple[int, int]]:
        return {topic: (self.broker.first[topic], len(log)) for topic, log in self.broker.logs.items()}

    async def seek(self, partition: int, positions: Mapping[str, int], resume: Collection[str]) -> None:
        self.positions.update(positions)
        self.resumed -= set(positions)
        self.resumed |= set(resume)

    async def resume(self, partition: int, topics: Collection[str]) -> None:
        self.resumed |= set(topics)

    def pump(self, partition: Partition) -> None:
        for topic in sorted(self.resumed):
            log, at = self.broker.logs[topic], self.positions[topic]
            self.ends[topic, partition.number] = self.broker.now, len(log)
            if at < len(log):
                self.positions[topic] = len(log)
                rows: Sequence[Record] = log[at:]
                fetch = Fetch(rows, at, len(log), self.broker.now, len(log))
                if self.lose:
                    self.lose -= 1
                else:
                    partition.put(topic, fetch)


class Outlet:
    """A fenced way out. `fail`: what the next send raises, after (`late`) or before it reached the log."""

    def __init__(self, broker: Broker) -> None:
        self.broker, self.epoch = broker, -1
        self.fail: KafkaError | None = None
        self.late = False

    async def fence(self) -> None:
        self.broker.epoch += 1
        self.epoch = self.broker.epoch

    async def send(self, leaving: deque[Leaving]) -> list[Leaving]:
        if self.epoch != self.broker.epoch:
            raise ProducerFenced()
        taken = list(takewhile(lambda item: item[1].topic != KEYS, leaving))
        for _ in taken:
            leaving.popleft()
        if self.fail and not self.late:
            raise self.fail
        for _, message in taken:
            if message.topic in self.broker.logs:
                self.broker.append(message.topic, (message.key or b"", message.value or b""))
            else:
                self.broker.dead.append(message)
        if self.fail:
            raise self.fail
        return taken

    async def close(self) -> None:
        self.epoch = -1


class Tally(msgspec.Struct):
    """A customer who is counted."""

    n: int = 0
    due: float = 0.0
    sent: list[str] = []
    erased: bool = False


def each(records: OfCustomer) -> Iterator[tuple[str, Record]]:
    """The records of a customer, one by one."""
    return ((topic, record) for topic, some in records.items() for record in some)


class TallyFold:
    """Counts records; every second one of a customer is a trigger, at most `most` of each; a value `timer <due>`
    waits."""

    version = "tally"

    def __init__(self, most: int = 1_000_000) -> None:
        self.most = most

    def blank(self) -> Tally:
        return Tally()

    def decode(self, value: bytes) -> Tally:
        return msgspec.json.decode(value, type=Tally)

    def encode(self, customer: Tally) -> bytes:
        return msgspec.json.encode(customer)

    def absorb(self, turn: Turn[Tally], key: bytes, records: OfCustomer) -> None:
        customer = turn.customers.get(key)
        for topic, record in each(records):
            if customer is None or record.value == b"poison":
                turn.faults.append(
                    Fault(topic, record, "misplaced" if customer is None else "invalid", "wanted better")
                )
                continue
            if topic == TRIGGERS:
                self._read_back(turn, key, customer, json.loads(record.value or b"")["id"])
                continue
            turn.changed.add(key)
            turn.counts[f"applied:{topic}"] += 1
            customer.n += 1
            if (record.value or b"").startswith(b"timer "):
                customer.due = turn.wake[key] = float((record.value or b"")[6:])
            elif customer.n % 2 == 0:
                self._propose(turn, key, customer, f"{key.decode()}-{customer.n}")

    def pass_over(self, turn: Turn[Tally], topic: str, lost: Sequence[Lost]) -> None:
        turn.counts[f"erased:{topic}"] += len(lost)

    def spent(self, customer: Tally) -> bool:
        return customer.erased

    def _read_back(self, turn: Turn[Tally], key: bytes, customer: Tally, id: str) -> None:
        turn.returned.append(id)
        if id not in customer.sent:
            customer.sent.append(id)
            turn.changed.add(key)

    def _propose(self, turn: Turn[Tally], key: bytes, customer: Tally, id: str) -> None:
        if id in customer.sent or len(customer.sent) >= self.most:
            return
        customer.sent.append(id)
        message = Message(TRIGGERS, key, json.dumps({"id": id, "now": turn.now}).encode(), [])
        turn.messages.append((id, message))

    def awaken(self, turn: Turn[Tally], customers: Sequence[bytes]) -> None:
        for key in customers:
            customer = turn.customers[key]
            if not 0 < customer.due <= turn.until:
                turn.wake[key] = customer.due or None
                continue
            self._propose(turn, key, customer, f"{key.decode()}-at-{customer.due}")
            customer.due, turn.wake[key] = 0.0, None
            turn.changed.add(key)

    def judge(self, turn: Turn[Tally], pending: Sequence[tuple[str, bytes]]) -> None:
        for id, key in pending:
            customer = turn.customers[key]
            if len(customer.sent) > self.most:
                customer.sent.remove(id)
                turn.revoked.append(id)
                turn.changed.add(key)


@dataclass
class Notes:
    """A `Watch` that remembers."""

    began_steps: list[Mapping[str, float]] = field(default_factory=list)
    ends: list[BaseException] = field(default_factory=list)
    halts: list[str] = field(default_factory=list)

    def turned(self, partition: int, turn: Turn[Any], records: int) -> None: ...
    def committed(self, partition: int, turn: Turn[Any], seconds: float) -> None: ...
    def left(self, partition: int, leaving: Collection[Leaving], seconds: float) -> None: ...

    def began(self, partition: int, steps: Mapping[str, float]) -> None:
        self.began_steps.append(steps)

    def ended(self, partition: int, why: BaseException) -> None:
        self.ends.append(why)

    def halted(self, partition: int, why: str) -> None:
        self.halts.append(why)


class Rig:
    """One partition number with its broker and store; any number of workers serve it."""

    def __init__(self, fold: TallyFold | None = None, **settings: Any) -> None:
        self.settings = Settings(partitions=1, clock_bound=0.0, **settings)
        self.broker, self.store, self.fold = Broker(), MemoryStore(), fold or TallyFold()
        self.tokens = 0
        self.outlets: list[Outlet] = []
        self.notes = Notes()
        self.served: list[tuple[Partition, Reader]] = []
        self.vault: Vault | None = None
        """Who serves from now on has this one."""

    async def create(self) -> None:
        await self.store.slot(0).create(1, dict.fromkeys(INPUTS, 0), self.settings.kept())

    def serve(self) -> Partition:
        """One more worker takes the partition."""
        reader = Reader(self.broker)

        def outlet(_: int) -> Outlet:
            self.outlets.append(Outlet(self.broker))
            return self.outlets[-1]

        world = World(
            self.settings,
            self.store,
            reader,
            self.notes,
            outlet,
            lambda: self.fold,
            lambda: self.broker.now,
            self.nonce,
            self.vault,
        )
        partition = Partition(0, world)
        self.served.append((partition, reader))
        return partition

    def nonce(self) -> bytes:
        self.tokens += 1
        return self.tokens.to_bytes(16, "big")

    async def run(self, seconds: float = 0.05) -> None:
        """Let everything happen; the broker's clock keeps the pace of the real one, roughly."""
        for _ in range(int(seconds / 0.01)):
            self.broker.now += 0.01
            for partition, reader in self.served:
                reader.pump(partition)
            await asyncio.sleep(0.01)

    async def customer(self, key: bytes) -> Tally:
        value = await self.store.slot(0).customer(key)
        return self.fold.decode(value) if value else Tally()

    def stop(self) -> None:
        for partition, _ in self.served:
            partition.stop()
