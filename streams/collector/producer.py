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
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.topics import CART, CLICKSTREAM, DEAD_LETTERS, FEEDBACK, KEYS, POS
from schemas.wire import Record
from streams.kafka import connect, connected, probe_transactions
from streams.metrics import Metrics
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.vault.cipher import Pen

TOPICS: Final = (CLICKSTREAM, CART, POS, FEEDBACK, DEAD_LETTERS)
BATCH_BYTES: Final = 900_000
"""A batch's size, below what brokers take by default (1 MB)."""
LOOK_SECONDS: Final = 2.0
"""How often an idle collector asks Kafka whether it is there."""
HEARD_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 3.0
"""How long to wait for a lost connection to close; politeness only."""

Headers = list[tuple[str, bytes]]
Letter = tuple[bytes | None, bytes, Headers]
"""A dead letter: key, value, headers."""


class NotTaken(Exception):
    """Kafka has not acknowledged: away, slow, or without the topics. The text says which."""


class _Round:
    """Batches that go together, and who waits for them."""

    __slots__ = ("began", "full", "open", "records", "timer", "waiters")

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.open: dict[tuple[str, int], Any] = {}
        self.full: list[tuple[tuple[str, int], Any]] = []
        self.waiters: list[tuple[asyncio.Future[None], set[tuple[str, int]]]] = []
        self.records = 0
        self.timer: asyncio.TimerHandle | None = None

    def tell(self, fault: NotTaken | None, failed: set[tuple[str, int]] | None = None) -> None:
        """Answer who waits: those who touched a failed partition that it failed, the others that it is done."""
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


