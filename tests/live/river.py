"""One installation for one test: topics and state of its own on shared servers, its processes, and what they left.

river = rivers(PLAYBOOK)                      # fixture; all that was started ends with the test
await river.init()
worker = await river.worker().ready()
await river.send(shopping(1000))
await river.rest()                            # all read, all sent
await prove(river)                            # tests/live/proof.py: what must hold after any fault
"""

import asyncio
import json
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis

from processors.playbook import read_playbook
from processors.turn import Record
from schemas.customer import Customer, decode_customer
from schemas.topics import TRIGGERS, partition_of
from schemas.trigger import Trigger, decode_trigger
from streams import kafka
from streams.settings import PREFIX, Settings
from streams.state import open_store
from streams.state.store import Store
from streams.tools.asking import metas
from streams.tools.books import lags
from streams.tools.parts import free_port
from streams.vault import vault_of
from tests.live.events import Sent, Shopping, shopping
from tests.live.process import PATIENCE, Process, Served, until
from tests.parts import Parts

P = TypeVar("P", bound=Process)

SERVER_KEY = "a-key-of-the-shop"
TOGETHER = 200
"""Records sent before we wait for their acknowledgements."""

PLAIN: dict[str, Any] = {"session_seconds": 2.0, "fetch_wait_ms": 50, "turn_history": 0, "log": "json"}
"""Settings of all rivers: a dead worker is noticed soon, and every turn record is kept for the proof."""


