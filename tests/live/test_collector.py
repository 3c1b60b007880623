"""The collector before a real Kafka: what was answered 200 is in it, and what is in it was sent once."""

import asyncio
import json
import os
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession
from segment.analytics.client import Client

from schemas.event import decode_event
from schemas.topics import ALL, CART, CLICKSTREAM, DEAD_LETTERS, POS
from streams.kafka import Logged, create_topics, read_log
from streams.settings import Settings
from tests.parts import Parts

KEY = "server-key-123"
SCRIPT = (
    "import uvloop; from streams.settings import read_settings; from streams.collector.app import serve; "
    "uvloop.run(serve(read_settings(), lambda url: print(url, flush=True)))"
)
pytestmark = pytest.mark.parts(needs="kafka")


class Running:
    """A collector in a process of its own."""

    def __init__(self, settings: Settings, process: asyncio.subprocess.Process, url: str) -> None:
        self.settings, self.process, self.url = settings, process, url

    async def post(self, *events: dict[str, Any]) -> tuple[int, Any, Any]:
        async with (
            ClientSession() as session,
            session.post(f"{self.url}/v1/batch", json={"batch": events, "writeKey": KEY}) as answer,
        ):
            return answer.status, answer.headers, await answer.json()

    async def get(self, path: str) -> tuple[int, Any]:
        async with ClientSession() as session, session.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def until(self, status: int, word: str = "") -> None:
        """Wait until `readyz` answers so."""
        async with asyncio.timeout(30):
            while True:
                found, text = await self.get("/readyz")
                if found == status and word in text:
                    return
                await asyncio.sleep(0.05)

    async def log(self, *topics: str) -> list[Logged]:
        """All records of these topics."""
        names = [self.settings.topic(topic) for topic in topics]
        return [record async for batch in read_log(self.settings, names) for record in batch]

    async def ids(self, *topics: str) -> Counter[str]:
        """messageId -> how often it is there."""
        return Counter(decode_event(record.value or b"").id for record in await self.log(*topics))


@asynccontextmanager
async def running(parts: Parts, *, topics: bool = True, **given: Any) -> AsyncIterator[Running]:
    settings = Settings(
        **{
            "kafka": parts.kafka.address,
            "topic_prefix": uuid.uuid4().hex[:8] + ".",
            "port": 0,
            "write_keys": f"server:shop:{KEY}",
            "ack_seconds": 2.0,
            **given,
        }
    )
    if topics:
        await create_topics(settings)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRIPT, stdout=asyncio.subprocess.PIPE, env={**os.environ, **settings.environment()}
    )
    assert process.stdout
    try:
        url = b""
        while not url.startswith(b"http"):
            url = await process.stdout.readline()
        yield Running(settings, process, url.decode().strip())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def viewed(id: str, customer: str = "ann") -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "userId": customer, "messageId": id}


EVENTS = [
    *[("Product Viewed", {"product_id": f"p{i}", "price": 9.99}) for i in range(8)],
    *[("Products Searched", {"query": f"q{i}"}) for i in range(4)],
    *[("Product Added", {"product_id": f"p{i}", "price": "9.99", "cart_id": "c1"}) for i in range(5)],
    ("Checkout Started", {"order_id": "o1", "value": 49.95}),
    ("Coupon Applied", {"coupon_id": "SAVE"}),
    ("Order Completed", {"order_id": "o1", "total": 49.95, "products": [{"product_id": "p1", "price": 49.95}]}),
]


def tell(url: str, gzip: bool) -> set[str]:
    """What a shop's server does with the SDK, unmodified. Answers the messageIds; raises when one was given up."""
    failed: list[Any] = []
    client = Client(KEY, host=url, on_error=lambda error, _: failed.append(error), gzip=gzip)
    queued = [
        client.identify("ann", {"email": "ann@example.org", "tier": "gold"}),
        client.page("ann", "Shop", "Home", {"url": "https://shop.example/"}),
        *[client.track("ann", name, properties) for name, properties in EVENTS],
    ]
    client.flush()
    client.join()
    assert not failed, failed
    return {message["messageId"] for _, message in queued}


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
async def test_an_sdk_sends_each_event_once(parts: Parts, gzip: bool) -> None:
    async with running(parts) as collector:
        await collector.until(200)
        sent = await asyncio.to_thread(tell, collector.url, gzip)
        assert await collector.ids(CLICKSTREAM, CART, POS) == Counter(sent)
        assert len(sent) == 22 and not await collector.log(DEAD_LETTERS)
        assert {r.key for r in await collector.log(*ALL)} == {b"ann"}


