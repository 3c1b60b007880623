"""The load: what customers do, from a seed; sent over HTTP and straight to Kafka; and the ledger of what was answered.

Of every hundred records about one is poison, two are sent twice, five are late. A few customers do so much that caps
must stop what they would get. Most have several ids (`people`), which are linked amid it all; now and then a link is
taken back, and one customer asks to be erased.
"""

import asyncio
import base64
import json
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import aiohttp
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.turn import Message
from tests.faults.harness.people import Claim, Person, busy, erasure, people, split, spoken

TOPICS = {"Product Added": "cart", "Product Removed": "cart", "Cart Viewed": "cart", "Order Completed": "pos"}
TOPICS["Coupon Entered"] = "cart"
NAMES = (
    *("Product Viewed",) * 9,
    *("Product Added",) * 5,
    *("Order Completed",) * 4,
    *("Products Searched",) * 2,
    *("Product Removed", "Cart Viewed", "Coupon Entered", "Customer Identified", "feedback", "A Name Nobody Knows"),
)
BUSY = ("Order Completed", "Order Completed", "Product Added", "Cart Viewed", "Product Viewed")
"""What capped customers do."""
PATIENCE = 60.0
"""Seconds for which one event is tried again."""


@dataclass(frozen=True)
class Habits:
    """How customers behave."""

    seconds: float = 5.0
    rate: float = 250.0
    customers: int = 120
    capped: int = 5
    claims: float = 0.4
    """Of the events of who may claim ids: so many do."""
    splits: float = 0.003
    leaves: bool = False
    """One customer is erased."""
    over_http: float = 0.4
    poison: float = 0.01
    twice: float = 0.02
    late: float = 0.05
    burst: float = 1.0
    """How many times the rate in the middle third."""
    quirks: str = ""
    """`storm`: in the middle third most records go to the wrong partition."""


@dataclass
class Deed:
    """One record to be sent: an event, or poison."""

    topic: str
    key: bytes | None
    value: dict[str, Any] | bytes
    shift: int = 0
    """Partitions beside the right one."""


@dataclass
class Ledger:
    """What was answered 200, or acknowledged; and how often it was not."""

    answered: dict[str, float] = field(default_factory=dict)
    """Message id -> when the answer came."""
    sent: int = 0
    refused: int = 0
    """Answers 503 or 429."""
    broken: int = 0
    """No answer."""
    odd: list[str] = field(default_factory=list)
    """Answers nobody should get."""


