"""The worker: one Faust app, one store, one partition task for each number assigned, and what watches over them."""

import asyncio
import gc
import os
import secrets
import signal
import tempfile
import time
from collections.abc import Collection, Iterator
from typing import NoReturn

import structlog
import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient

from processors.compiled import COMPILED
from streams.engine.fetch import Fetch
from streams.engine.health import serve_health
from streams.engine.partition import Partition
from streams.engine.playbooks import Playbooks
from streams.engine.relay import BATCH_BYTES, Outlet, PlainOutlet, TransactionalOutlet
from streams.engine.seam import Seam
from streams.engine.telemetry import Telemetry
from streams.engine.watchdog import Watchdog
from streams.engine.world import World
from streams.kafka import Unavailable, connect, connected, probe_transactions
from streams.settings import Settings
from streams.state import open_store
from streams.state.store import Unfit
from streams.vault import open_vault

log = structlog.get_logger()
EXIT_CRASH = 70
STOP_SECONDS = 5.0
"""Longest wait for Faust to leave the group politely."""


class Worker:
    """The crew of one process: serves what Faust is assigned."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = open_store(settings)
        self.telemetry = Telemetry(self)
        self.vault = open_vault(settings, self.telemetry.keys)
        self.watchdog = Watchdog(settings.watchdog_seconds, settings.kafka)
        self.playbooks = Playbooks(settings, self.store)
        self.partitions: dict[int, Partition] = {}
        self.assignments = 0
        """How often partitions were assigned."""
        self.crash: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._plain: AIOKafkaProducer | None = None
        self._datadir = tempfile.TemporaryDirectory(prefix="kairos-")  # Faust makes one, and needs none
        self.seam = Seam(settings, self, self._datadir.name, self.watchdog.alive)
        self._world = World(
            settings,
            self.store,
            self.seam,
            self.telemetry,
            self._outlet,
            self.playbooks.fold,
            time.time,
            nonces().__next__,
            self.vault,
        )

    # -- what the seam asks (Crew)

    def assigned(self, partitions: Collection[int]) -> None:
        self.revoked()
        self.assignments += 1
        self.partitions = {number: Partition(number, self._world) for number in partitions}
        for partition in self.partitions.values():
            partition.task.add_done_callback(self._ended)
        log.info("assigned", partitions=sorted(partitions))

    def revoked(self) -> None:
        for partition in self.partitions.values():
            partition.stop()
        self.partitions = {}

    def put(self, topic: str, partition: int, fetch: Fetch) -> None:
        if ours := self.partitions.get(partition):
            ours.put(topic, fetch)

    def has_room(self, partition: int) -> bool:
        ours = self.partitions.get(partition)
        return ours is not None and ours.has_room

    def committed(self, topic: str, partition: int) -> int | None:
        ours = self.partitions.get(partition)
        return ours.term.turns.committed.get(topic) if ours and ours.term else None

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """A partition's task ends by being revoked, or by a bug."""
        if not task.cancelled() and not self.crash.done():
            self.crash.set_exception(task.exception() or RuntimeError("a partition's task returned"))

    def _outlet(self, partition: int) -> Outlet:
        if self._plain is not None:
            return PlainOutlet(self.settings, partition, self._plain, self.vault)
        return TransactionalOutlet(self.settings, partition, self.vault)

    # -- from start to end

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT. Answers the exit code; a crash ends the process here. Raises Unfit."""
        log.info("starting", fold="compiled" if COMPILED else "Python")
        asked = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, asked.set)
        health = await serve_health(self)
        serving, stopping = asyncio.create_task(self._serve()), asyncio.create_task(asked.wait())
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            if isinstance(why := serving.exception(), Unfit):
                raise why
            crash(why)
        serving.cancel()
        await self._stop()
        await health.cleanup()
        return 0

    async def _serve(self) -> None:
        """Until something fails: always ends by an exception."""
        await self.store.prepare()
        await self.playbooks.first()
        await self._meet_kafka()
        self.seam.app.finalize()
        self.watchdog.start()  # first: Faust never comes back from its start when the group will not have it
        await self.seam.app.start()
        tidy_memory()
        looking = asyncio.create_task(self.playbooks.follow())
        stopped = asyncio.create_task(self.seam.app.wait_until_stopped())
        await asyncio.wait([stopped, looking, self.crash], return_when=asyncio.FIRST_COMPLETED)
        for failed in (self.crash, looking):
            if failed.done():
                failed.result()
        raise self.seam.app.crash_reason or RuntimeError("Faust stopped by itself")

    async def _meet_kafka(self) -> None:
        """Wait for a broker, and ask what it can."""
        while True:
            try:
                async with connected(self.settings) as client:
                    fenced = await self._fenced(client)
                break
            except Unavailable as exc:
                log.warning("waiting for Kafka", why=str(exc))
                await asyncio.sleep(1)
        if fenced:
            return
        log.warning("no fence", why="this broker has no transactions: a trigger may be seen twice, with one id")
        self._plain = AIOKafkaProducer(
            **connect(self.settings), acks="all", linger_ms=0, max_batch_size=BATCH_BYTES, enable_idempotence=False
        )
        await self._plain.start()

    async def _fenced(self, client: AIOKafkaClient) -> bool:
        mode = self.settings.kafka_transactions
        return mode == "on" or (mode == "auto" and await probe_transactions(client))

    async def _stop(self) -> None:
        log.info("stopping")
        self.revoked()
        self.watchdog.stop()
        try:  # politeness only: what counts is in the slots
            await asyncio.wait_for(self.seam.app.stop(), STOP_SECONDS)
        except TimeoutError:
            log.warning("Faust hangs in stop", seconds=STOP_SECONDS)
            os._exit(0)
        if self.vault:
            await self.vault.close()
        await self.store.close()
        self._datadir.cleanup()


def crash(why: BaseException | None) -> NoReturn:
    """A bug, or Faust gave up. It may hang in its own stop, so the process ends at once."""
    log.critical("crashed", why=repr(why), exc_info=why)
    os._exit(EXIT_CRASH)


TOKEN_BYTES, TOKENS = 16, 256


def nonces() -> Iterator[bytes]:
    """Fresh tokens. Many are drawn at once: to ask the kernel lets the other thread run, for up to 5 ms."""
    while True:
        drawn = secrets.token_bytes(TOKEN_BYTES * TOKENS)
        yield from (drawn[at : at + TOKEN_BYTES] for at in range(0, len(drawn), TOKEN_BYTES))


def tidy_memory() -> None:
    """What lives for ever is frozen, the rest is mostly freed by counting: the cycle collector may run seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 1000)


def run_worker(settings: Settings) -> int:
    """Run a worker in this process. Answers the exit code."""
    uvloop.install()  # the policy: Faust's consumer thread makes a loop of its own, and shall have a fast one too

    async def main() -> int:
        return await Worker(settings).run()

    return asyncio.run(main())
