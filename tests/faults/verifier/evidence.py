"""What is there to see: logs, slots and playbooks, as plain data. No opinion yet.

How it works. Logs are read read_committed from their first offset to their end as of the question. Slots are read key
by key, so nobody may write meanwhile: the harness asks when everything rests.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zlib import crc32

import redis
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.faults.verifier.fold import FAMILIES
from tests.faults.verifier.sealed import Unsealer, last_words

EVENTS = ("clickstream", "cart", "pos")
INPUTS = ("triggers", "parts", *EVENTS, "feedback")
"""In the order in which a turn folds them."""
DEAD = "dead-letters"
TOPICS = (*INPUTS, DEAD)
KEYS = "keys"


class Entry(NamedTuple):
    """A record of a log. `time`: when the log took it in, milliseconds."""

    offset: int
    time: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Log:
    """One partition of one topic. Markers take offsets, so `end` may be far beyond the last entry."""

    first: int = 0
    end: int = 0
    entries: list[Entry] = field(default_factory=list)
    shredded: list[bytes] = field(default_factory=list)
    """Customers of records beside the entries, which nobody can read any more: folded again they say less."""


@dataclass
class Slot:
    """All that Redis holds of one partition."""

    meta: dict[str, bytes] = field(default_factory=dict)
    customers: dict[bytes, bytes] = field(default_factory=dict)
    timers: dict[bytes, float] = field(default_factory=dict)
    outbox: dict[bytes, bytes] = field(default_factory=dict)
    turns: list[bytes] = field(default_factory=list)


@dataclass
class Evidence:
    """One installation, at rest."""

    app: str
    partitions: int
    logs: dict[tuple[str, int], Log] = field(default_factory=dict)
    slots: dict[int, Slot] = field(default_factory=dict)
    playbooks: dict[str, str] = field(default_factory=dict)
    current: str = ""
    """Version of the playbook in force."""
    answered: dict[str, float] = field(default_factory=dict)
    """The ledger: messageIds the collector answered 200 for, or Kafka acknowledged to the load generator, and when."""
    dark: list[tuple[float, float]] = field(default_factory=list)
    """Times, seconds, in which Kafka lacked brokers. What a leader took in then nobody could read before it was
    replicated, and its sender had no answer: then the answer's time stands for the append time."""
    keys: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    """Name of a data key -> the last word about it; empty: nothing is sealed."""
    keyless: list[str] = field(default_factory=list)
    """Sealed records whose key is neither there nor shredded."""
    clock_bound: float = 0.2
    now: float = 0.0
    """When it was gathered, seconds."""

    @property
    def kept(self) -> tuple[str, ...]:
        """Families of facts the installation keeps, as its slots say."""
        return families(next((slot.meta for slot in self.slots.values() if slot.meta), {}))

    def log(self, topic: str, partition: int) -> Log:
        return self.logs.setdefault((topic, partition), Log())

    def place(self, customer: bytes) -> tuple[int, bytes]:
        """(partition, customer)."""
        return crc32(customer) % self.partitions, customer

    def readable(self, id: str, appended: float) -> float:
        """When at the latest a record could be read; `appended`: when its leader took it in."""
        for since, until in self.dark:
            if since <= appended <= until:
                return max(appended, min(until, self.answered.get(id, until)))
        return appended

    def entries(self, topic: str) -> Iterable[tuple[int, Entry]]:
        """(partition, entry) of a topic."""
        for partition in range(self.partitions):
            for entry in self.log(topic, partition).entries:
                yield partition, entry


def families(meta: Mapping[str, bytes]) -> tuple[str, ...]:
    """Those that a slot keeps; one that says nothing keeps all."""
    said = meta["facts"].decode() if "facts" in meta else ",".join(FAMILIES)
    return tuple(name for name in said.split(",") if name != "none")


@dataclass(frozen=True)
class Where:
    """How to reach it."""

    kafka: str
    redis: str
    app: str
    prefix: str = ""
    partitions: int = 4
    masters: tuple[bytes, ...] = ()
    """Master keys, where logs are sealed."""


def gather(where: Where, answered: Mapping[str, float], now: float, clock_bound: float = 0.2) -> Evidence:
    """Read it all. Raises KafkaError, RedisError."""
    evidence = Evidence(where.app, where.partitions, answered=dict(answered), clock_bound=clock_bound, now=now)
    evidence.logs = asyncio.run(read_logs(where, TOPICS))
    if where.masters:
        keys = asyncio.run(read_logs(where, (KEYS,)))
        words = last_words([entry for log in keys.values() for entry in log.entries])
        Unsealer(where.masters, words).unseal(evidence)
    with redis.Redis.from_url(where.redis) as client:
        for partition in range(where.partitions):
            evidence.slots[partition] = read_slot(client, f"{{{where.app}:{partition:03}}}:")
        versions: Any = client.hgetall(f"{{{where.app}}}:playbooks")
        evidence.playbooks = {version.decode(): text.decode() for version, text in versions.items()}
        current: Any = client.get(f"{{{where.app}}}:playbook")
        evidence.current = current.decode() if current else ""
    return evidence


def read_slot(client: Any, tag: str) -> Slot:
    meta = {name.decode(): value for name, value in client.hgetall(tag + "meta").items()}
    return Slot(
        meta,
        client.hgetall(tag + "customers"),
        dict(client.zrange(tag + "timers", 0, -1, withscores=True)),
        client.hgetall(tag + "outbox"),
        client.lrange(tag + "turns", 0, -1),
    )


async def read_logs(where: Where, topics: Iterable[str]) -> dict[tuple[str, int], Log]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=where.kafka,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=20,
    )
    await consumer.start()
    try:
        places = {
            TopicPartition(where.prefix + topic, partition): (topic, partition)
            for topic in topics
            for partition in range(where.partitions)
        }
        firsts, ends = await consumer.beginning_offsets(list(places)), await consumer.end_offsets(list(places))
        logs = {place: Log(firsts[tp], ends[tp]) for tp, place in places.items()}
        behind = {tp for tp in places if firsts[tp] < ends[tp]}
        consumer.assign(list(behind))
        for tp in behind:
            consumer.seek(tp, firsts[tp])
        while behind:
            for tp, records in (await consumer.getmany(timeout_ms=100)).items():
                entries = logs[places[tp]].entries
                entries += [
                    Entry(r.offset, r.timestamp, r.key, r.value, tuple(r.headers))
                    for r in records
                    if r.offset < ends[tp]
                ]
            for tp in [tp for tp in behind if await consumer.position(tp) >= ends[tp]]:
                behind.discard(tp)
                consumer.pause(tp)
        return logs
    finally:
        await consumer.stop()
