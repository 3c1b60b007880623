"""Kafka out: what is committed leaves, in the order decided, by the producer of this term.

How it works. Fencing is starting a producer with the partition's `transactional.id`: once InitProducerId is answered,
no earlier producer of this partition can make anything visible. Each batch is one transaction. Its ids are trimmed
from the outbox after it committed; an unknown outcome ends the term, and the next one's drain tells what became of it.
An id is handed over once in a term, by judging or by the commit that decided it: all that a term hands over is in its
state's sent memory, and what is in there is not proposed again.

A trim only makes room. It changes the slot under no token, so the store may lose it and nobody is refused. What must be
gone is taken out by a commit: a trigger by the one that reads it back, all else by the next one (`letters`).

A broker without transactions gets `PlainOutlet`: no fence, at least once, ids tell repeats apart.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.producer import sender

from schemas.topics import DEAD_LETTERS, KEYS, TRIGGERS, partition_of
from schemas.turn import Message
from streams.engine.sealing import Pens, pens_of, seal, secret
from streams.kafka import connect
from streams.settings import Settings
from streams.state.store import Slot

if TYPE_CHECKING:
    from streams.vault.vault import Vault

BATCH_BYTES = 1 << 19
TRANSACTION_MS = 10_000
"""After so long without a word Kafka aborts a transaction, and readers go on."""
MARKER_WAIT = 0.001
"""Seconds aiokafka waits when a transaction meets the markers of the one before; its own 20 ms set the latency's
tail."""

APART = 0.1
"""Seconds between two transactions without a trigger: parts come with most events, and a transaction costs as much as
ten of them. What comes after a rest leaves at once."""
MANY = 200
"""Messages worth a transaction of their own, whatever they are."""

Leaving = tuple[str, Message]
"""(id, message)."""


class Outlet(Protocol):
    """One way out of one partition, for one term."""

    async def fence(self) -> None:
        """From here on nobody earlier makes anything visible."""

    async def send(self, leaving: deque[Leaving]) -> list[Leaving]:
        """Take a batch off the left, answer it when Kafka has acknowledged all of it. Raises KafkaError: unknown."""

    async def close(self) -> None: ...


Place = tuple[str, int]
"""Name of a topic in Kafka, partition."""


def fill(
    producer: AIOKafkaProducer, leaving: deque[Leaving], settings: Settings, partition: int, pens: Pens = None
) -> tuple[list[Leaving], dict[Place, Any]]:
    """As much as fits into one log batch a place. Answers what was taken, and the batches. `partition`: whose outbox it
    is. `pens`: where things leave sealed, by whom: who has none waits for the next batch."""
    taken: list[Leaving] = []
    batches: dict[Place, Any] = {}
    while leaving:
        id, message = leaving[0]
        if message.topic == KEYS:
            break
        value, headers = message.value, message.headers
        if pens is not None and secret(message):
            if message.key not in pens:
                break
            value, headers = seal(message, pens[message.key])
        place = settings.topic(message.topic), goes_to(message, settings.partitions, partition)
        if place not in batches:
            batches[place] = producer.create_batch()
        appended = batches[place].append(timestamp=None, key=message.key, value=value, headers=headers)
        if appended is None:
            break
        taken.append((id, message))
        leaving.popleft()
    return taken, {place: batch for place, batch in batches.items() if batch.record_count()}


def goes_to(message: Message, partitions: int, partition: int) -> int:
    """Triggers and dead letters lie where they were decided; what is for another id lies where that id lives."""
    if message.key is None or message.topic in (TRIGGERS, DEAD_LETTERS):
        return partition
    return partition_of(message.key, partitions)


class TransactionalOutlet:
    """A producer with a `transactional.id`: fenced, one transaction a batch."""

    def __init__(self, settings: Settings, partition: int, vault: "Vault | None" = None) -> None:
        sender.BACKOFF_OVERRIDE = (
            MARKER_WAIT  # a module's constant, read at each call: no producer has a setting for it
        )
        self._settings, self._partition, self._vault = settings, partition, vault
        self._producer = AIOKafkaProducer(
            **connect(settings),
            acks="all",
            transactional_id=f"{settings.app}-out-{partition}",
            transaction_timeout_ms=TRANSACTION_MS,
            retry_backoff_ms=20,
            max_batch_size=BATCH_BYTES,
        )

    async def fence(self) -> None:
        await self._producer.start()

    async def send(self, leaving: deque[Leaving]) -> list[Leaving]:
        pens = await pens_of(self._vault, leaving)
        taken, batches = fill(self._producer, leaving, self._settings, self._partition, pens)
        if not taken:  # what was first has been taken back meanwhile
            return taken
        await self._producer.begin_transaction()
        sent = [await self._producer.send_batch(b, topic, partition=p) for (topic, p), b in batches.items()]
        await asyncio.gather(*sent)
        await self._producer.commit_transaction()
        return taken

    async def close(self) -> None:
        """Politeness only, the next fence makes it unnecessary; `stop` flushes and may hang with the broker away."""
        with suppress(Exception):
            await asyncio.wait_for(self._producer.stop(), 3)
            return
        with suppress(Exception):
            await asyncio.wait_for(self._producer.client.close(), 3)


class PlainOutlet:
    """The worker's one producer without transactions, lent to a partition."""

    def __init__(
        self, settings: Settings, partition: int, producer: AIOKafkaProducer, vault: "Vault | None" = None
    ) -> None:
        self._settings, self._partition, self._producer, self._vault = settings, partition, producer, vault

    async def fence(self) -> None:
        """Nothing to fence with: repeats are possible, and told apart by their ids."""

    async def send(self, leaving: deque[Leaving]) -> list[Leaving]:
        pens = await pens_of(self._vault, leaving)
        taken, batches = fill(self._producer, leaving, self._settings, self._partition, pens)
        if not taken:  # what was first has been taken back meanwhile
            return taken
        sent = [await self._producer.send_batch(b, topic, partition=p) for (topic, p), b in batches.items()]
        await asyncio.gather(*sent)
        return taken

    async def close(self) -> None:
        """The producer is the worker's."""


