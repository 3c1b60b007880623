"""Kafka as far as the protocol leans on it: logs, transactions, fences, the last stable offset.

Each call is applied at one instant. What happens to it on the way there and back is the business of `lines`.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from aiokafka.errors import InvalidTxnState, ProducerFenced

from schemas.topics import ALL, TRIGGERS
from schemas.turn import Message
from streams.engine.relay import goes_to

TRANSACTION_SECONDS = 10.0
"""After so long Kafka aborts an open transaction and fences its producer."""

Place = tuple[str, int]
"""Topic, partition."""


class Transaction:
    """What its records wait for."""

    __slots__ = ("committed", "places", "since")

    def __init__(self, since: float) -> None:
        self.committed: bool | None = None
        self.places: list[Place] = []
        self.since = since


@dataclass(slots=True)
class Row:
    """An entry of a log; a marker takes an offset and is no record."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Sequence[tuple[str, bytes]] = ()
    transaction: Transaction | None = None
    marker: bool = False

    @property
    def visible(self) -> bool:
        """To who reads committed records only."""
        return not self.marker and (self.transaction is None or self.transaction.committed is True)


class Log:
    """One partition of one topic."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.open: dict[Transaction, int] = {}
        """Open transactions with the offset of their first record."""

    @property
    def end(self) -> int:
        """The high watermark."""
        return len(self.rows)

    @property
    def stable(self) -> int:
        """The last stable offset: nothing before it is undecided."""
        return min(self.open.values(), default=len(self.rows))

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        now: float,
        transaction: Transaction | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        marker: bool = False,
    ) -> None:
        if transaction is not None and not marker:
            self.open.setdefault(transaction, len(self.rows))
        self.rows.append(Row(len(self.rows), key, value, int(now * 1000), headers, transaction, marker))

    def fetch(self, position: int, most: int) -> tuple[list[Row], int]:
        """Up to `most` committed records from `position`, and the position after them."""
        rows: list[Row] = []
        stop = self.stable
        while position < stop and len(rows) < most:
            if self.rows[position].visible:
                rows.append(self.rows[position])
            position += 1
        return rows, position

    def committed(self, first: int = 0, end: int | None = None) -> list[Row]:
        """Committed records of a range of offsets."""
        return [row for row in self.rows[first:end] if row.visible]


class Producer:
    """The coordinator's side of one `transactional.id`."""

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.epoch = -1
        self.open: Transaction | None = None

    def fence(self) -> int:
        """InitProducerId: what is open is aborted, whoever came before is shut out. Answers the new epoch."""
        self._end(False)
        self.epoch += 1
        return self.epoch

    def produce(self, epoch: int, partition: int, messages: Iterable[Message]) -> None:
        self._check(epoch)
        if self.open is None:
            self.open = Transaction(self.broker.now())
            asyncio.get_running_loop().call_later(TRANSACTION_SECONDS, self._expire, self.open)
        for message in messages:
            place = message.topic, goes_to(message, self.broker.partitions, partition)
            if place not in self.open.places:
                self.open.places.append(place)
            log = self.broker.logs[place]
            log.append(message.key, message.value, self.broker.now(), self.open, message.headers)

    def end(self, epoch: int, commit: bool) -> None:
        self._check(epoch)
        if self.open is None:
            raise InvalidTxnState
        self._end(commit)

    def _check(self, epoch: int) -> None:
        if epoch != self.epoch:
            self.broker.count("fenced produces")
            raise ProducerFenced

    def _end(self, commit: bool) -> None:
        if self.open is None:
            return
        done, self.open = self.open, None
        done.committed = commit
        self.broker.finish(done)
        if not commit:
            self.broker.count("aborted transactions")

    def _expire(self, transaction: Transaction) -> None:
        if self.open is transaction:
            self.fence()


class Broker:
    """All logs of all topics, and the producers' coordinator. `now`: its clock."""

    def __init__(self, partitions: int, now: Callable[[], float], count: Callable[[str], None]) -> None:
        self.partitions, self.now, self.count = partitions, now, count
        self.logs: dict[Place, Log] = {(topic, p): Log() for topic in ALL for p in range(partitions)}
        self.producers: dict[str, Producer] = {}
        self.group: dict[Place, int] = {}
        """Committed offsets of the group: for dashboards."""
        self.down = False

    def producer(self, name: str) -> Producer:
        """The producer of a `transactional.id`."""
        if name not in self.producers:
            self.producers[name] = Producer(self)
        return self.producers[name]

    def finish(self, transaction: Transaction) -> None:
        """Write the markers."""
        for place in transaction.places:
            log = self.logs[place]
            log.open.pop(transaction, None)
            log.append(None, None, self.now(), transaction, marker=True)

    def tail(self, place: Place) -> int:
        """What an answer to a fetch says of the log's end, as `streams.engine.fetch` reads it."""
        log = self.logs[place]
        return log.stable if place[0] == TRIGGERS else log.end