class Producer:
    """Takes records and letters; says when Kafka has them."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        topics = (*TOPICS, KEYS) if settings.encrypt else TOPICS
        self._names = {topic: settings.topic(topic) for topic in topics}
        self._kafka: AIOKafkaProducer | None = None
        self._round: _Round | None = None
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
        self, records: Sequence[Record], letters: Sequence[Letter] = (), pens: "dict[bytes, Pen] | None" = None
    ) -> asyncio.Future[None]:
        """Add to the next round. The future is done when Kafka has all of them; it raises NotTaken. Raises NotTaken.
        `pens`: what seals them, by customer."""
        if self.trouble or self._kafka is None:
            raise NotTaken(self.trouble)
        round = self._round or self._new_round()
        partitions, touched = self._settings.partitions, set()
        open = round.open
        for topic, key, value in records:
            place = (topic, crc32(key) % partitions)
            if pens is not None:
                pen = pens[key]
                self._append(round, place, key, pen.seal(topic, value), pen.headers)
                touched.add(place)
                continue
            builder = open.get(place)
            if builder is None or builder.append(timestamp=None, key=key, value=value) is None:
                self._append(round, place, key, value, [])
            touched.add(place)
        for letter, value, headers in letters:
            place = (DEAD_LETTERS, crc32(letter or value) % partitions)
            if pens is not None and letter in pens:
                value, headers = pens[letter].seal(DEAD_LETTERS, value), [*headers, *pens[letter].headers]
            self._append(round, place, letter, value, headers)
            touched.add(place)
        round.records += len(records) + len(letters)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        round.waiters.append((future, touched))
        self._wake.set()
        return future

    def _append(self, round: _Round, place: tuple[str, int], key: bytes | None, value: bytes, headers: Headers) -> None:
        """Append to the place's batch; a full one makes room for a new one."""
        builder = round.open.get(place)
        if builder is not None:
            if builder.append(timestamp=None, key=key, value=value, headers=headers) is not None:
                return
            round.full.append((place, builder))
        assert self._kafka is not None
        round.open[place] = builder = self._kafka.create_batch()
        if builder.append(timestamp=None, key=key, value=value, headers=headers) is None:
            raise AssertionError(f"producer: a record of {len(value)} bytes does not fit an empty batch")

    def _new_round(self) -> _Round:
        self._round = round = _Round()
        round.timer = asyncio.get_running_loop().call_later(self._settings.ack_seconds, self._late, round)
        return round

    def _late(self, round: _Round) -> None:
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
            kafka = await self._connect()
            if kafka is None:
                continue
            try:
                async with asyncio.TaskGroup() as group:
                    looking = group.create_task(self._look(kafka))
                    await self._send_rounds(kafka)
                    looking.cancel()
            except* KafkaError as lost:
                self._set_trouble(f"kafka: lost ({lost.exceptions[0]})")
            finally:
                await self._disconnect(kafka)

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

    async def _connect(self) -> AIOKafkaProducer | None:
        """A started producer, idempotent where the broker can; None when there was none to be had just now."""
        try:
            async with connected(self._settings) as client:
                idempotent = await probe_transactions(client)
            kafka = AIOKafkaProducer(
                **connect(self._settings),
                acks="all",
                enable_idempotence=idempotent,
                max_batch_size=BATCH_BYTES,
                request_timeout_ms=max(1000, int(self._settings.ack_seconds * 1000)),
            )
            try:
                await kafka.start()
            except KafkaError:
                await kafka.stop()
                raise
        except (KafkaError, OSError) as exc:
            self._set_trouble(f"kafka: no broker at {self._settings.kafka}")
            self._log.debug("kafka: cannot connect", why=str(exc))
            await self._rest(1.0)
            return None
        if not idempotent:
            self._log.info("kafka gives no producer ids: a retry inside the producer may repeat events")
        self._kafka = kafka
        return kafka

    async def _send_rounds(self, kafka: AIOKafkaProducer) -> None:
        linger = self._settings.linger_ms / 1000
        while self._round or not self._closing:
            await self._wake.wait()
            if linger and not self._closing:
                await asyncio.sleep(linger)
            self._wake.clear()
            round, self._round = self._round, None
            if round:
                await self._send(kafka, round)

    async def _send(self, kafka: AIOKafkaProducer, round: _Round) -> None:
        """One round to its end, good or bad. Raises KafkaError when the producer must be made anew."""
        began = time.monotonic()
        batches = [*round.full, *round.open.items()]
        try:
            async with asyncio.timeout(max(0.0, round.began + self._settings.ack_seconds - began)):
                futures = [await kafka.send_batch(b, self._names[topic], partition=p) for (topic, p), b in batches]
                outcomes = await asyncio.gather(*futures, return_exceptions=True)
        except (KafkaError, AssertionError, TimeoutError) as exc:
            outcomes = [exc] * len(batches)
        faults = [(place, out) for (place, _), out in zip(batches, outcomes, strict=True) if _failed(out)]
        if not faults:
            self._heard = now = time.monotonic()
            self._metrics("produce_seconds").observe(now - began)
            self._metrics("produce_records").observe(round.records)
            round.tell(None)
            return
        cause = faults[0][1]
        self._metrics("produce_failures_total", "refused").inc()
        self._log.warning("kafka refused batches", batches=len(faults), cause=type(cause).__name__)
        round.tell(NotTaken(f"kafka: {type(cause).__name__}"), {place for place, _ in faults})
        raise KafkaError(type(cause).__name__)

    async def _look(self, kafka: AIOKafkaProducer) -> None:
        """Ask an idle Kafka whether it is there and has our topics; tell the log when the answer changes."""
        while True:
            if time.monotonic() - self._heard > LOOK_SECONDS or self.trouble:
                try:
                    async with asyncio.timeout(HEARD_SECONDS):
                        found = await kafka.client.fetch_all_metadata()
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

    async def _disconnect(self, kafka: AIOKafkaProducer) -> None:
        """Let go of everything, whatever state it is in: what waits inside fails, so that nothing is waited for."""
        self._kafka, round, self._round = None, self._round, None
        if round:
            round.tell(NotTaken("kafka: connection lost"))
        kafka._message_accumulator.fail_all(KafkaError("closed"))
        # Where a batch was being tried again, its sender trips over the batch having failed meanwhile. And aiokafka may
        # wait for ever for a request to a broker that is gone.
        with suppress(KafkaError, KeyError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await kafka.client.close()
                await kafka.stop()

    async def _rest(self, seconds: float) -> None:
        """Sleep, unless it is time to go."""
        if not self._closing:
            await asyncio.sleep(seconds)


def _failed(outcome: object) -> bool:
    return isinstance(outcome, BaseException)
