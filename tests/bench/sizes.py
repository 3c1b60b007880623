"""Bytes a customer takes in Redis, of real events: facts, digests of message ids, decisions of the shipped playbook.

Run as `python -m tests.bench.sizes FORMAT FILE`, FORMAT as `kairos replay` has it. Everything is folded in memory.
"""

import sys
from collections import defaultdict
from pathlib import Path

from processors.decide import Decider
from processors.playbook import read_playbook
from processors.turn import Turn
from schemas.customer import Customer, encode_customer
from schemas.event import encode_event
from schemas.facts import Seen
from schemas.topics import CLICKSTREAM
from schemas.wire.names import ROUTES
from streams.tools.replay.command import FORMATS
from streams.tools.replay.file import File, items
from streams.tools.replay.rows import Row

PLAYBOOK = Path(__file__).parents[2] / "deploy" / "playbook.yaml"
TURN = 1_000


class Read:
    """A record of a log."""

    __slots__ = ("key", "offset", "timestamp", "value")

    def __init__(self, row: Row, offset: int) -> None:
        self.key, self.value = row.customer.encode(), encode_event(row.event)
        self.offset, self.timestamp = offset, int(row.event.time * 1000)


def folded(rows: list[Row]) -> dict[bytes, Customer]:
    """All customers after all rows. Timers that are due fire between two turns."""
    loaded = read_playbook(PLAYBOOK.read_text())
    decider = Decider("sizes", loaded.playbook, loaded.conditions, loaded.version)
    customers: dict[bytes, Customer] = defaultdict(decider.blank)
    wake: dict[bytes, float] = {}
    for start in range(0, len(rows), TURN):
        batch = rows[start : start + TURN]
        now = batch[-1].event.time
        topics: dict[str, list[Read]] = {}
        for at, row in enumerate(batch, start):
            topics.setdefault(ROUTES.get(row.event.name, CLICKSTREAM), []).append(Read(row, at))
            customers[row.customer.encode()]
        turn: Turn[Customer] = Turn(now, now, customers)
        for topic, records in topics.items():
            decider.absorb(turn, topic, records)
        decider.awaken(turn, [key for key, when in wake.items() if when <= now])
        for key, when in turn.wake.items():
            wake.pop(key, None)
            if when is not None:
                wake[key] = when
    return customers


def sizes(customer: Customer) -> tuple[int, int, int]:
    """Bytes of facts, of digests, of decisions."""
    whole = len(encode_customer(customer))
    customer.decisions, decided = None, whole
    decided -= (kept := len(encode_customer(customer)))
    for facts in (customer.clickstream, customer.cart, customer.pos, customer.feedback):
        if facts is not None:
            facts.seen = Seen()
    return (bare := len(encode_customer(customer))), kept - bare, decided


def main(name: str, path: str) -> None:
    with File(Path(path)) as file:
        rows = [item for item in items(file, FORMATS[name].read) if isinstance(item, Row)]
    rows.sort(key=lambda row: row.event.time)
    found = [sizes(customer) for customer in folded(rows).values()]
    print(f"{name}: {len(rows):,} events, {len(found):,} customers; bytes p50, p99, most")
    for what, each in zip(("facts", "digests", "decisions"), zip(*found, strict=True), strict=True):
        told = sorted(each)
        print(f"{what:<10} {told[len(told) // 2]:>6,} {told[int(len(told) * 0.99)]:>6,} {told[-1]:>6,}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
