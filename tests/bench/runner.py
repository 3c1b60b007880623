"""Runs benchmarks: rounds, each with all implementations in turn, every second round the other way about.

A machine's speed drifts, so figures are only compared within a round, and told as medians with their range.
"""

import gc
from collections.abc import Callable
from typing import Any

import uvloop
from rich.progress import Progress

from streams.tools.guarded import Guarded
from tests.bench.figures import Figures, machine, ratio, summary, versions
from tests.bench.house import House
from tests.bench.implementations import BENCHES, Bench
from tests.bench.process import check_platform

Step = Callable[[str], None]


def names() -> list[str]:
    """What can be asked for."""
    return [*BENCHES, "all"]


def run(name: str, rounds: int, progress: Progress, tell: Callable[[dict[str, Any]], None]) -> None:
    """Run one benchmark or all, telling the report of each. Raises Failed, Missing."""
    check_platform()
    wanted = {name: BENCHES[name]} if name in BENCHES else BENCHES
    total = sum(rounds * len(bench.rows) for bench in wanted.values())
    with Guarded() as guard, progress:
        task = progress.add_task("starting Kafka and Redis", total=total)
        house = House(guard)
        house.open(progress.console.print)
        for one, bench in wanted.items():

            def step(what: str, one: str = one) -> None:
                progress.update(task, advance=1, description=f"{one}: {what}")

            found = uvloop.run(measure(house, one, bench, rounds, step))
            tell(report(house, one, bench, rounds, found))


async def measure(house: House, name: str, bench: Bench, rounds: int, step: Step) -> dict[str, list[Figures]]:
    """All rounds: implementation -> its figures."""
    work = bench.work(house, bench.scale)
    gc.collect()
    gc.freeze()
    found: dict[str, list[Figures]] = {row: [] for row in bench.rows}
    for number in range(rounds):
        settings = await work.prepare(f"{name}-{number}")
        for row in list(bench.rows) if number % 2 == 0 else reversed(bench.rows):
            found[row].append(await getattr(work, row)(settings))
            step(f"round {number + 1}, {row}")
    return found


def report(house: House, name: str, bench: Bench, rounds: int, found: dict[str, list[Figures]]) -> dict[str, Any]:
    """What `--json` prints."""
    first, *others = bench.rows
    return {
        "bench": name,
        "machine": machine(),
        "versions": versions() | house.versions(),
        "rounds": rounds,
        "scale": vars(bench.scale),
        "implementations": {row: summary(found[row], does_not) for row, does_not in bench.rows.items()},
        "ratios": {f"{first}/{other}": ratio(found, first, other) for other in others},
    }
