"""What everyone asks of Kafka: how to reach it, where its logs begin and end, what is in them, which topics there are.

How it works. A log's end is the high watermark of a fetch answered after the question (read_committed: the last stable
offset). ListOffsets would do on Apache Kafka, but the embedded broker answers the last batch's first offset + 1 there.
A fetch is right on both, if its longest wait is neither 0 (the embedded broker then answers nothing) nor 1 ms; and if
its leader knows how far the log is committed. One that was just elected may not, and says so to ListOffsets only
(KIP-207), which is therefore asked before.

Transaction markers take offsets and are no records, so "read to the end" compares positions, not the last offset seen.

Topics are named here as Kafka has them: `Settings.topic` gives those names. Metadata is only ever asked for all topics:
naming one that is missing makes many brokers create it, with the wrong number of partitions.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest, OffsetResetStrategy
from aiokafka.protocol.transaction import InitProducerIdRequest

from schemas.topics import ALL, KEYS, TRIGGERS
from streams.settings import Settings

Place = tuple[str, int]
"""Topic and partition; aiokafka's TopicPartition is one."""

FETCH_WAIT_MS: Final = 10
PATIENCE: Final = 10.0
"""Seconds to wait for a leader, a topic or a coordinator that is not there yet."""
TRIGGERS_KEPT_MS: Final = 400 * 86_400_000
"""As long as a playbook may ever ask to remember what was sent: it is read back after a loss."""
SHREDDED_MS: Final = 86_400_000
"""How long a shredded key may still lie in its log, until the broker compacts it."""
EXISTS: Final = 36
"""TopicAlreadyExists: somebody else was faster."""
UNREADY: Final = (14, 15, 16)
"""Coordinator loading, not available, not here: a fresh broker says so, then answers."""


class Unavailable(ConnectionError):
    """Kafka did not give the answer in time."""


class WrongTopics(Exception):
    """Topics are there with another number of partitions: every customer would live elsewhere."""