class Load:
    """Sends, and keeps the ledger. `url` may be empty: then all goes straight to Kafka."""

    def __init__(
        self, seed: str, habits: Habits, kafka: str, prefix: str, partitions: int, url: str, write_key: str
    ) -> None:
        self.habits, self.ledger = habits, Ledger()
        self._rnd = random.Random(seed)
        self._kafka, self._prefix, self._partitions = kafka, prefix, partitions
        self._url = url
        self._headers = {"Authorization": "Basic " + base64.b64encode(f"{write_key}:".encode()).decode()}
        self._number = 0
        self._recent: list[Deed] = []
        self._tag = f"{self._rnd.getrandbits(32):08x}"
        self._tasks: set[asyncio.Task[None]] = set()
        self._people, self._busy = people(self._rnd, habits.customers), busy(self._rnd, habits.capped)
        self._share = 0.0
        """How much of the time is over."""
        self._waiting: list[Deed] = []
        several = [one for one in self._people if one.claims]
        self._leaves = self._rnd.choice(several) if habits.leaves else None
        self.enough = asyncio.Event()
        """Set when the scenario has done its worst: then the load ends, but not before its time."""

    async def run(self) -> None:
        """Until all is sent, or given up. Raises nothing of Kafka: that is what the ledger is for."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka, acks="all", enable_idempotence=True, request_timeout_ms=20_000
        )
        await producer.start()
        try:
            async with aiohttp.ClientSession(headers=self._headers) as session:
                begun = time.monotonic()
                while (passed := time.monotonic() - begun) < self.habits.seconds or not self.enough.is_set():
                    await self._step(producer, session, passed)
                    await asyncio.sleep(0.1)
                await asyncio.gather(*self._tasks)
        finally:
            with suppress(KafkaError):
                await producer.stop()

    async def _step(self, producer: AIOKafkaProducer, session: aiohttp.ClientSession, passed: float) -> None:
        self._share = passed / self.habits.seconds
        middle = 1 / 3 < self._share < 2 / 3
        many = round(self.habits.rate * 0.1 * (self.habits.burst if middle else 1.0))
        deeds = [self._next(middle and self.habits.quirks == "storm") for _ in range(many)]
        web: list[Deed] = []
        for deed in deeds:
            if self._url and self._rnd.random() < self.habits.over_http and isinstance(deed.value, dict):
                web.append(deed)
            else:
                self._go(self._produce(producer, deed))
        if web:
            self._go(self._post(session, web))

    def _go(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- what is done

    def _next(self, storm: bool) -> Deed:
        rnd, habits = self._rnd, self.habits
        if self._waiting:
            return self._waiting.pop(0)
        if self._recent and rnd.random() < habits.twice:
            return rnd.choice(self._recent)
        if rnd.random() < habits.poison:
            return self._poison()
        if rnd.random() < habits.splits:
            self._split()
        if self._leaves and self._share > 0.8:
            self._erase(self._leaves)
        deed = self._event()
        if storm and rnd.random() < 0.7:
            deed.shift = 1
        self._recent = [*self._recent[-200:], deed]
        return deed

    def _event(self) -> Deed:
        rnd, now = self._rnd, time.time()
        hurry = rnd.random() < 0.05
        person = rnd.choice(self._busy if hurry else self._people)
        claims = [claim for claim in person.claims if claim.after < self._share]
        claim = rnd.choice(claims) if claims and rnd.random() < self.habits.claims else None
        name = "Customer Identified" if claim and rnd.random() < 0.5 else rnd.choice(BUSY if hurry else NAMES)
        return self._deed(claim.key if claim else rnd.choice(person.ids), name, now, claim)

    def _deed(self, who: str, name: str, now: float, claim: Claim | None) -> Deed:
        rnd = self._rnd
        when = now - rnd.uniform(2.0, 60.0) if rnd.random() < self.habits.late else now
        self._number += 1
        id = f"{self._tag}-{self._number}"
        if name == "feedback":
            said: dict[str, Any] = {"id": id, "trigger": "t", "what": rnd.choice(("opened", "clicked")), "time": when}
            return Deed("feedback", who.encode(), said | {"channel": "push"})
        event: dict[str, Any] = {"id": id, "name": name, "time": when, "received": now}
        event["channel"] = rnd.choice(("web", "app"))
        if name.startswith("Product ") or name == "Order Completed":
            event["products"] = [self._product() for _ in range(rnd.randint(1, 3))]
        if name == "Order Completed":
            event |= {"order": f"o{self._number}", "total": rnd.randrange(90_000_000), "currency": "EUR"}
        if name == "Customer Identified":
            event["traits"] = {"name": f"n{self._number}", "consent": {"news": rnd.random() < 0.5}}
        if claim:
            event |= claim.said()
        return Deed(TOPICS.get(name, "clickstream"), who.encode(), event)

    def _split(self) -> None:
        """A link is taken back, if it was made yet or not."""
        claims = [claim for one in self._people if one.fickle for claim in one.claims if claim.after < self._share]
        if claims:
            self._number += 1
            self._mark(split(self._rnd.choice(claims), f"{self._tag}-split-{self._number}", time.time()))

    def _erase(self, person: Person) -> None:
        """The greatest id; from there it spreads."""
        self._leaves = None
        self._mark(erasure(person.ids[0], f"{self._tag}-erase", time.time()))

    def _mark(self, messages: list[Message]) -> None:
        self._waiting += [Deed(message.topic, message.key, message.value or b"") for message in messages]

    def _product(self) -> dict[str, Any]:
        rnd = self._rnd
        number = rnd.randrange(30)
        price, quantity = rnd.randrange(50_000_000), rnd.randint(1, 3)
        return {"id": f"p{number}", "name": f"P {number}", "category": "k", "price": price, "quantity": quantity}

    def _poison(self) -> Deed:
        rnd = self._rnd
        deed = self._event()
        value: dict[str, Any] | bytes = rnd.choice(
            [b"{", b"\xff\xfe", b"[]", b'{"id": "x"}', b'{"id": 7, "name": "x", "time": 1.0}', b"null"]
        )
        if rnd.random() < 0.2:
            return Deed(deed.topic, None, deed.value)
        if rnd.random() < 0.2:
            return Deed(deed.topic, deed.key, deed.value, shift=1)
        return Deed("parts" if rnd.random() < 0.2 else deed.topic, deed.key, value)

    # -- how it is sent

    async def _produce(self, producer: AIOKafkaProducer, deed: Deed) -> None:
        value = deed.value if isinstance(deed.value, bytes) else json.dumps(deed.value).encode()
        partition = (crc32(deed.key or value) + deed.shift) % self._partitions
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            try:
                await producer.send_and_wait(self._prefix + deed.topic, value, key=deed.key, partition=partition)
            except KafkaError:
                self.ledger.broken += 1
                await asyncio.sleep(0.5)
            else:
                if isinstance(deed.value, dict):
                    self._answered([deed])
                return

    async def _post(self, session: aiohttp.ClientSession, deeds: list[Deed]) -> None:
        body = {"batch": [as_call(deed) for deed in deeds]}
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            body["sentAt"] = stamp(time.time())  # type: ignore[assignment]
            try:
                async with session.post(
                    f"{self._url}/v1/batch", json=body, timeout=aiohttp.ClientTimeout(30)
                ) as response:
                    if response.status == 200:
                        self._answered(deeds)
                        return
                    self.ledger.refused += response.status in (429, 503)
                    if response.status not in (429, 503):
                        self.ledger.odd.append(f"{response.status} {await response.text()}"[:200])
            except (aiohttp.ClientError, TimeoutError, OSError):
                self.ledger.broken += 1
            await asyncio.sleep(0.3)

    def _answered(self, deeds: list[Deed]) -> None:
        self.ledger.sent += len(deeds)
        now = time.time()
        for deed in deeds:
            if isinstance(deed.value, dict):
                self.ledger.answered.setdefault(deed.value["id"], now)


def stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def as_call(deed: Deed) -> dict[str, Any]:
    """An event as an SDK says it."""
    assert isinstance(deed.value, dict)
    event, who = deed.value, (deed.key or b"nobody").decode()
    call: dict[str, Any] = {"messageId": event["id"], "timestamp": stamp(event["time"]), **spoken(who, event)}
    if deed.topic == "feedback":
        told = {"trigger_id": event["trigger"], "channel": event["channel"]}
        return call | {"type": "track", "event": f"Trigger {event['what'].title()}", "properties": told}
    if event["name"] == "Customer Identified":
        return call | {"type": "identify", "traits": {"name": event["traits"]["name"]}}
    properties: dict[str, Any] = {"channel": event["channel"]}
    if "products" in event:
        properties["products"] = [
            {
                "product_id": one["id"],
                "name": one["name"],
                "category": one["category"],
                "price": one["price"] / 1e6,
                "quantity": one["quantity"],
            }
            for one in event["products"]
        ]
    if "order" in event:
        properties |= {"order_id": event["order"], "total": event["total"] / 1e6, "currency": "EUR"}
    return call | {"type": "track", "event": event["name"], "properties": properties}