class River:
    """Where it is, and what runs. Not for several loops: one test, one river or more."""

    def __init__(self, parts: Parts, folder: Path, playbook: str, **settings: Any) -> None:
        self.parts, self.folder = parts, folder
        self.playbook = playbook
        path = folder / "playbook.yaml"
        path.write_text(playbook)
        app = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:24] + "-" + secrets.token_hex(3)
        given = {"app": app, "topic_prefix": f"{app}.", "kafka": parts.kafka.address, "redis": parts.redis.address}
        ports = {"port": free_port(), "api_port": free_port()}
        keys = {"write_keys": f"server:shop:{SERVER_KEY}", "playbook": path}
        self.settings = Settings(**(PLAIN | given | ports | keys | settings))
        self.processes: list[Process] = []
        self._store: Store | None = None

    @property
    def app(self) -> str:
        return self.settings.app

    @property
    def version(self) -> str:
        """Of the playbook it begins with."""
        return read_playbook(self.playbook).version

    # -- processes

    async def run(self, *arguments: str, code: int = 0, seconds: float = PATIENCE) -> str:
        """One of our commands, to its end. Answers what it printed; fails when it ends with another code."""
        process = self._add(
            Process(f"{len(self.processes)}-{arguments[0]}", list(arguments), self._variables(), self.folder)
        )
        got = await process.start().ended(seconds)
        assert got == code, f"kairos {' '.join(arguments)}: wanted exit code {code}, got {got}\n{process.text()}"
        return process.text()

    async def told(self, *arguments: str, code: int = 0, seconds: float = PATIENCE) -> Any:
        """The last line a command printed, as JSON."""
        lines = (await self.run(*arguments, code=code, seconds=seconds)).splitlines()
        return json.loads([line for line in lines if line.startswith("{")][-1])

    async def init(self) -> None:
        await self.run("init")

    def worker(self, **settings: Any) -> Served:
        """A worker, started; its `settings` may differ from the river's."""
        port = free_port()
        variables = self._variables(metrics_port=port, **settings)
        name = f"{len(self.processes)}-worker"
        worker = Served(name, ["worker"], variables, self.folder, f"http://127.0.0.1:{port}")
        return self._add(worker.start())

    def collector(self) -> Served:
        """The collector, started."""
        name, url = f"{len(self.processes)}-collector", f"http://127.0.0.1:{self.settings.port}"
        return self._add(Served(name, ["collector"], self._variables(), self.folder, url).start())

    def api(self) -> Served:
        """The profile API, started."""
        name, url = f"{len(self.processes)}-api", f"http://127.0.0.1:{self.settings.api_port}"
        return self._add(Served(name, ["api"], self._variables(), self.folder, url).start())

    async def close(self) -> None:
        """End all processes; say what they logged, which is shown when the test failed."""
        for process in reversed(self.processes):
            await asyncio.to_thread(process.close)
            print(process.tail())
        if self._store:
            await self._store.close()

    def _variables(self, **more: Any) -> dict[str, str]:
        given = {PREFIX + name.upper(): str(value) for name, value in more.items()}
        return self.settings.environment() | given

    def _add(self, process: P) -> P:
        self.processes.append(process)
        return process

    # -- in

    @asynccontextmanager
    async def producer(self) -> AsyncIterator[AIOKafkaProducer]:
        """A producer that keeps the order and goes on through an outage."""
        producer = AIOKafkaProducer(
            **kafka.connect(self.settings),
            acks="all",
            enable_idempotence=self.parts.transactions,
            linger_ms=5,
            request_timeout_ms=100_000,
            retry_backoff_ms=100,
        )
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()

    async def send(self, records: Iterable[Sent], *, pause: float = 0.0, together: int = TOGETHER) -> int:
        """Straight to the topics; returns when Kafka has them all. `pause`: seconds between `together` records."""
        sent, waiting = 0, list[Any]()
        async with self.producer() as producer:
            for record in records:
                name, partition = self.settings.topic(record.topic), self.partition(record.key)
                waiting.append(await producer.send(name, record.value, key=record.key, partition=partition))
                sent += 1
                if len(waiting) >= together:
                    await asyncio.gather(*waiting)
                    waiting.clear()
                    await asyncio.sleep(pause)
            await asyncio.gather(*waiting)
        return sent

    @asynccontextmanager
    async def flow(self, *, pause: float = 0.1, together: int = 100) -> AsyncIterator[Shopping]:
        """Events come all the while inside; after it, what was sent is known."""
        seen, ended = Shopping(), False

        def rounds() -> Iterator[Sent]:
            for number in count():
                if ended:
                    return
                seen.add(more := shopping(500, bad=1, seed=number))
                yield from more.records

        sending = asyncio.create_task(self.send(rounds(), pause=pause, together=together))
        try:
            yield seen
            assert not sending.done(), sending.result()
        finally:
            ended = True
            await sending

    # -- what is left

    @property
    def store(self) -> Store:
        """To look into the state."""
        self._store = self._store or open_store(self.settings, PATIENCE)
        return self._store

    async def counts(self) -> Counter[str]:
        """What the slots counted, summed."""
        found = Counter[str]()
        for partition in range(self.settings.partitions):
            meta = await self.store.slot(partition).meta()
            found.update({name[6:]: int(value) for name, value in meta.items() if name.startswith("count:")})
        return found

    async def customers(self) -> dict[bytes, Customer]:
        """All customers."""
        slots = [self.store.slot(partition) for partition in range(self.settings.partitions)]
        return {key: decode_customer(value) for slot in slots async for key, value in slot.customers()}

    async def outbox(self) -> int:
        """What was decided and has not left yet."""
        return sum([await self.store.slot(p).outbox_size() for p in range(self.settings.partitions)])

    async def outbox_ids(self) -> set[str]:
        """Ids of what waits to leave."""
        async with Redis.from_url(self.settings.redis) as client:
            slots = [f"{{{self.app}:{partition:03}}}:outbox" for partition in range(self.settings.partitions)]
            ids: list[bytes] = [id for slot in slots for id in await client.hkeys(slot)]  # type: ignore[misc]
            return {id.decode() for id in ids}

    async def waiting(self) -> int:
        """Customers who want waking."""
        return sum([await self.store.slot(p).timers_pending() for p in range(self.settings.partitions)])

    async def triggers(self) -> list[Trigger]:
        """All that left, as read_committed shows it, in the order of each partition."""
        return [decode_trigger(record.value or b"") for record in await self.log(TRIGGERS)]

    async def log(self, topic: str) -> list[kafka.Logged]:
        """All records of a topic, read_committed."""
        batches = kafka.read_log(self.settings, [self.settings.topic(topic)])
        return [record async for batch in batches for record in batch]

    async def readable(self, topic: str) -> list[Record]:
        """The records of a topic as they were before they were sealed, without those whose key was shredded."""
        records = await self.log(topic)
        async with vault_of(self.settings) as vault:
            if vault is None:
                return list(records)
            (read,) = await vault.read([(topic, records)])
            return read.plain

    async def applied(self) -> int:
        """Records the slots have booked as applied."""
        return sum(count for name, count in (await self.counts()).items() if name.startswith("applied:"))

    async def reaches(self, applied: int, seconds: float = PATIENCE) -> None:
        """Until so many are applied."""

        async def yes() -> bool:
            return await self.applied() >= applied

        await until(yes, f"{applied} records applied", seconds)

    def partition(self, customer: bytes) -> int:
        """Where a customer lives."""
        return partition_of(customer, self.settings.partitions)

    async def forget(self, partition: int) -> None:
        """Take the state of a partition out of Redis, as somebody might who should not."""
        async with Redis.from_url(self.settings.redis) as client:
            keys = await client.keys(f"{{{self.app}:{partition:03}}}:*")
            assert keys and await client.delete(*keys) == len(keys)

    async def rest(self, seconds: float = PATIENCE) -> None:
        """Until all is read, all has left, and nothing moved meanwhile. Timers may still wait."""

        async def still() -> bool:
            before = await metas(self.settings, self.store)
            if await self.outbox():
                return False
            lag = await lags(self.settings, self.store)
            return not any(lag.values()) and before == await metas(self.settings, self.store)

        await until(still, "lag 0 and an empty outbox", seconds)

    async def silence(self, seconds: float = PATIENCE) -> None:
        """Until all is at rest and no timer waits."""

        async def none() -> bool:
            await self.rest(seconds)
            return not await self.waiting()

        await until(none, "no timer waiting", seconds)
        await self.rest(seconds)
