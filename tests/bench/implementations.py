"""Who is compared with whom: one table. A row says how to measure one implementation, and what it leaves out."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from streams.settings import Settings
from tests.bench import latency, linked, posts, reads, scale, sealed, throughput, whole
from tests.bench.figures import Figures
from tests.bench.house import House
from tests.bench.w import bench as w
from tests.bench.w import peers

Measure = Callable[[Any, str, Any], Awaitable[Figures]]
"""(work, row, what was prepared) -> figures."""


async def by_name(work: Any, row: str, settings: Settings) -> Figures:
    """A row names a method of the work."""
    found: Figures = await getattr(work, row)(settings)
    return found


@dataclass(frozen=True)
class Bench:
    """One benchmark: `work` (made once, of a house and a scale) prepares a round; `measure` measures a row in it."""

    work: Callable[[House, Any], Any]
    scale: Any
    rows: dict[str, str]
    """Implementation -> what it does not do. Kairos comes first: others are set against it."""
    measure: Measure = by_name
    usual: tuple[str, ...] = ()
    """Who is measured beside Kairos when nobody is named; of a bench without it all are, always."""
    missing: Callable[[str], str] = lambda row: ""
    """Why a row cannot be measured here; empty when it can."""
    versions: Callable[[Iterable[str]], dict[str, str]] = lambda rows: {}
    """Of what rows are made of."""
    pairs: tuple[tuple[str, str], ...] = ()
    """What is set against what; without it the first row against each other."""

    def compared(self, rows: Iterable[str]) -> list[tuple[str, str]]:
        """Pairs of rows that were measured, each with what it is set against."""
        first, *others = rows
        pairs = self.pairs or [(first, other) for other in others]
        return [pair for pair in pairs if {*pair} <= {first, *others}]

    def chosen(self, beside: Iterable[str]) -> list[str]:
        """Rows to measure, of those named or the usual ones, whether they can be or not."""
        if not self.usual:
            return list(self.rows)
        first, *others = self.rows
        return [first, *(row for row in others if row in (beside or self.usual))]


LATENCY: Final = {"kairos": "", "echo": "the event itself, produced and seen: no worker"}

BENCHES: Final = {
    "whole": Bench(
        whole.Whole,
        throughput.Scale(),
        {
            "kairos": "",
            "shipped": "the shipped playbook alone, without the seven plays more",
            "loop": "fetches, decodes, counts per customer in memory; no state in Redis, no plays, no duplicates",
        },
    ),
    "latency": Bench(
        latency.Latency,
        latency.Scale(),
        {f"{who}{pace}": what for pace in ("", "-few", "-half") for who, what in LATENCY.items()} | {"idle": ""},
        latency.Latency.measure,
        pairs=tuple((f"kairos{pace}", f"echo{pace}") for pace in ("", "-few", "-half")),
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
    "scale": Bench(scale.Growth, scale.Scale(), scale.ROWS, scale.Growth.measure, pairs=scale.PAIRS),
    "profile": Bench(reads.Reads, reads.Scale(), {"kairos": ""}),
    "w": Bench(w.W, w.Scale(), peers.ROWS, w.W.measure, ("loop",), peers.missing, peers.versions),
}
"""`kairos bench NAME`."""
