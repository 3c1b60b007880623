"""Batches of events over HTTP, as SDKs send them: CPU an event of the process that takes them in."""

import asyncio
import base64
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import cycle

import aiohttp
import orjson

from schemas.event import MICROS
from streams.settings import Settings
from streams.tools.guarded import Ward
from streams.tools.parts import free_port
from streams.tools.stage import HOST
from tests.bench.figures import Figures, percentiles
from tests.bench.house import House
from tests.bench.process import cpu_seconds, memory_mb
from tests.bench.shop import Shop, Visit

KEY = "benchmark-key"
SENDERS = 8
"""Posts under way."""
P99_MOST_MS = 50.0
FASTER = 1.25
"""From one rate that is tried to the next."""
TRY_SECONDS = 2.0
TRIES_MOST = 6


@dataclass(frozen=True)
class Scale:
    """How much is done."""

    posts: int = 2_500
    warm_up: int = 500
    events: int = 20
    """In a post."""
    customers: int = 5_000


class Posts:
    """The posts, and who takes them."""

    def __init__(self, house: House, scale: Scale) -> None:
        self._house, self._scale = house, scale
        visits = Shop(scale.customers).visits((scale.warm_up + scale.posts) * scale.events)
        self._bodies = list(bodies(visits, scale.events))

    async def prepare(self, name: str) -> Settings:
        """Topics, and a key to write with."""
        return await self._house.installation(name, write_keys=f"server:shop:{KEY}")

    async def kairos(self, settings: Settings) -> Figures:
        """A collector."""
        return await self._watch(await asyncio.to_thread(self._house.collector, settings))

    async def plain(self, _: Settings) -> Figures:
        """A bare handler."""
        port = free_port()
        url = f"http://{HOST}:{port}/readyz"
        return await self._watch(await asyncio.to_thread(self._house.module, "plain", str(port), url=url))

    async def _watch(self, ward: Ward) -> Figures:
        scale = self._scale
        try:
            await post(ward.address, self._bodies[: scale.warm_up])
            cpu, since = cpu_seconds(ward.pid), time.monotonic()
            took = await post(ward.address, self._bodies[scale.warm_up :])
            cpu, seconds = cpu_seconds(ward.pid) - cpu, time.monotonic() - since
            events = scale.posts * scale.events
            told = Figures(cpu / events * 1e6, events / seconds, memory_mb(ward.pid), **percentiles(took))
            most = await self._most(ward.address, scale.posts / seconds / 2)
            return replace(told, posts_per_second=most)
        finally:
            await asyncio.to_thread(ward.stop)

    async def _most(self, url: str, rate: float) -> float | None:
        """The most posts a second that are answered in time; tried from `rate` upwards, until one is too fast."""
        most = None
        for _ in range(TRIES_MOST):
            if not await in_time(url, self._bodies, rate):
                break
            most, rate = rate, rate * FASTER
        return most


async def in_time(url: str, bodies: Sequence[bytes], rate: float) -> bool:
    """Whether posts at this rate are answered in time, each counted from when it was due to be sent."""
    took: list[float] = []
    async with client(url) as session, asyncio.TaskGroup() as posts:
        began = time.perf_counter()

        async def send(body: bytes, due: float) -> None:
            async with session.post("/v1/batch", data=body) as answer:
                took.append(time.perf_counter() - due if answer.ok else math.inf)

        for number, body in zip(range(int(rate * TRY_SECONDS)), cycle(bodies), strict=False):
            due = began + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            posts.create_task(send(body, due))
    return percentiles(took)["p99_ms"] < P99_MOST_MS


def client(url: str) -> aiohttp.ClientSession:
    """A sender with a key, of as many connections as it needs."""
    user = base64.b64encode(f"{KEY}:".encode()).decode()
    headers = {"Authorization": f"Basic {user}", "Content-Type": "application/json"}
    return aiohttp.ClientSession(url, headers=headers, connector=aiohttp.TCPConnector(limit=0))


async def post(url: str, bodies: Iterable[bytes]) -> list[float]:
    """Send all, a few at a time. Answers how long each took."""
    took: list[float] = []
    waiting = iter(bodies)
    async with client(url) as session:

        async def send() -> None:
            for body in waiting:
                since = time.perf_counter()
                async with session.post("/v1/batch", data=body) as answer:
                    answer.raise_for_status()
                took.append(time.perf_counter() - since)

        await asyncio.gather(*(send() for _ in range(SENDERS)))
    return took


def bodies(visits: Iterable[Visit], events: int) -> Iterator[bytes]:
    """Posts of so many events each."""
    now = datetime.now(UTC).isoformat()
    calls: list[dict[str, object]] = []
    for visit in visits:
        calls.append(call(visit, now))
        if len(calls) == events:
            yield orjson.dumps({"batch": calls, "sentAt": now})
            calls = []


def call(visit: Visit, now: str) -> dict[str, object]:
    """An event as an SDK sends it."""
    key, event = visit
    products = [
        {"product_id": p.id, "name": p.name, "category": p.category, "brand": p.brand, "price": p.price / MICROS}
        for p in event.products
    ]
    about = {"session_id": event.session, "dwell": event.dwell, "currency": event.currency, **event.properties}
    one = {"products": products} if len(products) > 1 else products[0] if products else {"query": event.query}
    return {
        "type": "track",
        "event": event.name,
        "messageId": event.id,
        "userId": key.decode(),
        "anonymousId": event.anonymous,
        "timestamp": now,
        "properties": about | one,
        "context": {"library": {"name": "analytics.js", "version": "4.1.0"}, "locale": "en-US", "channel": "web"},
    }
