"""Straight to the topics, as the collector would write them: the same key, the same partition, acks=all."""

import asyncio
import time
from functools import partial
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec import ValidationError

from schemas import wire
from schemas.event import decode_event, encode_event
from schemas.topics import CLICKSTREAM, EVENTS, FEEDBACK, partition_of
from schemas.wire.names import ROUTES
from schemas.wire.values import identifier
from streams import kafka
from streams.settings import Settings
from streams.tools.replay.rows import Bad, Call, Row
from streams.tools.replay.sender import Stopped, Tally

ROOM = 5_000
"""Events written and not yet acknowledged."""


class OverKafka:
    """A sender; see the protocol."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer, tally: Tally) -> None:
        self._settings, self._producer, self._tally = settings, producer, tally
        self._pending, self._most = 0, 0
        self._fewer = asyncio.Event()
        self._failed: KafkaError | None = None

    @classmethod
    async def open(cls, settings: Settings, tally: Tally) -> "OverKafka":
        """Connect; a broker that gives producer ids then drops what a retry repeats. Raises kafka.Unavailable."""
        async with kafka.connected(settings) as client:
            await kafka.bounds(client, kafka.places(map(settings.topic, (*EVENTS, FEEDBACK)), settings.partitions))
            idempotent = await kafka.probe_transactions(client)
        producer = AIOKafkaProducer(
            **kafka.connect(settings), acks="all", enable_idempotence=idempotent, linger_ms=5, max_batch_size=131_072
        )
        await producer.start()
        return cls(settings, producer, tally)

    async def put(self, item: Row | Call) -> None:
        try:
            topic, key, body = _record(item) if isinstance(item, Row) else self._convert(item)
        except (ValidationError, wire.Fault) as exc:
            return self._tally.reject(Bad(item.line, str(exc)))
        await self._until(ROOM)
        partition = partition_of(key, self._settings.partitions)
        try:
            future = await self._producer.send(self._settings.topic(topic), body, key, partition)
        except KafkaError as exc:  # too large for the broker, or for the producer
            return self._tally.reject(Bad(item.line, f"kafka: {exc}"))
        self._pending += 1
        future.add_done_callback(partial(self._answered, item.line))

    async def finish(self, patience: float | None = None) -> None:
        try:
            await asyncio.wait_for(self._until(0), patience)
        except TimeoutError:
            return

    async def close(self) -> None:
        try:
            await asyncio.wait_for(self._producer.stop(), 3.0)
        except (TimeoutError, KafkaError):
            await self._producer.client.close()

    def _convert(self, item: Call) -> wire.Record:
        """A Segment call, read as the collector would. Raises wire.Fault."""
        sender = wire.Sender(time.time(), "replay", True, lambda: str(uuid4()), historical=True)
        calls = wire.read_batch(b'{"batch":[%b]}' % item.body, self._settings.event_bytes, 1)
        records, bad = wire.convert(calls, sender)
        if bad:
            raise bad[0].fault
        return records[0]

    async def _until(self, most: int) -> None:
        """Wait until no more than `most` are unanswered."""
        while self._pending > most:
            self._most = most
            self._fewer.clear()
            await self._fewer.wait()
        if self._failed:
            raise Stopped(f"kafka: wanted every event acknowledged; got {self._failed!r}")

    def _answered(self, line: int, future: Any) -> None:
        self._pending -= 1
        if self._pending <= self._most:
            self._fewer.set()
        if future.cancelled():
            return
        if isinstance(future.exception(), KafkaError):
            self._failed = future.exception()
            return self._tally.reject(Bad(line, f"kafka: {future.exception()!r}"))
        self._tally.accepted += 1


def _record(row: Row) -> wire.Record:
    """Topic, key and value; read back as the engine would. Raises wire.Fault, ValidationError."""
    key, body = identifier(row.customer, "customer").encode(), encode_event(row.event)
    if not key:
        raise wire.Fault("customer", "wanted an id, got none")
    decode_event(body)
    return ROUTES.get(row.event.name, CLICKSTREAM), key, body
