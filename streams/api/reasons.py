"""Why triggers left: their records know. Each is looked for from where `triggers` was when it was decided."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.customer import Sent
from schemas.topics import TRIGGERS, partition_of
from schemas.trigger import Trigger, Why, decode_trigger
from streams import kafka
from streams.settings import Settings

WINDOW: Final = 500
"""Records read for one trigger: it left soon after it was decided, unless Kafka was away."""
SLACK: Final = 1.0
"""Seconds by which the broker's clock may be behind, beside the bound the settings give."""
PATIENCE: Final = 2.0
"""Seconds for all of one question."""


class Reasons:
    """One consumer, one question at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._consumer: AIOKafkaConsumer | None = None

    async def of(self, ids: Sequence[str], sent: Sequence[Sent]) -> dict[str, Why]:
        """Trigger id -> why, as far as Kafka still has its record. `ids`: the person's keys, its own first: a trigger
        lies with the id that decided it. Raises kafka.Unavailable."""
        missing, found = {one.id: one.decided for one in sent}, dict[str, Why]()
        if not missing:
            return found
        try:
            async with self._lock, asyncio.timeout(PATIENCE):
                for partition in dict.fromkeys(partition_of(id.encode(), self._settings.partitions) for id in ids):
                    found |= await self._search(partition, missing)
                    missing = {id: decided for id, decided in missing.items() if id not in found}
        except (KafkaError, TimeoutError) as exc:
            await self.close()
            raise kafka.Unavailable(f"kafka: wanted {len(sent)} triggers read again; got {exc!r}") from exc
        return found

    async def _search(self, partition: int, wanted: Mapping[str, float]) -> dict[str, Why]:
        consumer, place = await self._started(), TopicPartition(self._settings.topic(TRIGGERS), partition)
        found: dict[str, Why] = {}
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        at = 0
        for start in await self._starts(consumer, place, wanted.values()):
            at = max(at, start)
            consumer.seek(place, at)
            while at < min(start + WINDOW, end) and len(found) < len(wanted):
                batches = await consumer.getmany(place, timeout_ms=100)
                triggers = [read(record.value) for record in batches.get(place, ())]
                found |= {one.id: one.why for one in triggers if one and one.why and one.id in wanted}
                at = await consumer.position(place)
        return found

    async def _starts(self, consumer: AIOKafkaConsumer, place: TopicPartition, decided: Iterable[float]) -> list[int]:
        """Where to begin to read, in order."""
        slack = self._settings.clock_bound + SLACK
        places = [await consumer.offsets_for_times({place: int((time - slack) * 1000)}) for time in sorted(decided)]
        return sorted({known.offset for each in places if (known := each.get(place))})

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **kafka.connect(self._settings),
                enable_auto_commit=False,
                isolation_level="read_committed",
                fetch_max_wait_ms=50,
            )
            await consumer.start()
            self._consumer = consumer
        return self._consumer

    async def close(self) -> None:
        """The next question connects anew."""
        consumer, self._consumer = self._consumer, None
        if consumer:
            with suppress(KafkaError):
                await consumer.stop()


def read(value: bytes | None) -> Trigger | None:
    """A trigger; None: no one of ours wrote it."""
    try:
        return decode_trigger(value or b"")
    except msgspec.DecodeError:
        return None
