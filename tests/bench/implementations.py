"""Who is compared with whom: one table. A row says how to measure one implementation, and what it leaves out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from streams.settings import Settings
from tests.bench import latency, linked, posts, reads, sealed, throughput
from tests.bench.figures import Figures
from tests.bench.house import House

Measure = Callable[[Settings], Awaitable[Figures]]


@dataclass(frozen=True)
class Bench:
    """One benchmark: `work` (made once, of a house and a scale) prepares a round; a row names a method of it."""

    work: Callable[[House, Any], Any]
    scale: Any
    rows: dict[str, str]
    """Implementation -> what it does not do. Kairos comes first: others are set against it."""


BENCHES: Final = {
    "throughput": Bench(
        throughput.Throughput,
        throughput.Scale(),
        {
            "kairos": "",
            "loop": "fetches, decodes, counts per customer in memory; no state in Redis, no plays, no duplicates",
        },
    ),
    "latency": Bench(
        latency.Latency,
        latency.Scale(),
        {"kairos": "", "echo": "the event itself, produced and seen: no worker"},
    ),
    "collector": Bench(
        posts.Posts,
        posts.Scale(),
        {"kairos": "", "plain": "reads and parses the body; no keys, no checks, no Kafka"},
    ),
    "linked": Bench(
        linked.Linked,
        linked.Scale(),
        {
            "spread": "",
            "logged_in": "events come by the userId beside the device's id, only receipts by another",
            "single": "no links: each customer has one id",
        },
    ),
    "sealed-throughput": Bench(
        sealed.SealedThroughput, throughput.Scale(), {"kairos": "", "plain": "opens nothing: the same logs, not sealed"}
    ),
    "sealed-collector": Bench(sealed.SealedPosts, posts.Scale(), {"kairos": "", "plain": "seals nothing"}),
    "profile": Bench(reads.Reads, reads.Scale(), {"kairos": ""}),
}
"""`kairos bench NAME`. A row's name is the method of `work` that measures it."""
