"""Kafka in: Faust keeps the group and its agents, the engine gets one message for all that has arrived.

How it works. Faust pays 75 us for each message, so a message here is a whole `Haul`: the fetches of all topic
partitions that arrived together. The agent hands each to the ordered task of its partition and is done; what was
acknowledged means nothing, since positions live with the state. All hauls go to one actor of the agent, so they keep
their order.

Faust seeks to Kafka's committed offsets at the end of each assignment: `seek_to_committed` is replaced by "hold all,
and let each partition seek when its term begins". What is committed to Kafka is for lag dashboards only. Touched
inside of Faust 0.15.3 and aiokafka 0.14.0 are the names below; `tests/live` fails when an upgrade moves them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from typing import Any, Protocol

import faust
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from schemas.topics import INPUTS
from streams.engine.fetch import Ends, Fetch, Fetcher
from streams.kafka import bounds
from streams.settings import Settings

NEVER = 1e9
"""Seconds without a poll after which a worker leaves its group. Waiting for Redis is no idleness; aiokafka would leave,
and join again only when polled, while Faust polls again only when it has joined. The watchdog ends who hangs."""

Haul = list[tuple[str, int, Fetch]]
"""(name of the topic in Kafka, partition, fetch)."""


class Crew(Protocol):
    """Who serves the partitions."""

    def assigned(self, partitions: Collection[int]) -> None: ...
    def revoked(self) -> None: ...
    def put(self, topic: str, partition: int, fetch: Fetch) -> None: ...
    def has_room(self, partition: int) -> bool: ...
    def committed(self, topic: str, partition: int) -> int | None: ...


class SeamThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread: here, and only here, the aiokafka consumer may be touched."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.app.seam.settings.fetch_wait_ms  # Faust has 1500 written in
        consumer._isolation_level = "read_committed"  # and this only with its exactly_once
        return consumer

    async def on_start(self) -> None:
        await super().on_start()
        seam: Seam = self.app.seam
        Fetcher.adopt(self._consumer._fetcher, seam.ends, seam.names, seam.settings.pause_ms / 1000)

    async def take(self, wanted: set[TP], timeout: float) -> Haul:
        consumer = self._ensure_consumer()
        with consumer._fetcher._subscriptions.fetch_context():
            fetches = await consumer._fetcher.take(wanted, timeout)
            return [(*tp, fetch) for tp, fetch in fetches.items()]

    async def hold(self) -> None:
        consumer = self._ensure_consumer()
        consumer.pause(*consumer.assignment())

    async def seek(self, positions: Mapping[TopicPartition, int], resume: Collection[TopicPartition]) -> None:
        consumer = self._ensure_consumer()
        for tp, position in positions.items():
            consumer.seek(tp, position)
            (consumer.resume if tp in resume else consumer.pause)(tp)

    async def resume(self, tps: Collection[TopicPartition]) -> None:
        self._ensure_consumer().resume(*tps)

    async def bounds(self, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], tuple[int, int]]:
        return await bounds(self._ensure_consumer()._client, wanted, committed=True)


class SeamConsumer(driver.Consumer):
    """Faust's consumer, by fetches instead of records."""

    def _new_consumer_thread(self) -> SeamThread:
        return SeamThread(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Faust's last step of an assignment, which must end in 90 s: hold all, each partition seeks in its own
        time."""
        await self._thread.call_thread(self._thread.hold)
        self.app.seam.assigned(self.assignment())
        return {}

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self.app.seam.crew.revoked()  # eager: all of them, each time
        await super().on_partitions_revoked(revoked)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        seam: Seam = self.app.seam
        seam.alive()
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        active = self._get_active_partitions()
        roomy = {number for number in {tp.partition for tp in active} if seam.crew.has_room(number)}
        wanted = {tp for tp in active if tp.partition in roomy}
        if not wanted:
            await asyncio.sleep(0.002 if active else 0.1)
            return
        timeout = timeout if len(wanted) == len(active) else 0.005  # soon others may have room again
        asking = asyncio.run_coroutine_threadsafe(self._thread.take(wanted, timeout), self._thread.thread_loop)
        haul = await asyncio.wrap_future(asking)
        if haul and active:  # with nothing assigned any more nobody is there to take it, and who comes next seeks
            tp = min(active)  # always the same, while the assignment is: one actor gets them all
            self._read_offset[tp] = None  # no bookkeeping of gaps, and nothing dropped that is read again
            generation = self.app.consumer_generation_id  # of now: the call may have waited through a rebalance
            yield tp, ConsumerMessage(*tp, 0, 0.0, 0, None, None, haul, None, 0, 0, tp, generation_id=generation)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Faust's loop without its task and timer a message."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                async for _, message in self.getmany(1.0):
                    await self.callback(message)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> list[TP]:
        return list(self.assignment())

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        seam: Seam = self.app.seam
        topic = seam.names.get(tp.topic)
        return None if topic is None else seam.crew.committed(topic, tp.partition)


class SeamTransport(driver.Transport):
    """Faust's transport with our consumer."""

    Consumer = SeamConsumer


class FetchSchema(faust.Schema):
    """No decoding: the value is a Haul."""

    def compile(self, app: Any, **kwargs: Any) -> Callable[..., Awaitable[Any]]:
        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return app.create_event(None, message.value, None, message)

        return decode


class SeamApp(faust.App):
    """A Faust app that knows its seam."""

    seam: "Seam"

    def _new_transport(self) -> SeamTransport:
        return SeamTransport(self.conf.broker_consumer, self)


class NotTogether(Exception):
    """The topics of one partition number were not assigned to one worker."""


class Seam:
    """The `Source` of the partitions, over one Faust app. `alive` is called at each look for fetches."""

    def __init__(self, settings: Settings, crew: Crew, datadir: str, alive: Callable[[], None]) -> None:
        self.settings, self.crew, self.alive = settings, crew, alive
        self.ends: Ends = {}
        self.names = {settings.topic(topic): topic for topic in INPUTS}
        """Name in Kafka -> topic."""
        self.app = self._build(datadir)

    def _build(self, datadir: str) -> SeamApp:
        settings = self.settings
        app = SeamApp(
            id=settings.app,
            broker="kafka://" + settings.kafka.replace(",", ";"),
            broker_session_timeout=settings.session_seconds,
            broker_heartbeat_interval=settings.session_seconds / 4,
            broker_rebalance_timeout=max(settings.session_seconds, 2.0),
            broker_commit_interval=2.0,
            broker_max_poll_interval=NEVER,
            consumer_group_instance_id=settings.instance or None,
            consumer_max_fetch_size=1 << 20,
            consumer_auto_offset_reset="earliest",
            datadir=datadir,
            topic_allow_declare=False,
            topic_disable_leader=True,
            stream_wait_empty=False,  # acknowledgements mean nothing here
            web_enabled=False,
        )
        app.seam = self

        @app.agent(app.topic(*self.names, schema=FetchSchema(), value_serializer="raw"), isolated_partitions=True)
        async def receive(stream: Any) -> None:
            async for event in stream.events():
                for name, partition, fetch in event.value:
                    self.crew.put(self.names[name], partition, fetch)

        return app

    def assigned(self, tps: Collection[TP]) -> None:
        """An assignment came: start its partitions."""
        ours = [tp for tp in tps if tp.topic in self.names]
        partitions = sorted({tp.partition for tp in ours})
        if len(ours) != len(partitions) * len(INPUTS):
            lacking = sorted({TP(name, partition) for name in self.names for partition in partitions} - {*ours})
            raise NotTogether(
                f"assignment: wanted all topics of partitions {partitions}, got none of "
                f"{', '.join(f'{tp.topic}-{tp.partition}' for tp in lacking)}; `kairos init` makes topics that are new"
            )
        self.crew.assigned(partitions)

    # -- what partitions ask (Source)

    async def bounds(self, partition: int) -> dict[str, tuple[int, int]]:
        found = await self._ask("bounds", [(name, partition) for name in self.names])
        return {self.names[name]: both for (name, _), both in found.items()}

    async def seek(self, partition: int, positions: Mapping[str, int], resume: Collection[str]) -> None:
        wanted = {self._place(topic, partition): position for topic, position in positions.items()}
        await self._ask("seek", wanted, {self._place(topic, partition) for topic in resume})

    async def resume(self, partition: int, topics: Collection[str]) -> None:
        await self._ask("resume", [self._place(topic, partition) for topic in topics])

    def _place(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(self.settings.topic(topic), partition)

    async def _ask(self, what: str, *args: Any) -> Any:
        """Call the consumer's thread."""
        thread = self.app.consumer._thread
        try:
            return await thread.call_thread(getattr(thread, what), *args)
        except IllegalStateError:  # the partition is not ours any more: its revocation is on the way
            await asyncio.sleep(3600)
