"""Reads of the profile API at a rate, beside a worker with events to fold: from when each was due to its answer."""

import asyncio
import gc
import random
import time
from dataclasses import dataclass

import aiohttp

from streams.settings import Settings
from streams.state import open_store
from streams.tools.asking import PATIENCE
from streams.tools.books import lags
from streams.tools.parts import Failed
from tests.bench.figures import Figures, percentiles
from tests.bench.house import House
from tests.bench.load import Live, fill
from tests.bench.posts import KEY
from tests.bench.process import cpu_seconds, memory_mb
from tests.bench.shop import Shop

CONNECTIONS = 64


@dataclass(frozen=True)
class Scale:
    """How much is done."""

    reads: int = 500
    """A second."""
    rate: int = 500
    """Events a second for the worker."""
    warm_up: float = 12.0
    seconds: float = 15.0
    customers: int = 5_000


class Reads:
    """Reads, an API that answers them, and a worker with live events."""

    def __init__(self, house: House, scale: Scale) -> None:
        self._house, self._scale = house, scale

    async def prepare(self, name: str) -> Settings:
        """An installation that knows its customers."""
        settings = await self._house.installation(name, write_keys=f"server:crm:{KEY}")
        self._shop, now = Shop(self._scale.customers), time.time()
        known = list(self._shop.introductions(now))
        for _, event in known:
            event.time = now
        await fill(settings, known)
        return settings

    async def kairos(self, settings: Settings) -> Figures:
        """One person with facts, decisions and view, each time another."""
        worker = await asyncio.to_thread(self._house.worker, settings)
        api = await asyncio.to_thread(self._house.api, settings)
        scale, visits = self._scale, Shop(self._scale.customers)
        events = list(visits.visits(int(scale.rate * (scale.warm_up + scale.seconds + 2))))
        try:
            await caught_up(settings)
            gc.collect()
            gc.freeze()  # ours would count as the API's
            async with Live(settings, events, scale.rate) as live:
                load = asyncio.create_task(live.run(scale.warm_up + scale.seconds + 1))
                await read(api.address, self._shop, scale.reads, scale.warm_up)
                cpu, since = cpu_seconds(api.pid), time.monotonic()
                took = await read(api.address, self._shop, scale.reads, scale.seconds)
                cpu, seconds = cpu_seconds(api.pid) - cpu, time.monotonic() - since
                await load
            return Figures(
                cpu_us_per_answer=cpu / len(took) * 1e6,
                answers_per_second=len(took) / seconds,
                rss_mb=memory_mb(api.pid),
                **percentiles(took),
            )
        finally:
            await asyncio.to_thread(api.stop)
            await asyncio.to_thread(worker.stop)


async def caught_up(settings: Settings) -> None:
    """Until the worker has read everything."""
    store = open_store(settings, PATIENCE)
    try:
        async with asyncio.timeout(PATIENCE * 6):
            while any((await lags(settings, store)).values()):  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.1)
    finally:
        await store.close()


async def read(url: str, shop: Shop, rate: int, seconds: float) -> list[float]:
    """So many reads a second, whether the ones before were answered or not. Answers how long each took, counted from
    when it was due. Raises Failed."""
    chance, took = random.Random(11), list[float]()
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(url, headers={"X-Write-Key": KEY}, connector=connector) as session:

        async def ask(due: float) -> None:
            id = chance.choice(shop.keys).decode()
            async with session.get(f"/v1/customers/user/{id}?parts=facts,decisions,view") as answer:
                await answer.read()
                if answer.status != 200:
                    raise Failed(f"bench: wanted customer {id}, got {answer.status}")
            took.append(time.perf_counter() - due)

        async with asyncio.TaskGroup() as group:
            begun = time.perf_counter()
            for number in range(int(rate * seconds)):
                due = begun + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(ask(due))
    return took
