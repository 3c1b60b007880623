"""Events into the topics: as a backlog, or live at a rate."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer

from schemas.event import encode_event
from schemas.topics import CLICKSTREAM, partition_of
from schemas.wire.names import ROUTES
from streams.kafka import connect
from streams.settings import Settings
from streams.vault.cipher import Pen
from tests.bench.shop import Visit

BATCH_BYTES = 65_536
"""A log batch of a backlog: about 150 events, as a busy collector makes them."""
UNANSWERED = 100
"""Batches under way."""
TICK = 0.005
"""Seconds between two sends: at 2,000 events/s ten at once, as one post of an SDK brings them."""


Written = tuple[str, bytes, bytes, list[tuple[str, bytes]]]
"""Topic, key, value and headers of a record."""


async def fill(settings: Settings, visits: Iterable[Visit], pens: Mapping[bytes, Pen] | None = None) -> None:
    """Write a backlog, as fast as it goes. Event times must be set. `pens`: what seals it, by customer."""
    await pour(settings, written(visits, pens or {}))


def written(visits: Iterable[Visit], pens: Mapping[bytes, Pen]) -> Iterator[Written]:
    for key, event in visits:
        topic, value, headers = ROUTES.get(event.name, CLICKSTREAM), encode_event(event), list[tuple[str, bytes]]()
        if pen := pens.get(key):
            value, headers = pen.seal(topic, value), pen.headers
        yield topic, key, value, headers


async def pour(settings: Settings, records: Iterable[Written]) -> None:
    """Write records, as fast as it goes."""
    producer = AIOKafkaProducer(**connect(settings), acks=1, max_batch_size=BATCH_BYTES)
    await producer.start()
    sending: list[asyncio.Future[Any]] = []
    try:
        for topic, partition, batch in batches(settings, records, producer):
            sending.append(await producer.send_batch(batch, settings.topic(topic), partition=partition))
            if len(sending) > UNANSWERED:
                await asyncio.gather(*sending)
                sending.clear()
        await asyncio.gather(*sending)
    finally:
        await producer.stop()


def batches(
    settings: Settings, records: Iterable[Written], producer: AIOKafkaProducer
) -> Iterator[tuple[str, int, Any]]:
    """(topic, partition, log batch), each when it is full, and what is left at the end."""
    open: dict[tuple[str, int], Any] = {}
    for topic, key, value, headers in records:
        place = (topic, partition_of(key, settings.partitions))
        batch = open.get(place)
        if batch is not None and batch.append(timestamp=None, key=key, value=value, headers=headers) is not None:
            continue
        if batch is not None:
            yield *place, batch
        open[place] = batch = producer.create_batch()
        batch.append(timestamp=None, key=key, value=value, headers=headers)
    for place, batch in open.items():
        yield *place, batch


class Live:
    """Events that happen now, at a rate; each says when it was received. `topic`: where all go; empty: where they
    belong."""

    def __init__(self, settings: Settings, visits: Iterable[Visit], rate: float, topic: str = "") -> None:
        self._settings, self._visits, self._rate, self._topic = settings, iter(visits), rate, topic
        self._producer = AIOKafkaProducer(**connect(settings), acks="all")
        self._since = 0.0
        self.sent = 0

    async def __aenter__(self) -> "Live":
        await self._producer.start()
        self._since = time.time()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def run(self, seconds: float) -> float:
        """Send for so long, and whatever was due before. Answers the time at its end."""
        end = self._since + self.sent / self._rate + seconds
        while True:
            now = time.time()
            while self._since + self.sent / self._rate <= now:
                await self._send(next(self._visits))
            if now >= end:
                return now
            await asyncio.sleep(TICK)

    async def _send(self, visit: Visit) -> None:
        key, event = visit
        event.time = event.received = time.time()
        name = self._settings.topic(self._topic or ROUTES.get(event.name, CLICKSTREAM))
        await self._producer.send(name, encode_event(event), key, partition_of(key, self._settings.partitions))
        self.sent += 1
