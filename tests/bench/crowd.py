"""Customers of any number, of whom at any time as many are about, and what is remembered of them already.

How it works. *Equal locality*: `hot` customers are about at a time, and each event is of one of them, by chance. After
every VISIT events the one who has been about longest goes and the next of the crowd comes; after the last the first
comes again. So turns see the same customers as often in each crowd, a visit has VISIT events on average, and only how
many the others are differs. A small crowd comes again and again, and is remembered by more and more; that its states
may be no larger than those of a large one, who comes has as many events behind them in every crowd, halfway through
what is measured: the fewer come again, the more they begin with (`earlier`). Of all the others one visit is remembered.

What is remembered is made by the fold itself, of DIFFERENT customers, and written into the slots over and over under
other keys, in the fields the engine uses.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from redis.asyncio import Redis

from processors.decide import Decider
from processors.playbook import read_playbook
from processors.turn import Turn, by_customer
from schemas.customer import Waiting
from schemas.event import encode_event
from schemas.families import read_families
from schemas.topics import CLICKSTREAM, partition_of
from streams.settings import Settings
from tests.bench.shop import Shop, Visit, key
from tests.bench.sizes import Read
from tests.bench.w.work import FACTS

VISIT = 8
"""Events."""
SETTLED = 40
"""Events behind those who come, halfway through what is measured."""
DIFFERENT = 500
SPAN = 3_600.0
"""Seconds that remembered events took."""
CHUNK = 2_000
"""Customers written at once."""


@dataclass(frozen=True)
class Crowd:
    """How many there are, and how many of them are about."""

    customers: int
    hot: int
    events: int
    """To come, of all together; the second half of them is measured."""

    @property
    def coming(self) -> int:
        """How many of them come."""
        return min(self.customers, self.events // VISIT + self.hot)

    @property
    def earlier(self) -> int:
        """Events remembered of each who comes."""
        return max(VISIT, SETTLED - round(self.events * 0.75 / self.coming))

    def visits(self) -> Iterator[Visit]:
        """Their events; W joins no ids, so each has one."""
        chance = random.Random(5)
        numbers = ((n // VISIT + chance.randrange(self.hot)) % self.customers for n in range(self.events))
        for visit in Shop(0).visits_of([key(number) for number in numbers]):
            visit[1].anonymous = ""
            yield visit


@dataclass(frozen=True)
class Known:
    """What is remembered of a customer."""

    value: bytes
    wake: float | None = None


def known(book: str, events: int, until: float, silent: str = "") -> list[Known]:
    """DIFFERENT customers after so many events each, the last of them at `until`. `silent`: a play whose silence all of
    them wait for, each to another time; nobody waits otherwise."""
    loaded, kept = read_playbook(book), read_families(FACTS)
    decider = Decider("known", loaded.playbook, loaded.conditions, loaded.version, kept=kept)
    customers = {key(number): decider.blank() for number in range(DIFFERENT)}
    turn, records = (
        Turn(until, until, customers),
        _records(Shop(0, seed=events).visits_of([*customers] * events), until),
    )
    for who, mine in by_customer([(CLICKSTREAM, records)]).items():
        decider.absorb(turn, who, mine)
    after = next((play.after or 0.0 for play in loaded.playbook.plays if play.id == silent), 0.0)
    found = []
    for number, customer in enumerate(customers.values()):
        assert customer.clickstream and customer.decisions
        customer.clickstream.next = 0  # in the logs to come nothing is read yet
        customer.decisions.waiting, armed = {}, until - SPAN * number / DIFFERENT
        if silent:
            customer.decisions.waiting[silent] = Waiting(armed + after, armed, f"{number:032x}", "Product Added")
        found.append(Known(decider.encode(customer), armed + after if silent else None))
    return found


def _records(visits: Iterable[Visit], until: float) -> Iterator[Read]:
    all_of_them = list(visits)
    for number, (customer, event) in enumerate(all_of_them):
        event.anonymous = ""
        event.time = event.received = until - SPAN + SPAN * number / len(all_of_them)
        yield Read(CLICKSTREAM, customer, encode_event(event), number, event.time)


async def remember(settings: Settings, numbers: Iterable[int], what: Callable[[int], Known]) -> None:
    """Write states and timers of customers into the slots. Tokens, places and counters stay as they are."""
    async with Redis.from_url(settings.redis) as redis:
        rest = iter(numbers)
        while chunk := list(islice(rest, CHUNK)):
            pipeline = redis.pipeline(transaction=False)
            for name, fields in _fields(settings, chunk, what).items():
                pipeline.execute_command("ZADD" if name.endswith(":timers") else "HSET", name, *fields)
            await pipeline.execute()


def _fields(settings: Settings, numbers: Iterable[int], what: Callable[[int], Known]) -> dict[str, list[bytes | str]]:
    """Key in Redis -> what is added there."""
    found: dict[str, list[bytes | str]] = defaultdict(list)
    for number in numbers:
        customer, one = key(number), what(number)
        slot = f"{{{settings.app}:{partition_of(customer, settings.partitions):03}}}"
        found[f"{slot}:customers"] += customer, one.value
        if one.wake is not None:
            found[f"{slot}:timers"] += repr(one.wake), customer
    return found
