"""The lines of one worker to the store and to Kafka: the real calls, with all that can happen to a call.

A call to the store repeats itself until it has an answer, as `RedisSlot` does; so what was taken for lost may arrive
beside its repetition. A call to Kafka ends with an answer or with KafkaError: an unknown outcome.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

from streams.engine.relay import Leaving
from streams.state.store import Commit, Committed, Missing, Opened, Refused, Store

if TYPE_CHECKING:
    from tests.faults.sim.kafka import Producer
    from tests.faults.sim.worker import Worker

T = TypeVar("T")
READING = ("held", "open", "load")
HELD_SECONDS = 6.0
"""How long a request is held back on its way, at most."""


class Line:
    """A worker's line to one slot, as a Slot."""

    def __init__(self, worker: "Worker", partition: int) -> None:
        self.worker, self.partition = worker, partition
        self.primary = worker.history.primaries[partition]

    async def acquire(self, token: bytes) -> None:
        while True:
            try:
                return cast(None, await self._ask("take", token, await self._ask("held")))
            except Refused:
                pass  # somebody came between

    async def open(self, token: bytes) -> Opened:
        return cast(Opened, await self._ask("open", token))

    async def load(self, tokens: tuple[bytes, bytes], customers: Sequence[bytes]) -> list[bytes | None]:
        return cast(list[bytes | None], await self._ask("load", tokens, customers))

    async def commit(self, commit: Commit) -> Committed:
        return cast(Committed, await self._ask("commit", commit))

    async def trim(self, ids: Sequence[bytes]) -> None:
        await self._ask("trim", ids)

    async def _ask(self, name: str, *args: Any) -> Any:
        worker, history = self.worker, self.worker.history
        while True:
            await worker.gate()
            chance, odds = history.chance, history.profile.odds
            if history.store_away:
                await history.store_back.wait()
            if name not in READING and chance.random() < odds.held_call * (4 if name == "take" else 1):
                longest = HELD_SECONDS / 2 if name == "take" else HELD_SECONDS
                history.later(chance.uniform(0.1, longest), self._arrive_late, name, *args)
                await asyncio.sleep(chance.uniform(0.05, 1.5))
                continue
            if name == "take":
                worker.takes[self.partition] = args
            if name == "load" and args[1] and (held := history.nemesis.hold_up(worker, self.partition)):
                await asyncio.sleep(held)
            await asyncio.sleep(history.way())
            try:
                answer: Any = self._apply(name, *args)
            except (Refused, Missing) as refused:
                answer = refused
            history.nemesis.passed(worker, self.partition, name)
            if chance.random() < odds.lost_reply or history.store_away:
                history.count("lost replies")
                await asyncio.sleep(chance.uniform(0.05, 1.0))
                continue
            await asyncio.sleep(history.way())
            await worker.gate()
            if isinstance(answer, Exception):
                if isinstance(answer, Refused):
                    history.count("refused tokens")
                raise answer
            return answer

    def _apply(self, name: str, *args: Any) -> Any:
        primary = self.primary
        on_old = self.partition in self.worker.on_old and primary.old is not None
        slot = primary.old if on_old and primary.old is not None else primary.slot
        return primary.call(slot, name, *args)

    def take_again(self) -> None:
        """A copy of the worker's last acquire arrives."""
        if self.partition in self.worker.takes:
            self._arrive_late("take", *self.worker.takes[self.partition])

    def _arrive_late(self, name: str, *args: Any) -> None:
        self.worker.history.count(f"late {name}s")
        with suppress(Refused, Missing):
            self._apply(name, *args)
            self.worker.history.count(f"late {name}s answered")


class Lines:
    """The store as a worker sees it."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker

    def slot(self, partition: int) -> Line:
        return Line(self._worker, partition)

    def store(self) -> Store:
        """The part of a store that the engine's partitions use."""
        return cast(Store, self)


async def ask_kafka(worker: "Worker", partition: int, what: str, apply: Callable[[], T]) -> T:
    """One request to Kafka. Raises KafkaError: it may have been done, or be done later."""
    await worker.gate()
    history = worker.history
    chance, odds = history.chance, history.profile.odds
    if history.broker.down:
        await asyncio.sleep(chance.uniform(0.1, 1.0))
        await worker.gate()
        raise KafkaConnectionError(f"{what}: the broker is away")
    if what != "bounds" and chance.random() < odds.held_produce * (3 if what == "end" else 1):
        history.count("held-back produces")
        longest = chance.choice((HELD_SECONDS / 6, HELD_SECONDS))  # often just when the next term begins
        history.later(chance.uniform(0.1, longest), arrive_late, apply)
        await asyncio.sleep(chance.uniform(0.05, 1.0))
        await worker.gate()
        raise KafkaTimeoutError(f"{what}: held back")
    await asyncio.sleep(history.way())
    if what == "end" and history.nemesis.hold_back(worker, partition, apply):
        history.count("held-back produces")
        await worker.gate()
        raise KafkaTimeoutError(f"{what}: held back")
    if what == "fence":
        if chance.random() < odds.slow_fence:
            await asyncio.sleep(chance.uniform(0.3, 3.0))
        history.nemesis.let_go(partition)
    if chance.random() < odds.refused_produce:
        raise KafkaTimeoutError(f"{what}: never arrived")
    answer = apply()
    history.nemesis.passed(worker, partition, what)
    if chance.random() < odds.lost_ack:
        history.count("lost acknowledgements")
        await asyncio.sleep(chance.uniform(0.01, 0.5))
        await worker.gate()
        raise KafkaTimeoutError(f"{what}: no acknowledgement")
    await asyncio.sleep(history.way())
    await worker.gate()
    return answer


def arrive_late(apply: Callable[[], object]) -> None:
    """Who asked has gone: nobody hears the answer."""
    with suppress(Exception):
        apply()


class Way:
    """A fenced way out of a partition, for one term: an Outlet."""

    def __init__(self, worker: "Worker", partition: int) -> None:
        self.worker, self.partition = worker, partition
        self.epoch = -1

    def producer(self) -> "Producer":
        return self.worker.history.broker.producer(f"kairos-out-{self.partition}")

    async def fence(self) -> None:
        self.epoch = await ask_kafka(self.worker, self.partition, "fence", self.producer().fence)

    async def send(self, leaving: deque[Leaving]) -> list[Leaving]:
        most = self.worker.history.chance.randint(1, len(leaving))
        taken = [leaving.popleft() for _ in range(most)]
        producer, epoch, messages = self.producer(), self.epoch, [message for _, message in taken]
        half = self.worker.history.chance.randint(0, most)
        for part in (messages[:half], messages[half:]):
            if part:
                produce = self._produce(part)
                await ask_kafka(self.worker, self.partition, "produce", produce)
        await ask_kafka(self.worker, self.partition, "end", lambda: producer.end(epoch, True))
        return taken

    def _produce(self, messages: list[Any]) -> Callable[[], None]:
        producer, epoch = self.producer(), self.epoch
        return lambda: producer.produce(epoch, self.partition, messages)

    async def close(self) -> None:
        """Politeness only: a transaction left open is aborted, if the worker lives to say so."""
        if self.worker.dead or self.epoch < 0:
            return
        await self.worker.gate()
        epoch, producer = self.epoch, self.producer()
        with suppress(Exception):
            if not self.worker.dead and producer.open is not None:
                producer.end(epoch, False)