class Logged(Protocol):
    """A record read from a log."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Milliseconds since the epoch."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def connect(settings: Settings) -> dict[str, Any]:
    """What any aiokafka client needs to reach Kafka."""
    return {"bootstrap_servers": settings.kafka, "client_id": settings.app}


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[AIOKafkaClient]:
    """A bare client, closed at the end. Raises Unavailable."""
    client = AIOKafkaClient(**connect(settings))
    try:
        try:
            await client.bootstrap()
        except KafkaError as exc:
            raise Unavailable(f"kafka: wanted a broker at {settings.kafka}; got {exc}") from exc
        await client.force_metadata_update()
        yield client
    finally:
        await client.close()


def places(topics: Iterable[str], partitions: int) -> list[Place]:
    """All partitions of these topics."""
    return [(topic, partition) for topic in topics for partition in range(partitions)]


# -- where logs begin and end


async def bounds(
    client: AIOKafkaClient, wanted: Iterable[Place], *, committed: bool = False, patience: float = PATIENCE
) -> dict[Place, tuple[int, int]]:
    """First offset and end of each partition, as of after this call began.

    `committed`: the end is the last stable offset, what read_committed may reach. Raises Unavailable.
    """
    missing, found = {(topic, partition) for topic, partition in wanted}, dict[Place, tuple[int, int]]()
    give_up = time.monotonic() + patience
    while True:
        led = _by_leader(client, missing)
        for answer in await asyncio.gather(*(_bounds(client, n, p, committed) for n, p in led.items())):
            found.update(answer)
        missing -= found.keys()
        if not missing:
            return found
        if time.monotonic() > give_up:
            topics = ", ".join(sorted({topic for topic, _ in missing}))
            raise Unavailable(f"kafka: wanted the ends of {topics}; got no leader's answer in {patience:g} s")
        await client.force_metadata_update()
        await asyncio.sleep(0.1)


async def ends(
    client: AIOKafkaClient, wanted: Iterable[Place], *, committed: bool = False, patience: float = PATIENCE
) -> dict[Place, int]:
    """The end of each partition: the offset its next record will have, or a later one."""
    both = await bounds(client, wanted, committed=committed, patience=patience)
    return {place: end for place, (_, end) in both.items()}


def _by_leader(client: AIOKafkaClient, wanted: Iterable[Place]) -> dict[int, list[Place]]:
    led = defaultdict(list)
    for place in wanted:
        leader = client.cluster.leader_for_partition(TopicPartition(*place))
        if leader is not None and leader != -1:
            led[leader].append(place)
    return led


async def _bounds(
    client: AIOKafkaClient, node: int, wanted: Iterable[Place], committed: bool
) -> dict[Place, tuple[int, int]]:
    """What one broker says. Empty when it does not answer: the caller asks again."""
    try:
        first, known = await asyncio.gather(
            _listed(client, node, wanted, OffsetResetStrategy.EARLIEST),
            _listed(client, node, wanted, OffsetResetStrategy.LATEST),
        )
        asked = _by_topic((place, (place[1], offset, 1)) for place, offset in first.items() if place in known)
        reply = await client.send(node, FetchRequest(FETCH_WAIT_MS, 0, 1, int(committed), asked))
    except (KafkaError, OSError):
        return {}
    found = {}
    for topic, partitions in reply.topics or ():
        for partition, code, high, *more in partitions:
            if code == 0:
                found[topic, partition] = first[topic, partition], more[0] if committed else high
    return found


async def _listed(client: AIOKafkaClient, node: int, wanted: Iterable[Place], which: int) -> dict[Place, int]:
    asked = _by_topic((place, (place[1], which)) for place in wanted)
    reply = await client.send(node, OffsetRequest(-1, 0, asked))
    return {
        (topic, partition): more[-1]
        for topic, partitions in reply.topics
        for partition, code, *more in partitions
        if code == 0
    }


def _by_topic(items: Iterable[tuple[Place, Any]]) -> list[tuple[str, list[Any]]]:
    topics = defaultdict(list)
    for (topic, _), item in items:
        topics[topic].append(item)
    return list(topics.items())


# -- what is in them


async def read_log(
    settings: Settings,
    topics: Sequence[str],
    *,
    partitions: Sequence[int] | None = None,
    since: Mapping[Place, int] | None = None,
    follow: bool = False,
    committed: bool = True,
) -> AsyncGenerator[list[Logged], None]:
    """Batches of records of all partitions, or of those named; within one partition in order.

    From the beginning, or from `since` where it names a place. Until the ends as of this call, or for ever (`follow`);
    a following read also gives empty batches, about each 50 ms when nothing comes, so its caller may look at the clock.
    Who leaves early closes it (`contextlib.aclosing`). Raises Unavailable.
    """
    numbers = range(settings.partitions) if partitions is None else partitions
    async with connected(settings) as client:
        limits = await bounds(client, [(topic, one) for topic in topics for one in numbers], committed=committed)
    starts = {place: max(first, (since or {}).get(place, first)) for place, (first, _) in limits.items()}
    behind = {place for place, (_, end) in limits.items() if follow or starts[place] < end}
    if not behind:
        return
    async with _reading(settings, {place: starts[place] for place in behind}, committed) as consumer:
        while behind:
            fetched = await consumer.getmany(timeout_ms=50)
            records = [record for batch in fetched.values() for record in batch]
            if follow:
                yield records
                continue
            yield [r for r in records if r.offset < limits[r.topic, r.partition][1]]
            for place in [p for p in behind if await consumer.position(TopicPartition(*p)) >= limits[p][1]]:
                behind.discard(place)
                consumer.pause(TopicPartition(*place))


@asynccontextmanager
async def _reading(settings: Settings, starts: Mapping[Place, int], committed: bool) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of these places, without a group."""
    consumer = AIOKafkaConsumer(
        **connect(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed" if committed else "read_uncommitted",
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    await asyncio.sleep(0)  # its tasks must have begun before `stop`: one that never did makes it raise
    try:
        consumer.assign([TopicPartition(*place) for place in starts])
        for place, offset in starts.items():
            consumer.seek(TopicPartition(*place), offset)
        yield consumer
    finally:
        await consumer.stop()


# -- topics and what the broker can do


async def create_topics(settings: Settings) -> list[str]:
    """Make the topics that are missing; answers their names.

    Raises WrongTopics when one is there with another number of partitions, Unavailable when Kafka does not make them.
    """
    admin = AIOKafkaAdminClient(**connect(settings))
    try:
        await admin.start()
        missing = _missing(await admin.describe_topics(), settings)
        reply = await admin.create_topics([_topic(name, settings) for name in missing]) if missing else None
    except KafkaError as exc:
        raise Unavailable(f"kafka: wanted topics at {settings.kafka}; got {exc}") from exc
    finally:
        await admin.close()
    faults = [(error[0], error[1]) for error in (reply.topic_errors if reply else ()) if error[1] not in (0, EXISTS)]
    if faults:
        told = "; ".join(f"{name}: {for_code(code).__name__}" for name, code in faults)
        raise Unavailable(f"kafka: wanted topics {missing}; got {told}")
    return missing


def _missing(described: Iterable[Mapping[str, Any]], settings: Settings) -> list[str]:
    have, partitions = {topic["topic"]: len(topic["partitions"]) for topic in described}, settings.partitions
    names = [settings.topic(name) for name in (*ALL, *([KEYS] if settings.encrypt else []))]
    wrong = [
        f"{name}: wanted {partitions}, got {have[name]}" for name in names if have.get(name, partitions) != partitions
    ]
    if wrong:
        raise WrongTopics("kafka: partitions of topics differ from KAIROS_PARTITIONS\n  " + "\n  ".join(wrong))
    return [name for name in names if name not in have]


def _topic(name: str, settings: Settings) -> NewTopic:
    """Times are the log's own: a checker can tell `fired too early` from `the cancel came too late`.

    Replicas are the broker's default.
    """
    configs = {"message.timestamp.type": "LogAppendTime"}
    if name == settings.topic(TRIGGERS):
        configs["retention.ms"] = str(TRIGGERS_KEPT_MS)
    if name == settings.topic(KEYS):
        configs |= {"cleanup.policy": "compact", "max.compaction.lag.ms": str(SHREDDED_MS)}
    return NewTopic(name, settings.partitions, -1, replica_assignments={}, topic_configs=configs)


async def probe_transactions(client: AIOKafkaClient, *, patience: float = PATIENCE) -> bool:
    """Whether this broker gives producer ids, without which there is no fencing. Costs it one producer id."""
    return await producer_id(client, patience=patience) is not None


async def producer_id(client: AIOKafkaClient, *, patience: float = PATIENCE) -> tuple[int, int] | None:
    """A new producer id and its epoch, by which Kafka knows a batch that it is sent again; None: it gives none."""
    give_up = time.monotonic() + patience
    while True:
        try:
            reply = await client.send(client.get_random_node(), InitProducerIdRequest(None, 60_000))
        except IncompatibleBrokerVersion:
            return None
        if reply.error_code not in UNREADY or time.monotonic() > give_up:
            return (reply.producer_id, reply.producer_epoch) if reply.error_code == 0 else None
        await asyncio.sleep(0.1)
