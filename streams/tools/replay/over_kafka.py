"""Straight to the topics, as the collector would write them: the same key, the same partition, acks=all."""

import asyncio
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec import ValidationError

from schemas.event import CART_NAMES, POS_NAMES, decode_event, encode_event
from schemas.topics import CART, CLICKSTREAM, EVENTS, POS, partition_of
from streams import kafka
from streams.settings import Settings
from streams.tools.replay.rows import Bad, Call, Row
from streams.tools.replay.sender import Stopped, Tally

ROOM = 5_000
"""Events written and not yet acknowledged."""


def topic_of(name: str) -> str:
    """The topic of an event, by its name."""
    return CART if name in CART_NAMES else POS if name in POS_NAMES else CLICKSTREAM


class OverKafka:
    """A sender; see the protocol. Segment calls are not for it: reading them is the collector's work."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer, tally: Tally) -> None:
        self._settings, self._producer, self._tally = settings, producer, tally
        self._pending, self._most = 0, 0
        self._fewer = asyncio.Event()
        self._failed: KafkaError | None = None

    @classmethod
    async def open(cls, settings: Settings, tally: Tally) -> "OverKafka":
        """Connect; a broker that gives producer ids then drops what a retry repeats. Raises kafka.Unavailable."""
        async with kafka.connected(settings) as client:
            await kafka.bounds(client, kafka.places(map(settings.topic, EVENTS), settings.partitions))
            idempotent = await kafka.probe_transactions(client)
        producer = AIOKafkaProducer(
            **kafka.connect(settings), acks="all", enable_idempotence=idempotent, linger_ms=5, max_batch_size=131_072
        )
        await producer.start()
        return cls(settings, producer, tally)

    async def put(self, item: Row | Call) -> None:
        if not isinstance(item, Row):
            raise TypeError("kafka: wanted an event, got a Segment call")
        key, body = item.customer.encode(), encode_event(item.event)
        fault = _fault(key, body)
        if fault:
            return self._tally.reject(Bad(item.line, fault))
        await self._until(ROOM)
        topic, partition = topic_of(item.event.name), partition_of(key, self._settings.partitions)
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


def _fault(key: bytes, body: bytes) -> str:
    """Why the engine would not take it; empty when it would. The engine reads it the same way."""
    if not 0 < len(key) <= 128:
        return f"wanted a customer of 1 to 128 bytes, got {len(key)}"
    try:
        decode_event(body)
    except ValidationError as exc:
        return str(exc)
    return ""
