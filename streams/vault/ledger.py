"""Data keys in Kafka: the topic `keys`, where a key is before anything is sealed with it, and where it is shredded."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.topics import KEYS
from streams import kafka
from streams.settings import Settings


class Ledger(Protocol):
    """The words about keys, in order."""

    async def append(self, partition: int, words: Mapping[bytes, bytes]) -> None:
        """Name -> word. Answered when they are there to stay. Raises kafka.Unavailable: then nobody knows."""

    def read(self, partition: int) -> AsyncGenerator[list[tuple[bytes, bytes]], None]:
        """All there is as of now, oldest first: the last word of a name stands. Raises Unavailable, KafkaError."""

    async def close(self) -> None: ...


class KafkaLedger:
    """The topic. A producer is started with the first key."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def append(self, partition: int, words: Mapping[bytes, bytes]) -> None:
        topic, producer = self._settings.topic(KEYS), None
        try:
            async with asyncio.timeout(self._settings.ack_seconds):
                producer = await self._started()
                sent = [await producer.send(topic, word, key=name, partition=partition) for name, word in words.items()]
                await asyncio.gather(*sent)
        except (KafkaError, TimeoutError) as exc:
            await self._give_up(producer)
            raise kafka.Unavailable(f"kafka: wanted {len(words)} data keys taken; got {exc!r}") from exc

    async def read(self, partition: int) -> AsyncGenerator[list[tuple[bytes, bytes]], None]:
        batches = kafka.read_log(self._settings, [self._settings.topic(KEYS)], partitions=[partition])
        async with aclosing(batches):
            async for batch in batches:
                yield [(record.key, record.value) for record in batch if record.key and record.value]

    async def close(self) -> None:
        await self._give_up(self._producer)

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(**kafka.connect(self._settings), acks="all")
                try:
                    await producer.start()
                except BaseException:
                    await _stop(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _give_up(self, producer: AIOKafkaProducer | None) -> None:
        """After an unknown outcome the next one begins anew."""
        if producer is not None and producer is self._producer:
            self._producer = None
            await _stop(producer)


async def _stop(producer: AIOKafkaProducer) -> None:
    """Politeness only: it flushes, and may hang with the broker away."""
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(3):
            await producer.stop()
            return
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(3):
            await producer.client.close()
