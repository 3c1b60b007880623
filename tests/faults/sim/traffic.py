"""Customers: what they do, and in what shape, order and number it reaches the logs.

A record may come late, twice or not be readable at all; a stranger may write in a transaction.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from processors.markers import markers
from schemas.identity import Marker
from schemas.topics import CART, CLICKSTREAM, FEEDBACK, INPUTS, PARTS, POS, TRIGGERS, partition_of
from tests.faults.sim.clock import START
from tests.faults.sim.crowd import Crowd
from tests.faults.sim.kafka import Transaction

if TYPE_CHECKING:
    from tests.faults.sim.history import History

PRODUCTS: Final = ("boots", "tent", "stove", "rope", "lamp", "map")
HOST: Final = b"customer-0"
GUEST: Final = b"guest-0"
"""Who also comes by another id, which is linked in the middle of it all."""
LEAVER: Final = b"leaver-0"
PHONE: Final = b"leaver-phone"
"""Who asks to be forgotten amid it all, and their other id."""
NONE: Final = frozenset[bytes]()
LEAVES_EVERY: Final = 11
"""Only in every such history: so seeds that are known to break without a guard stay the histories they were."""
LINKED_EVERY: Final = 2
"""In every such history customers have several ids, and stand in segments and stages."""
NOTHING: Final = b'{"path": ["nobody"], "belongings": {}}'
DOINGS: Final = {
    "Product Viewed": (CLICKSTREAM, 34),
    "Products Searched": (CLICKSTREAM, 6),
    "Customer Identified": (CLICKSTREAM, 6),
    "Product Added": (CART, 24),
    "Product Removed": (CART, 5),
    "Checkout Started": (CART, 6),
    "Order Completed": (POS, 12),
    "Order Refunded": (POS, 2),
    "feedback": (FEEDBACK, 5),
}
"""What a customer does -> its topic, and how often of a hundred."""
SILENCE: Final = 4.0
"""Seconds after which the play `abandoned` speaks."""
BAD: Final[tuple[Callable[[bytes], bytes | None], ...]] = (
    lambda value: b"{" + value,
    lambda value: value[: len(value) // 2],
    lambda value: b'{"name": "Product Viewed"}',
    lambda value: value.replace(b'"time"', b'"when"'),
    lambda value: b"\xff\xfe" + value,
    lambda value: None,
)


class Traffic:
    """Writes events into the logs."""

    def __init__(self, history: "History") -> None:
        self.history, self.chance = history, history.chance
        self.customers = [f"customer-{n}".encode() for n in range(history.profile.customers)]
        self._numbers = count(1)
        self.crowd = Crowd(self) if history.linked else None
        self.linked = frozenset(self.crowd.ids if self.crowd else (HOST, GUEST, LEAVER, PHONE))
        """Ids of persons who have several."""
        self.leaver = self.crowd.leaver if self.crowd else LEAVER if history.leaves else b""
        """Who asks to be forgotten; empty: nobody."""
        self.gone = frozenset(self.crowd.kin(self.leaver) if self.crowd else (LEAVER, PHONE)) if self.leaver else NONE
        """The ids it has to do with."""

    async def run(self) -> None:
        """All events of a history, those of the backlog first."""
        profile, chance = self.history.profile, self.chance
        moments = sorted(chance.uniform(-profile.backlog, profile.seconds - 1.0) for _ in range(profile.events))
        if self.crowd:
            self.crowd.live()
        elif self.history.leaves:
            self._leave()
        for moment in moments:
            await asyncio.sleep(max(0.0, moment - self.history.loop.time()))
            self._happen(START + moment)

    def flush(self) -> None:
        """One more event in each log whose last fetch may be lost: the next record tells of the gap."""
        known = [*self.customers, *sorted(self.gone)]
        for topic, partition in sorted(self.history.lost):
            ours = [one for one in known if partition_of(one, self.history.profile.partitions) == partition]
            key = ours[0] if ours else self._passer_by(partition)
            if topic == PARTS:
                self.append(topic, partition, key, NOTHING)
                continue
            name = next(name for name, (where, _) in DOINGS.items() if where == topic)
            self.append(topic, partition, key, self.value(name, START + self.history.loop.time()))

    def look(self, partition: int, moments: Sequence[float]) -> None:
        """Somebody new looks at products, after so many seconds each; the log has it at once."""
        key = self._passer_by(partition)
        for seconds in moments:
            self.history.later(seconds, self._do, "Product Viewed", partition, key)

    def photo_finish(self, partition: int) -> None:
        """Somebody new fills a cart, and the order reaches its log just when the silence after it has lasted; somebody
        else looks at something shortly before, so that there is a turn."""
        key, off = self._passer_by(partition), self.history.profile.clock_bound / 2
        self._do("Product Added", partition, key)
        self.look(partition, [SILENCE + off * self.chance.uniform(-0.8, 0.0)])
        self.history.later(SILENCE + off * self.chance.uniform(0.2, 1.0), self._do, "Order Completed", partition, key)

    def _passer_by(self, partition: int) -> bytes:
        count = self.history.profile.partitions
        return next(key for n in self._numbers if partition_of(key := b"passer-by-%d" % n, count) == partition)

    def _do(self, name: str, partition: int, key: bytes) -> None:
        value = self.value(name, START + self.history.loop.time())
        self.append(DOINGS[name][0], partition, key, value)

    def _happen(self, time: float) -> None:
        """Something happens, and sooner or later is in the log."""
        chance = self.chance
        names, weights = list(DOINGS), [weight for _, weight in DOINGS.values()]
        known = self.customers if self.crowd else [*self.customers, GUEST]
        key, name = chance.choice(known), chance.choices(names, weights)[0]
        self.reach(DOINGS[name][0], key, self.value(name, time, key == HOST))

    def reach(self, topic: str, key: bytes, value: bytes) -> None:
        """What happened is sooner or later in the log; or not as it should be."""
        chance, odds = self.chance, self.history.profile.odds
        delay = chance.expovariate(2.0) if chance.random() > odds.late else chance.uniform(1.0, 12.0)
        if chance.random() < odds.poison:
            self._poison(topic, key, value, delay)
            return
        self._send(topic, key, value, delay)
        while chance.random() < odds.duplicate:
            self._send(topic, key, value, delay + chance.uniform(0.0, 8.0))

    def do(self, key: bytes, name: str, fields: dict[str, Any]) -> None:
        """Something happens now; `fields`: what else the event says."""
        event = json.loads(self.value(name, START + self.history.loop.time()))
        event.pop("anonymous", None)
        self.reach(DOINGS[name][0], key, json.dumps(event | fields).encode())

    def number(self) -> int:
        """One nobody had."""
        return next(self._numbers)

    def _leave(self) -> None:
        """The leaver does things by both ids, is erased in the middle of it, and goes on."""
        chance, seconds, later = self.chance, self.history.profile.seconds, self.history.later
        for _ in range(40):
            moment, key = chance.uniform(0.0, seconds - 1.0), chance.choice((LEAVER, PHONE))
            name = chance.choice(list(DOINGS))
            event = json.loads(self.value(name, START + moment))
            event.pop("anonymous", None)
            if key == LEAVER and name != "feedback" and chance.random() < 0.4:
                event["anonymous"] = PHONE.decode()
            place = DOINGS[name][0], partition_of(key, self.history.profile.partitions)
            later(moment, self.append, *place, key, json.dumps(event).encode())
        moment = chance.uniform(0.3, 0.7) * seconds
        marker = Marker("erase", LEAVER.decode(), by="simulator", why="asked")
        for _, message in markers(LEAVER.decode(), marker, "leave", START + moment):
            partition = partition_of(LEAVER, self.history.profile.partitions)
            later(moment + chance.uniform(0.0, 3.0), self.append, message.topic, partition, LEAVER, message.value)

    def value(self, name: str, time: float, host: bool = False) -> bytes:
        chance, number = self.chance, next(self._numbers)
        time += number * 1e-6  # no two at one time
        if name == "feedback":
            said = chance.choice(("delivered", "opened", "clicked"))
            channel = chance.choice(("web", "push", "email"))
            fields = {"id": f"said-{number}", "trigger": "t", "what": said, "time": time, "channel": channel}
            return json.dumps(fields).encode()
        event: dict[str, Any] = {"id": f"event-{number}", "name": name, "time": time}
        event["channel"] = chance.choice(("web", "web", "app", "store"))
        if name in ("Product Viewed", "Product Added", "Product Removed", "Order Completed"):
            many = chance.randint(1, 2)
            event["products"] = [self._product(product) for product in chance.sample(PRODUCTS, many)]
        if name == "Customer Identified":
            event["traits"] = {
                "consent": {"marketing": chance.random() < 0.8},
                "zone": chance.choice(("UTC", "Europe/Berlin")),
                "name": chance.choice(("Ann", "Bob")),
            }
        if name.startswith("Order"):
            event |= {"total": chance.randint(5, 40) * 1_000_000, "currency": "EUR", "order": f"order-{number}"}
        if chance.random() < 0.2:
            event |= {"session": f"session-{number % 7}", "anonymous": f"anonymous-{number % 3}"}
        if host and not self.crowd and chance.random() < 0.3:
            event["anonymous"] = GUEST.decode()
        return json.dumps(event).encode()

    def _product(self, product: str) -> dict[str, Any]:
        price = (PRODUCTS.index(product) + 1) * 3_000_000
        named = {"name": product.title(), "category": product[0]}
        return {"id": product, "price": price, "quantity": self.chance.randint(1, 3)} | named

    def _poison(self, topic: str, key: bytes, value: bytes, delay: float) -> None:
        chance, partitions = self.chance, self.history.profile.partitions
        kind = chance.random()
        if kind < 0.6:
            self._send(topic, key, chance.choice(BAD)(value), delay)
        elif kind < 0.75:
            self._send(topic, chance.choice((None, b"", b"a\x00b", b"\xff\xfe", b"x" * 200)), value, delay)
        elif kind < 0.9 or partitions == 1:
            self._later(delay, TRIGGERS, partition_of(key, partitions), key, b'{"id": "nobody decided this"}')
        else:
            wrong = (partition_of(key, partitions) + 1) % partitions
            self._later(delay, topic, wrong, key, value)

    def _send(self, topic: str, key: bytes | None, value: bytes | None, delay: float) -> None:
        self._later(delay, topic, partition_of(key or b"", self.history.profile.partitions), key, value)

    def _later(self, delay: float, topic: str, partition: int, key: bytes | None, value: bytes | None) -> None:
        if self.history.loop.time() == 0.0 and delay < self.history.profile.backlog:
            self.append(topic, partition, key, value)
        else:
            self.history.later(delay, self.append, topic, partition, key, value)

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> None:
        broker = self.history.broker
        broker.logs[topic, partition].append(key, value, broker.now())

    def stranger(self) -> None:
        """Somebody writes events in a transaction, takes a while, and commits or aborts."""
        chance, broker = self.chance, self.history.broker
        key, transaction = chance.choice(self.customers), Transaction(broker.now())
        place = chance.choice([topic for topic in INPUTS if topic not in (TRIGGERS, PARTS)]), 0
        place = place[0], partition_of(key, self.history.profile.partitions)
        name = next(name for name, (where, _) in DOINGS.items() if where == place[0])
        transaction.places.append(place)
        value = self.value(name, START + self.history.loop.time())
        broker.logs[place].append(key, value, broker.now(), transaction)

        def finish(commit: bool) -> None:
            transaction.committed = commit
            broker.finish(transaction)

        self.history.later(chance.uniform(0.1, 5.0), finish, chance.random() < 0.5)
