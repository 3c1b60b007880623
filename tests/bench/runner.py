"""Runs benchmarks: rounds, each with all implementations in turn, every second round the other way about.

A machine's speed drifts, so figures are only compared within a round, and told as medians with their range.
"""

import gc
from collections.abc import Callable, Sequence
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


def choices(name: str) -> list[str]:
    """Whom one may choose to measure beside Kairos; empty where there is no choice."""
    return list(BENCHES[name].rows)[1:] if name in BENCHES and BENCHES[name].usual else []


def run(
    name: str, rounds: int, beside: Sequence[str], progress: Progress, tell: Callable[[dict[str, Any]], None]
) -> None:
    """Run one benchmark or all, telling the report of each. Raises Failed, Missing."""
    check_platform()
    wanted = {name: BENCHES[name]} if name in BENCHES else BENCHES
    lacking = {one: left_out(bench, beside) for one, bench in wanted.items()}
    rows = {one: [row for row in bench.chosen(beside) if row not in lacking[one]] for one, bench in wanted.items()}
    total = rounds * sum(map(len, rows.values()))
    with Guarded() as guard, progress:
        for why in (why for one in lacking.values() for why in one.items()):
            progress.console.print("left out: " + ": ".join(why))
        task = progress.add_task("starting Kafka and Redis", total=total)
        house = House(guard)
        house.open(progress.console.print)
        for one, bench in wanted.items():

            def step(what: str, one: str = one) -> None:
                progress.update(task, advance=1, description=f"{one}: {what}")

            found = uvloop.run(measure(house, one, bench, rows[one], rounds, step))
            tell(report(house, one, bench, found) | {"left_out": lacking[one]})


def left_out(bench: Bench, beside: Sequence[str]) -> dict[str, str]:
    """Row -> why it cannot be measured here."""
    return {row: why for row in bench.chosen(beside) if (why := bench.missing(row))}


async def measure(
    house: House, name: str, bench: Bench, rows: Sequence[str], rounds: int, step: Step
) -> dict[str, list[Figures]]:
    """All rounds: implementation -> its figures."""
    work = bench.work(house, bench.scale)
    gc.collect()
    gc.freeze()
    found: dict[str, list[Figures]] = {row: [] for row in rows}
    for number in range(rounds):
        settings = await work.prepare(f"{name}-{number}")
        for row in rows if number % 2 == 0 else reversed(rows):
            found[row].append(await bench.measure(work, row, settings))
            step(f"round {number + 1}, {row}")
    return found


def report(house: House, name: str, bench: Bench, found: dict[str, list[Figures]]) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "bench": name,
        "machine": machine(),
        "versions": versions() | house.versions() | bench.versions(found),
        "rounds": max(map(len, found.values())),
        "scale": vars(bench.scale),
        "implementations": {row: summary(each, bench.rows[row]) for row, each in found.items()},
        "ratios": {f"{one}/{other}": ratio(found, one, other) for one, other in bench.compared(found)},
    }