@pytest.mark.parametrize("noticed", [True, False], ids=["noticed", "unnoticed"])
async def test_an_sdk_outlives_a_kafka_that_was_away(parts: Parts, noticed: bool) -> None:
    """The first answers are 503, from a collector that has or has not noticed yet; then Kafka comes back."""
    async with running(parts) as collector:
        await collector.until(200)
        await asyncio.to_thread(parts.kafka.stop)
        if noticed:
            await collector.until(503)
        telling = asyncio.create_task(asyncio.to_thread(tell, collector.url, False))
        await asyncio.sleep(4)
        assert not telling.done()
        await asyncio.to_thread(parts.kafka.start)
        await create_topics(collector.settings)  # an embedded Kafka forgets
        sent = await telling
        assert await collector.ids(CLICKSTREAM, CART, POS) == Counter(sent)
        assert 'kairos_requests_refused_total{reason="unavailable"}' in (await collector.get("/metrics"))[1]


async def test_while_kafka_is_away_nothing_is_acknowledged(parts: Parts) -> None:
    async with running(parts) as collector:
        await collector.until(200)
        assert (await collector.post(viewed("before")))[0] == 200
        await asyncio.to_thread(parts.kafka.stop)
        for id in ("1", "2", "3"):
            status, headers, answer = await collector.post(viewed(id))
            assert (status, answer["code"]) == (503, "unavailable") and int(headers["Retry-After"]) >= 1
        assert (await collector.get("/livez"))[0] == 200
        await collector.until(503)
        await asyncio.to_thread(parts.kafka.start)
        await create_topics(collector.settings)
        await collector.until(200)
        assert (await collector.post(viewed("after")))[0] == 200
        found = await collector.ids(CLICKSTREAM)
        assert found["after"] == 1 and set(found) <= {"before", "after"}


async def test_a_kafka_that_hangs_is_503_in_time(parts: Parts) -> None:
    async with running(parts, ack_seconds=1.0) as collector:
        await collector.until(200)
        await asyncio.to_thread(parts.kafka.pause)
        began = time.monotonic()
        answers = await asyncio.gather(*(collector.post(viewed(str(i))) for i in range(5)))
        assert {status for status, _, _ in answers} == {503} and time.monotonic() - began < 3
        await asyncio.to_thread(parts.kafka.resume)
        await collector.until(200)
        assert (await collector.post(viewed("after")))[0] == 200


async def test_it_waits_for_kafka_at_the_start(parts: Parts) -> None:
    await asyncio.to_thread(parts.kafka.stop)
    async with running(parts, topics=False) as collector:
        assert (await collector.post(viewed("1")))[0] == 503
        await collector.until(503, "no broker")
        await asyncio.to_thread(parts.kafka.start)
        await collector.until(503, "kairos init")
        await create_topics(collector.settings)
        await collector.until(200)
        assert (await collector.post(viewed("2")))[0] == 200


async def test_another_number_of_partitions_is_told(parts: Parts) -> None:
    async with running(parts) as collector:
        await collector.until(200)
        other = collector.settings.model_copy(update={"partitions": 8})
        async with running(parts, topics=False, **other.model_dump(include={"topic_prefix", "partitions"})) as wrong:
            await wrong.until(503, "KAIROS_PARTITIONS")


async def test_dead_letters_are_in_kafka_before_the_answer(parts: Parts) -> None:
    async with running(parts) as collector:
        await collector.until(200)
        bad = viewed("bad") | {"timestamp": "soon"}
        assert (await collector.post(viewed("good"), bad))[0] == 200
        (letter,) = await collector.log(DEAD_LETTERS)
        headers = dict(letter.headers)
        assert (letter.key, json.loads(letter.value or b"")) == (b"ann", bad)
        assert (headers["reason"], headers["place"], headers["source"]) == (b"invalid", b"http", b"shop")
        assert headers["detail"].startswith(b"timestamp: ")


async def test_a_stopped_collector_has_answered_for_all_it_took(parts: Parts) -> None:
    """SIGTERM in the middle of a load: exit code 0, and each 200 is in Kafka."""
    async with running(parts) as collector:
        await collector.until(200)
        said_yes: list[str] = []

        async def load(sender: int) -> None:
            for number in range(10_000):
                try:
                    if (await collector.post(viewed(f"{sender}-{number}", f"c{sender}")))[0] == 200:
                        said_yes.append(f"{sender}-{number}")
                except (OSError, ClientError):
                    return

        loading = [asyncio.create_task(load(sender)) for sender in range(8)]
        await asyncio.sleep(1)
        collector.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(collector.process.wait(), 10) == 0
        await asyncio.gather(*loading)
        assert said_yes and not Counter(said_yes) - await collector.ids(CLICKSTREAM)


async def test_order_within_a_customer_is_kept(parts: Parts) -> None:
    async with running(parts) as collector:
        await collector.until(200)
        for first in range(0, 300, 100):
            batch = [viewed(str(i), f"c{i % 7}") for i in range(first, first + 100)]
            assert (await collector.post(*batch))[0] == 200
        log = await collector.log(CLICKSTREAM)
        for customer in range(7):
            numbers = [int(decode_event(r.value or b"").id) for r in log if r.key == b"c%d" % customer]
            assert numbers == list(range(customer, 300, 7))
