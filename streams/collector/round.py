"""A round: batches that go to Kafka together, and who waits for them."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from schemas.topics import DEAD_LETTERS
from schemas.wire import Record
from streams.collector.compiled import Packing
from streams.collector.packing import Batch, Headers

if TYPE_CHECKING:
    from streams.vault.cipher import Pen

Letter = tuple[bytes | None, bytes, Headers]
"""A dead letter: key, value, headers."""


class NotTaken(Exception):
    """Kafka has not acknowledged: away, slow, or without the topics. The text says which."""


class Round:
    """What fills while another round is on its way. Names are the topics' names in Kafka, by ours."""

    __slots__ = ("_packing", "began", "records", "timer", "waiters")

    def __init__(self, names: dict[str, str], partitions: int) -> None:
        self.began = time.monotonic()
        self.records = 0
        self.waiters: list[tuple[asyncio.Future[None], set[Batch]]] = []
        self.timer: asyncio.TimerHandle | None = None
        self._packing = Packing(names, partitions, int(time.time() * 1000))

    def add(
        self,
        records: Sequence[Record],
        letters: Sequence[Letter],
        pens: "Mapping[bytes, Pen] | None",
        waiter: asyncio.Future[None],
    ) -> None:
        """Pack them, sealed by the customer's pen where there are pens; `waiter` is told when Kafka has them."""
        pack = self._packing.one
        if pens is None:
            touched = self._packing.all(records)
        else:
            sealed = ((topic, key, value, pens[key]) for topic, key, value in records)
            touched = {pack(topic, key, key, pen.seal(topic, value), pen.headers) for topic, key, value, pen in sealed}
        for letter, value, headers in letters:
            place = letter or value
            if letter and pens and letter in pens:
                value, headers = pens[letter].seal(DEAD_LETTERS, value), [*headers, *pens[letter].headers]
            touched.add(pack(DEAD_LETTERS, place, letter, value, headers))
        self.records += len(records) + len(letters)
        self.waiters.append((waiter, touched))

    def waves(self) -> Iterable[list[Batch]]:
        """Its batches; a request may hold one of each place, so what has more goes in several."""
        return self._packing.waves()

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
