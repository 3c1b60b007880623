"""Records into batches, one for each place, as they come: Kafka's record batches of version 2, not compressed.

`Packing` is the twin of a compiled one (`_core.pyx`), which serves where there was a compiler (`compiled`).
"""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any, Final
from zlib import crc32

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from schemas.wire import Record
from streams.kafka import Place

BATCH_BYTES: Final = 900_000
"""A batch's size, below what brokers take by default (1 MB)."""

Headers = list[tuple[str, bytes]]
_NO_HEADERS: Final[Headers] = []


class Batch:
    """Records for one place. `count`: how many."""

    __slots__ = ("append", "builder", "count", "place")

    def __init__(self, place: Place) -> None:
        self.place, self.count = place, 0
        self.builder: Any = DefaultRecordBatchBuilder(
            2,
            compression_type=0,
            is_transactional=0,
            producer_id=-1,
            producer_epoch=-1,
            base_sequence=-1,
            batch_size=BATCH_BYTES,
        )
        self.append = self.builder.append

    def build(self, producer: int, epoch: int, sequence: int) -> bytes:
        """Its bytes; -1 for each where the producer has no id."""
        self.builder.set_producer_state(producer, epoch, sequence)
        return bytes(self.builder.build())


class Packing:
    """What fills. `names`: the topics' names in Kafka, by ours. `stamp`: milliseconds since the epoch."""

    def __init__(self, names: dict[str, str], partitions: int, stamp: int) -> None:
        self._names, self._partitions, self._stamp = names, partitions, stamp
        self._open: dict[str, list[Batch | None]] = {topic: [None] * partitions for topic in names}
        self._batches: dict[Place, list[Batch]] = {}

    def all(self, records: Iterable[Record]) -> set[Batch]:
        """Pack these. Answers the batches they are in."""
        pack = self.one
        return {pack(topic, key, key, value, _NO_HEADERS) for topic, key, value in records}

    def one(self, topic: str, place: bytes, key: bytes | None, value: bytes, headers: Headers) -> Batch:
        """Into the batch of its partition, which `place` decides. The first record of a batch always fits."""
        number = crc32(place) % self._partitions
        batch = self._open[topic][number]
        if batch is None or batch.append(batch.count, self._stamp, key, value, headers) is None:
            batch = self._open[topic][number] = Batch((self._names[topic], number))
            self._batches.setdefault(batch.place, []).append(batch)
            batch.append(0, self._stamp, key, value, headers)
        batch.count += 1
        return batch

    def waves(self) -> Iterator[list[Batch]]:
        """The batches; a request may hold one of each place, so what has more goes in several."""
        for wave in zip_longest(*self._batches.values()):
            yield [batch for batch in wave if batch is not None]
