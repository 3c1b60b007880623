"""What links cost: the same traffic of customers with one id, and of customers whose phone, laptop and card are linked.

`spread` is the dearest there is: nobody is ever logged in, every event comes by one of three ids of which none decides,
and what it changed leaves as a part that the fourth takes in. `logged_in` is what shops see: after the log-in events
come by the userId, beside the anonymousId of the device; only receipts come by the card. `single` has no link at all.
Counted is the CPU of the worker an event of a customer, all records that links add included, and none of them counted.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from schemas.event import ORDERED, STORE, Event
from schemas.identity import ANONYMOUS, Link, key_of
from streams.settings import Settings
from streams.state import open_store
from tests.bench.figures import Figures
from tests.bench.house import House
from tests.bench.load import fill
from tests.bench.process import cpu_seconds, memory_mb
from tests.bench.progress import at_rest
from tests.bench.shop import Shop, Visit
from tests.bench.throughput import SPAN

SESSION = 8
"""Events of one visit: they come by one device."""
DEVICES = ("phone", "laptop")


@dataclass(frozen=True)
class Scale:
    """How much is done."""

    events: int = 50_000
    customers: int = 1_000


class Linked:
    """The traffic, and by which ids it comes. Each row is a shop of its own in the installation of its round."""

    def __init__(self, house: House, scale: Scale) -> None:
        self._house = house
        shop = Shop(scale.customers)
        self._met = [(key, replace(event, anonymous="")) for key, event in shop.introductions(time.time())]
        self._visits = [*in_sessions(shop.visits(scale.events))]

    async def prepare(self, name: str) -> Settings:
        """An installation, empty."""
        return await self._house.installation(name)

    async def spread(self, settings: Settings) -> Figures:
        """Linked, and never logged in."""
        met = [introduced("spread", visit) for visit in self._met]
        return await self._run(settings, met, [by_device("spread", visit) for visit in self._visits])

    async def logged_in(self, settings: Settings) -> Figures:
        """Linked, and logged in."""
        met = [introduced("in", visit) for visit in self._met]
        return await self._run(settings, met, [by_user("in", visit) for visit in self._visits])

    async def single(self, settings: Settings) -> Figures:
        """One id each."""
        met = [(named("one", key), event) for key, event in self._met]
        return await self._run(settings, met, [(named("one", key), event) for key, event in self._visits])

    async def _run(self, settings: Settings, met: list[Visit], visits: list[Visit]) -> Figures:
        """All introduce themselves and are linked, before anything is measured; then comes the traffic, at once."""
        store, now = open_store(settings), time.time()
        dated(met, now - 2 * SPAN, SPAN)
        dated(visits, now - SPAN, SPAN)
        ward = await asyncio.to_thread(self._house.worker, settings)
        try:
            await fill(settings, met)
            await at_rest(settings, store)
            cpu, since = cpu_seconds(ward.pid), time.monotonic()
            await fill(settings, visits)
            await at_rest(settings, store)
            cpu, seconds = cpu_seconds(ward.pid) - cpu, time.monotonic() - since
            return Figures(cpu / len(visits) * 1e6, len(visits) / seconds, memory_mb(ward.pid))
        finally:
            await asyncio.to_thread(ward.stop)
            await store.close()


def in_sessions(visits: Iterator[Visit]) -> Iterator[Visit]:
    """A customer's events, so many a session; its number tells the device."""
    count = Counter[bytes]()
    for key, event in visits:
        yield key, replace(event, anonymous="", session=f"s-{count[key] // SESSION}")
        count[key] += 1


def named(shop: str, key: bytes) -> bytes:
    return f"{shop}-{key.decode()}".encode()


def introduced(shop: str, visit: Visit) -> Visit:
    """The card is shown, and both devices are known."""
    key, event = named(shop, visit[0]), visit[1]
    links = [Link(ANONYMOUS, f"{device}-{key.decode()}") for device in DEVICES]
    return key, replace(event, links=[*links, Link("card", key.decode())])


def device(key: bytes, event: Event) -> str:
    return f"{DEVICES[int(event.session[2:]) % len(DEVICES)]}-{key.decode()}"


def by_device(shop: str, visit: Visit) -> Visit:
    """Nobody says who it is."""
    key, event = named(shop, visit[0]), visit[1]
    at_the_till = event.name == ORDERED and event.channel == STORE
    return (key_of("card", key.decode()) if at_the_till else device(key, event)).encode(), event


def by_user(shop: str, visit: Visit) -> Visit:
    """The device knows who it is; the till knows the card."""
    key, event = named(shop, visit[0]), visit[1]
    if event.name == ORDERED and event.channel == STORE:
        return key_of("card", key.decode()).encode(), event
    return key, replace(event, anonymous=device(key, event))


def dated(visits: list[Visit], start: float, span: float) -> None:
    """One after the other, from `start` on."""
    for number, (_, event) in enumerate(visits):
        event.time = event.received = start + number * span / len(visits)
