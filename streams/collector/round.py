"""A round: batches that go to Kafka together, and who waits for them."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from schemas.topics import DEAD_LETTERS
from schemas.wire import Record
from streams.kafka import Place

if TYPE_CHECKING:
    from streams.vault.cipher import Pen

BATCH_BYTES: Final = 900_000
"""A batch's size, below what brokers take by default (1 MB)."""

Headers = list[tuple[str, bytes]]
Letter = tuple[bytes | None, bytes, Headers]
"""A dead letter: key, value, headers."""
_NO_HEADERS: Final[Headers] = []


class NotTaken(Exception):
    """Kafka has not acknowledged: away, slow, or without the topics. The text says which."""


class Batch:
    """Records for one place, packed as they come. `count`: how many."""

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


class Round:
    """What fills while another round is on its way. Names are the topics' names in Kafka, by ours."""

    __slots__ = ("_batches", "_names", "_open", "_partitions", "_stamp", "began", "records", "timer", "waiters")

    def __init__(self, names: dict[str, str], partitions: int) -> None:
        self.began = time.monotonic()
        self.records = 0
        self.waiters: list[tuple[asyncio.Future[None], set[Batch]]] = []
        self.timer: asyncio.TimerHandle | None = None
        self._names, self._partitions, self._stamp = names, partitions, int(time.time() * 1000)
        self._open: dict[str, list[Batch | None]] = {topic: [None] * partitions for topic in names}
        self._batches: dict[Place, list[Batch]] = {}

    def add(
        self,
        records: Sequence[Record],
        letters: Sequence[Letter],
        pens: "Mapping[bytes, Pen] | None",
        waiter: asyncio.Future[None],
    ) -> None:
        """Pack them, sealed by the customer's pen where there are pens; `waiter` is told when Kafka has them."""
        touched, pack = set(), self._pack
        for topic, key, value in records:
            if pens is None:
                touched.add(pack(topic, key, key, value, _NO_HEADERS))
            else:
                pen = pens[key]
                touched.add(pack(topic, key, key, pen.seal(topic, value), pen.headers))
        for letter, value, headers in letters:
            place = letter or value
            if letter and pens and letter in pens:
                value, headers = pens[letter].seal(DEAD_LETTERS, value), [*headers, *pens[letter].headers]
            touched.add(pack(DEAD_LETTERS, place, letter, value, headers))
        self.records += len(records) + len(letters)
        self.waiters.append((waiter, touched))

    def _pack(self, topic: str, place: bytes, key: bytes | None, value: bytes, headers: Headers) -> Batch:
        """Into the batch of its partition, which `place` decides. The first record of a batch always fits."""
        number = crc32(place) % self._partitions
        batch = self._open[topic][number]
        if batch is None or batch.append(batch.count, self._stamp, key, value, headers) is None:
            batch = self._open[topic][number] = Batch((self._names[topic], number))
            self._batches.setdefault(batch.place, []).append(batch)
            batch.append(0, self._stamp, key, value, headers)
        batch.count += 1
        return batch

    def waves(self) -> Iterable[list[Batch]]:
        """Its batches; a request may hold one of each place, so what has more goes in several."""
        for wave in zip_longest(*self._batches.values()):
            yield [batch for batch in wave if batch is not None]

    def tell(self, fault: NotTaken | None, failed: set[Batch] | None = None) -> None:
        """Answer who waits: those who have a record in a failed batch that it failed, the others that it is done."""
        if self.timer:
            self.timer.cancel()
        for future, touched in self.waiters:
            if future.done():
                continue
            if fault is None or (failed is not None and failed.isdisjoint(touched)):
                future.set_result(None)
            else:
                future.set_exception(fault)
        self.waiters.clear()
