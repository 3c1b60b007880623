"""A line to Kafka: one connection's life, one producer id, one round at a time, each batch until it is acknowledged."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import DuplicateSequenceNumber, KafkaError, LeaderNotAvailableError, for_code

from streams.collector.packing import Batch
from streams.collector.request import Produce
from streams.collector.round import Round
from streams.kafka import Place, connect, producer_id
from streams.settings import Settings

BACKOFF_SECONDS: Final = 0.1
"""How long to wait before a batch is sent again."""
CLOSE_SECONDS: Final = 3.0
"""How long to wait for a lost connection to close; politeness only."""
ALL_REPLICAS: Final = -1
"""The `acks` of a request."""
SEQUENCES: Final = 2**31
UNKNOWN: Final = -1
"""The code of an error that has no other; a place the answer does not name has it too."""
TAKEN: Final = (0, DuplicateSequenceNumber.errno)
"""Codes of what Kafka has: just now, or from a request whose answer was lost."""

Packed = dict[Place, bytes]
"""Batches, ready to be sent."""
Faults = dict[Place, KafkaError]


class Line:
    """Sends rounds in their order. After an error of `send` nobody knows what Kafka has: make a new one."""

    def __init__(self, client: AIOKafkaClient, producer: tuple[int, int] | None, timeout_ms: int) -> None:
        self.client, self.idempotent = client, producer is not None
        self._producer = producer or (-1, -1)
        self._timeout_ms = timeout_ms
        self._sequences: defaultdict[Place, int] = defaultdict(int)
        self._log = structlog.get_logger()

    async def send(self, round: Round) -> dict[Batch, KafkaError]:
        """All batches of a round to all replicas, each again until it is acknowledged; what never will be, and why."""
        failed: dict[Batch, KafkaError] = {}
        for wave in round.waves():
            packed = {batch.place: self._packed(batch) for batch in wave}
            batches = {batch.place: batch for batch in wave}
            while faults := await self._ask(packed):
                self._log.debug("kafka refused batches", faults={place: repr(fault) for place, fault in faults.items()})
                failed |= {batches[place]: fault for place, fault in faults.items() if not fault.retriable}
                packed = {place: packed[place] for place, fault in faults.items() if fault.retriable}
                if not packed:
                    break
                await asyncio.sleep(BACKOFF_SECONDS)
                await self.client.force_metadata_update()
        return failed

    def _packed(self, batch: Batch) -> bytes:
        """Its bytes. The sequence number lets Kafka know a batch that it is sent again."""
        if not self.idempotent:
            return batch.build(*self._producer, -1)
        first = self._sequences[batch.place]
        self._sequences[batch.place] = (first + batch.count) % SEQUENCES
        return batch.build(*self._producer, first)

    async def _ask(self, packed: Packed) -> Faults:
        """One request to each leader; what was not acknowledged, and why."""
        led: defaultdict[int | None, Packed] = defaultdict(dict)
        for place, batch in packed.items():
            led[self.client.cluster.leader_for_partition(TopicPartition(*place))][place] = batch
        if len(led) == 1:
            for leader, batches in led.items():
                return await self._request(leader, batches)
        faults: Faults = {}
        for some in await asyncio.gather(*(self._request(leader, batches) for leader, batches in led.items())):
            faults |= some
        return faults

    async def _request(self, leader: int | None, packed: Packed) -> Faults:
        if leader is None or leader == -1:
            return dict.fromkeys(packed, LeaderNotAvailableError())
        topics: defaultdict[str, list[tuple[int, bytes]]] = defaultdict(list)
        for (topic, partition), batch in packed.items():
            topics[topic].append((partition, batch))
        try:
            reply = await self.client.send(leader, Produce(None, ALL_REPLICAS, self._timeout_ms, list(topics.items())))
        except KafkaError as exc:
            return dict.fromkeys(packed, exc)
        codes = {(topic, partition): code for topic, some in reply.topics for partition, code, *_ in some}
        return {place: for_code(code)() for place in packed if (code := codes.get(place, UNKNOWN)) not in TAKEN}

    async def close(self) -> None:
        """Let go. aiokafka may wait for ever for a broker that is gone."""
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.client.close()


async def connect_line(settings: Settings) -> Line:
    """A line to the brokers there are. Raises KafkaError, OSError."""
    timeout_ms = max(1000, int(settings.ack_seconds * 1000))
    options: dict[str, Any] = {**connect(settings), "request_timeout_ms": timeout_ms}
    client = AIOKafkaClient(**options)
    try:
        await client.bootstrap()
        await client.force_metadata_update()
        return Line(client, await producer_id(client), timeout_ms)
    except BaseException:
        await client.close()
        raise