class Relay:
    """Takes what a term has committed out of the house."""

    def __init__(
        self,
        slot: Slot,
        outlet: Outlet,
        seen: Callable[[Sequence[Leaving], float], None],
        shred: Callable[[Leaving], None] | None = None,
    ) -> None:
        """`shred`: takes wishes to shred keys, when all that was decided before them is in Kafka."""
        self._slot, self._outlet, self._seen, self._shred = slot, outlet, seen, shred
        self._queue: deque[Leaving] = deque()
        self._some = asyncio.Event()
        self._sent = float("-inf")
        """When something was sent last, by the loop's clock."""
        self.letters: list[str] = []
        """Dead letters, markers and parts Kafka has acknowledged, for the next commit to take out: nobody here reads
        them back."""

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, leaving: Iterable[Leaving]) -> None:
        """Send these too."""
        self._queue.extend(leaving)
        self._some.set()

    def waiting(self, customers: Collection[bytes]) -> list[Leaving]:
        """Triggers of these customers that are not on their way yet."""
        return [item for item in self._queue if item[1].topic == TRIGGERS and item[1].key in customers]

    def recall(self, ids: Collection[str]) -> None:
        """These must not leave."""
        kept = [item for item in self._queue if item[0] not in ids]
        self._queue.clear()
        self._queue.extend(kept)

    async def left(self, ids: Sequence[str]) -> None:
        """These have been carried out otherwise."""
        self.letters += ids
        self._seen([], 0.0)
        await self._slot.trim([id.encode() for id in ids])

    async def run(self) -> None:
        """Send for ever. Raises KafkaError or ConnectionError, which ends the term."""
        trimming: asyncio.Task[None] | None = None
        try:
            while True:
                await self._some.wait()
                if not self._queue:
                    self._some.clear()
                    continue
                if self._queue[0][1].topic == KEYS:
                    wish = self._queue.popleft()
                    if self._shred:  # else the wish waits in the outbox until somebody has keys again
                        self._shred(wish)
                    continue
                if (early := self._early()) > 0:
                    await self._more(early)
                    continue
                begun = time.perf_counter()
                taken = await self._outlet.send(self._queue)
                self.letters += [id for id, message in taken if message.topic != TRIGGERS]
                self._seen(taken, time.perf_counter() - begun)
                if trimming:
                    await trimming
                ids = [id.encode() for id, _ in taken]
                trimming = asyncio.create_task(self._slot.trim(ids))
                self._sent = asyncio.get_running_loop().time()
        finally:
            if trimming:
                trimming.cancel()

    def _early(self) -> float:
        """Seconds that what waits may wait for more."""
        if len(self._queue) >= MANY or any(message.topic == TRIGGERS for _, message in self._queue):
            return 0.0
        return self._sent + APART - asyncio.get_running_loop().time()

    async def _more(self, seconds: float) -> None:
        """Until more has come, at most for so long."""
        self._some.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._some.wait()
        self._some.set()
