"""Batches of events over HTTP, as SDKs send them: CPU an event of the process that takes them in."""

import asyncio
import base64
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

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
            return Figures(cpu / events * 1e6, events / seconds, memory_mb(ward.pid), **percentiles(took))
        finally:
            await asyncio.to_thread(ward.stop)


async def post(url: str, bodies: Iterable[bytes]) -> list[float]:
    """Send all, a few at a time. Answers how long each took."""
    took: list[float] = []
    waiting = iter(bodies)
    user = base64.b64encode(f"{KEY}:".encode()).decode()
    headers = {"Authorization": f"Basic {user}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(url, headers=headers) as session:

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
