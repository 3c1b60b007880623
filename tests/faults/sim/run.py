"""Runs many histories on all cores, and says what was broken and what was seen."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import structlog

from streams.engine import poison
from tests.faults.sim.ablations import ablated
from tests.faults.sim.history import Outcome, run

AT_ONCE = 10
"""Seeds a process is given at a time."""
MUST_SEE = (
    "rewinds",
    "zombies",
    "kill",
    "fenced produces",
    "refused tokens",
    "revoked triggers",
    "lost replies",
    "late commits",
    "late takes",
    "late ends",
    "relived ends",
    "stale fetches",
    "aborted transactions",
    "timers fired",
    "timers cancelled",
    "halts",
    "rewinds of links made",
    "rewinds of parts told",
    "rewinds of parts read",
    "parts refused as older",
    "parts passed on",
    "chains",
    "splits",
    "stretches cut",
)
"""What a run of many histories must have met: else it proves nothing."""


@dataclass
class Report:
    """What a run came to."""

    histories: int = 0
    broken: dict[int, list[str]] = field(default_factory=dict)
    """Seed -> what is broken."""
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        self.histories += 1
        self.counts.update(outcome.counts)
        if outcome.faults:
            self.broken[outcome.seed] = outcome.faults

    def kinds(self) -> Counter[str]:
        """Kind of fault -> how many histories show it."""
        return Counter(kind for faults in self.broken.values() for kind in {f.partition(":")[0] for f in faults})

    def unseen(self) -> list[str]:
        return [name for name in MUST_SEE if not self.counts[name]]


def play(seeds: list[int], ablation: str = "") -> list[Outcome]:
    """Some histories, one after the other, in this process."""
    prepare()
    with_what = []
    for seed in seeds:
        with ablated(ablation):
            with_what.append(run(seed))
    return with_what


def prepare() -> None:
    """For this process: no log lines, they would be many; and a window of poison that fits a short history."""
    poison.WINDOW = 10
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def play_all(seeds: Iterable[int], ablation: str = "", processes: int = 0) -> Iterator[Outcome]:
    """Many histories in processes of their own, in the order of the seeds.

    They get a fixed order of sets: a seed is the same history in each of them."""
    os.environ["PYTHONHASHSEED"] = "0"
    todo = list(seeds)
    parts = [todo[at : at + AT_ONCE] for at in range(0, len(todo), AT_ONCE)]
    count = min(processes or os.cpu_count() or 1, len(parts))
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        try:
            for outcomes in pool.map(play, parts, [ablation] * len(parts)):
                yield from outcomes
        finally:
            pool.shutdown(cancel_futures=True)  # who asks may have seen enough
