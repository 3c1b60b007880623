"""Into Kafka: records of many requests in rounds of one batch a partition, each answered when its own are acknowledged.

How it works. While one round is on its way, the next one fills; it leaves as soon as the first is acknowledged. So
batches form by themselves under load, and a lonely event leaves at once. A request waits on one future, however many
events it has. When a round is late, its requests are told so (503), and the connection is given up with all that waits
in it: their senders repeat them, by the same messageIds. What Kafka took in after all is a duplicate, which the engine
drops.

Kafka may be away at any time, from the start on: `run` connects, looks and connects again for as long as it lives.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

import structlog
from aiokafka.errors import KafkaError

from schemas.topics import CART, CLICKSTREAM, DEAD_LETTERS, FEEDBACK, KEYS, POS
from schemas.wire import Record
from streams.collector.line import Line, connect_line
from streams.collector.packing import Batch
from streams.collector.round import Letter, NotTaken, Round
from streams.metrics import Metrics
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.vault.cipher import Pen

TOPICS: Final = (CLICKSTREAM, CART, POS, FEEDBACK, DEAD_LETTERS)
LOOK_SECONDS: Final = 2.0
"""How often an idle collector asks Kafka whether it is there."""
HEARD_SECONDS: Final = 5.0


class Producer:
    """Takes records and letters; says when Kafka has them."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        topics = (*TOPICS, KEYS) if settings.encrypt else TOPICS
        self._names = {topic: settings.topic(topic) for topic in topics}
        self._line: Line | None = None
        self._round: Round | None = None
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._heard = 0.0
        self._closing = False
        self._log = structlog.get_logger()
        self.trouble = "kafka: not connected yet"
        """Why nothing is taken; empty when all is well."""

    @property
    def ready(self) -> bool:
        """Connected, all topics there, and Kafka answered lately."""
        return not self.trouble and time.monotonic() - self._heard < HEARD_SECONDS

    def put(
        self, records: Sequence[Record], letters: Sequence[Letter] = (), pens: "Mapping[bytes, Pen] | None" = None
    ) -> asyncio.Future[None]:
        """Add to the next round. The future is done when Kafka has all of them; it raises NotTaken. Raises NotTaken.
        `pens`: what seals them, by customer."""
        if self.trouble or self._line is None:
            raise NotTaken(self.trouble)
        round = self._round or self._new_round()
        future: asyncio.Future[None] = self._loop.create_future()
        round.add(records, letters, pens, future)
        self._wake.set()
        return future

    def _new_round(self) -> Round:
        self._round = round = Round(self._names, self._settings.partitions)
        round.timer = self._loop.call_later(self._settings.ack_seconds, self._late, round)
        return round

    def _late(self, round: Round) -> None:
        """No acknowledgement in time: who waits is told; what has not left never will."""
        self._metrics("produce_failures_total", "late").inc()
        if round is self._round:
            self._round = None
        round.timer = None
        round.tell(NotTaken("kafka: slow"))

    # -- the life of the connection

    async def run(self) -> None:
        """Connect, send rounds, and begin again when the connection is lost, until `close`."""
        while not self._closing:
            line = await self._connect()
            if line is None:
                continue
            try:
                async with asyncio.TaskGroup() as group:
                    looking = group.create_task(self._look(line))
                    await self._send_rounds(line)
                    looking.cancel()
            except* KafkaError as lost:
                self._set_trouble(f"kafka: lost ({lost.exceptions[0]})")
            finally:
                await self._disconnect(line)

    async def close(self, running: asyncio.Task[None]) -> None:
        """Send what waits, then end `run`; no longer than an acknowledgement may take. Raises what `run` raised."""
        self._closing = True
        self._wake.set()
        await asyncio.wait((running,), timeout=self._settings.ack_seconds)
        if not running.done():
            running.cancel()
            await asyncio.wait((running,), timeout=1.0)
        elif fault := running.exception():
            raise fault

    async def _connect(self) -> Line | None:
        """A line, idempotent where the broker can; None when there was none to be had just now."""
        try:
            line = await connect_line(self._settings)
        except (KafkaError, OSError) as exc:
            self._set_trouble(f"kafka: no broker at {self._settings.kafka}")
            self._log.debug("kafka: cannot connect", why=str(exc))
            await self._rest(1.0)
            return None
        if not line.idempotent:
            self._log.info("kafka gives no producer ids: a retry inside the producer may repeat events")
        self._line = line
        return line

    async def _send_rounds(self, line: Line) -> None:
        linger = self._settings.linger_ms / 1000
        while self._round or not self._closing:
            await self._wake.wait()
            if linger and not self._closing:
                await asyncio.sleep(linger)
            self._wake.clear()
            round, self._round = self._round, None
            if round:
                await self._send(line, round)

    async def _send(self, line: Line, round: Round) -> None:
        """One round to its end, good or bad. Raises KafkaError when the line must be made anew."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, round.began + self._settings.ack_seconds - began)):
                failed = await line.send(round)
        except (KafkaError, TimeoutError) as exc:
            self._give_up(round, exc, None)
        if failed:
            self._give_up(round, next(iter(failed.values())), set(failed))
        self._heard = now = time.monotonic()
        self._metrics("produce_seconds").observe(now - began)
        self._metrics("produce_records").observe(round.records)
        round.tell(None)

    def _give_up(self, round: Round, cause: Exception, failed: set[Batch] | None) -> NoReturn:
        """Tell who waits. Raises KafkaError."""
        self._metrics("produce_failures_total", "refused").inc()
        self._log.warning("kafka refused batches", batches=len(failed or ()), cause=type(cause).__name__)
        round.tell(NotTaken(f"kafka: {type(cause).__name__}"), failed)
        raise KafkaError(type(cause).__name__)

    async def _look(self, line: Line) -> None:
        """Ask an idle Kafka whether it is there and has our topics; tell the log when the answer changes."""
        while True:
            if time.monotonic() - self._heard > LOOK_SECONDS or self.trouble:
                try:
                    async with asyncio.timeout(HEARD_SECONDS):
                        found = await line.client.fetch_all_metadata()
                except (KafkaError, TimeoutError):
                    self._set_trouble(f"kafka: no answer from {self._settings.kafka}")
                else:
                    self._heard = time.monotonic()
                    self._set_trouble(self._wrong_topics(found))
            await asyncio.sleep(LOOK_SECONDS / 4 if self.trouble else LOOK_SECONDS)

    def _wrong_topics(self, found: Any) -> str:
        counts = {topic: len(found.partitions_for_topic(name) or ()) for topic, name in self._names.items()}
        if missing := [self._names[topic] for topic, count in counts.items() if not count]:
            return f"kafka: topics missing: {', '.join(missing)}; run `kairos init`"
        wanted = self._settings.partitions
        if wrong := [f"{self._names[topic]} has {count}" for topic, count in counts.items() if count != wanted]:
            return f"kafka: KAIROS_PARTITIONS is {wanted}, but {', '.join(wrong)}"
        return ""

    def _set_trouble(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self._metrics("kafka_ready").set(not trouble)
            (self._log.warning if trouble else self._log.info)(trouble or "kafka: ready")

    async def _disconnect(self, line: Line) -> None:
        """Let go of everything, whatever state it is in: what waits fails, so that nothing is waited for."""
        self._line, round, self._round = None, self._round, None
        if round:
            round.tell(NotTaken("kafka: connection lost"))
        await line.close()

    async def _rest(self, seconds: float) -> None:
        """Sleep, unless it is time to go."""
        if not self._closing:
            await asyncio.sleep(seconds)
