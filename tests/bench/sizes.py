"""Bytes a customer takes in Redis, of real events: facts, digests of message ids, decisions of the shipped playbook.

Run as `python -m tests.bench.sizes FORMAT FILE`, FORMAT as `kairos replay` has it. Everything is folded in memory.
With a second FORMAT FILE, of tills, customers of the first are given cards of the second, in the middle and by chance
(`tests.live.shops`): told are the bytes of these persons, all ids together, without the links and with them.
"""

import sys
from collections import defaultdict
from itertools import count
from pathlib import Path

from processors.decide import Decider
from processors.playbook import read_playbook
from processors.turn import Turn, by_customer
from schemas.customer import Customer, encode_customer
from schemas.event import IDENTIFIED, Event, encode_event
from schemas.facts import Seen
from schemas.identity import Link, key_of
from schemas.topics import CLICKSTREAM, EVENTS, PARTS
from schemas.wire.names import ROUTES
from streams.tools.replay.command import FORMATS
from streams.tools.replay.file import File, items
from streams.tools.replay.rows import Row
from tests.live.shops import pairs

PLAYBOOK = Path(__file__).parents[2] / "deploy" / "playbook.yaml"
TURN = 1_000
FOLDED = (PARTS, *EVENTS)


class Read:
    """A record of a log."""

    __slots__ = ("key", "offset", "timestamp", "topic", "value")

    def __init__(self, topic: str, key: bytes, value: bytes, offset: int, time: float) -> None:
        self.topic, self.key, self.value = topic, key, value
        self.offset, self.timestamp = offset, int(time * 1000)


def folded(rows: list[Row]) -> dict[bytes, Customer]:
    """All customers after all rows. Timers that are due fire between two turns; what one id tells another is heard in
    the next."""
    loaded = read_playbook(PLAYBOOK.read_text())
    decider = Decider("sizes", loaded.playbook, loaded.conditions, loaded.version)
    customers: dict[bytes, Customer] = defaultdict(decider.blank)
    wake: dict[bytes, float] = {}
    offsets = count()
    told: list[Read] = []
    now, start = 0.0, 0
    while start < len(rows) or told:
        batch = rows[start : start + TURN]
        start, now = start + TURN, batch[-1].event.time if batch else now
        records = [*told, *(read(row, next(offsets)) for row in batch)]
        for record in records:
            customers[record.key]
        turn: Turn[Customer] = Turn(now, now, customers)
        batches = ((topic, [record for record in records if record.topic == topic]) for topic in FOLDED)
        for key, mine in by_customer(batches).items():
            decider.absorb(turn, key, mine)
        decider.awaken(turn, [key for key, when in wake.items() if when <= now])
        for key, when in turn.wake.items():
            wake.pop(key, None)
            if when is not None:
                wake[key] = when
        messages = [message for _, message in turn.messages if message.topic in FOLDED]
        told = [Read(m.topic, m.key or b"", m.value or b"", next(offsets), now) for m in messages]
    return customers


def read(row: Row, offset: int) -> Read:
    topic = ROUTES.get(row.event.name, CLICKSTREAM)
    return Read(topic, row.customer.encode(), encode_event(row.event), offset, row.event.time)


def sizes(customer: Customer) -> tuple[int, int, int]:
    """Bytes of facts, of digests, of decisions."""
    whole = len(encode_customer(customer))
    customer.decisions, decided = None, whole
    decided -= (kept := len(encode_customer(customer)))
    for facts in (customer.clickstream, customer.cart, customer.pos, customer.feedback):
        if facts is not None:
            facts.seen = Seen()
    return (bare := len(encode_customer(customer))), kept - bare, decided


def rows_of(name: str, path: str) -> list[Row]:
    """In the order of time."""
    with File(Path(path)) as file:
        rows = [item for item in items(file, FORMATS[name].read) if isinstance(item, Row)]
    return sorted(rows, key=lambda row: row.event.time)


def with_cards(clicks: list[Row], tills: list[Row]) -> tuple[list[Row], dict[str, str]]:
    """Rows of both, the tills' moved to end when the clicks do, and who is given which card."""
    later = clicks[-1].event.time - tills[-1].event.time
    for row in tills:
        row.event.time += later
        row.customer = key_of("card", row.customer) if row.known else row.customer
    owners = pairs({row.customer for row in tills if row.known}, {row.customer for row in clicks})
    return sorted([*clicks, *tills], key=lambda row: row.event.time), owners


def links(rows: list[Row], owners: dict[str, str]) -> list[Row]:
    """The same rows, with the links in the middle."""
    middle = len(rows) // 2
    at = rows[middle].event.time

    def shown(card: str, user: str) -> Row:
        said = Event(f"link-{card}", IDENTIFIED, at, links=[Link("card", card.partition(":")[2])])
        return Row(0, user, said)

    return [*rows[:middle], *(shown(*pair) for pair in owners.items()), *rows[middle:]]


def person(customers: dict[bytes, Customer], ids: tuple[str, str]) -> tuple[int, int, int]:
    """Of all ids together."""
    found = [sizes(customers[id.encode()]) for id in ids if id.encode() in customers]
    facts, digests, decisions = (sum(each) for each in zip(*found, strict=True))
    return facts, digests, decisions


def tell(title: str, found: list[tuple[int, int, int]]) -> None:
    print(f"{title}: {len(found):,} customers; bytes p50, p99, most")
    all_of_it = [(*one, sum(one)) for one in found]
    for what, each in zip(("facts", "digests", "decisions", "all"), zip(*all_of_it, strict=True), strict=True):
        told = sorted(each)
        print(f"{what:<10} {told[len(told) // 2]:>6,} {told[int(len(told) * 0.99)]:>6,} {told[-1]:>6,}")


def main(name: str, path: str, *tills: str) -> None:
    rows = rows_of(name, path)
    if not tills:
        tell(f"{name}, {len(rows):,} events", [sizes(customer) for customer in folded(rows).values()])
        return
    rows, owners = with_cards(rows, rows_of(*tills))
    for title, each in (("not linked", rows), ("linked", links(rows, owners))):
        customers = folded(each)
        tell(title, [person(customers, pair) for pair in owners.items()])


if __name__ == "__main__":
    main(*sys.argv[1:])
