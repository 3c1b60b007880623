"""The report of many runs, as a page."""

import subprocess
from collections import Counter

from streams.tools.parts.jars import KAFKA
from tests.bench.figures import machine, versions
from tests.faults.harness.installation import SESSION
from tests.faults.harness.result import Result

HEAD = """# What was done to Kairos, and what came of it

Made by `make faults`, on real Apache Kafka and Redis, with worker and collector processes; checked by
`tests/faults/verifier`, which reads Kafka and Redis only. Every run can be run again: `make faults RUNS=1 SEED=<seed>
SCENARIO=<name>`; what happens inside is as random as a machine is.

Sessions of workers are short ({session:g} s) so that runs are. *Recovery* is the time from the fault (for a server:
from its return) until all that was then in the logs had been applied.

{where}
"""


def surroundings() -> str:
    """Where it ran, in one line."""
    here, found = machine(), versions()
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    number = redis.partition("v=")[2].partition(" ")[0]
    return (
        f"On {here['cores']} cores of {here['cpu']}, Apache Kafka {KAFKA}, Redis {number}, Python {found['python']}, "
        f"aiokafka {found['aiokafka']}, redis-py {found['redis']}."
    )


PERSONS = (
    *("persons of several ids", "ids of them", "stretches closed", "parts held"),
    *("events heard at another id", "events heard beyond a chain"),
    *("triggers of ids that belong to others", "decisions under caps of several ids"),
    *("erased", "ids of the erased"),
)
LEFT_OUT = (
    *("ids with too many links, not compared", "ids beside erasures, not compared"),
    *("logs with too many links, not compared", "logs beside erasures, not compared"),
    "triggers decided in lost turns, caps of their id only",
    "timers fired where links were taken back, time checked only",
)
"""Figures of the verifier."""


def write(results: list[Result], where: str = "") -> str:
    """All results as one page."""
    seconds = sum(result.seconds for result in results)
    records = sum(result.figures.get("records", 0) for result in results)
    faults = sum((result.faults for result in results), Counter[str]())
    seen = sum((result.seen for result in results), Counter[str]())
    broken = [result for result in results if not result.good]
    vacuous = [result for result in results if result.good and result.vacuous]
    lines = [
        HEAD.format(session=SESSION, where=where),
        f"**{len(results)} runs in {seconds / 60:.0f} minutes, {sum(faults.values()):,} faults, {records:,} records, "
        f"{len(broken)} runs with a violation, {len(vacuous)} vacuous.**",
        "",
        "| scenario | runs | seeds | faults injected | records | triggers | violations | vacuous | fenced producers "
        "| refused tokens | revoked triggers | lost turns | halts | recovery p50 / p99 |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    results = sorted(results, key=lambda result: result.seed)
    for name in dict.fromkeys(result.scenario for result in results):
        lines.append(_row(name, [result for result in results if result.scenario == name]))
    lines += ["", "## Recovery", "", "| from | times | p50 s | p99 s | worst s |", "|---|---|---|---|---|"]
    lines += _recovery(results)
    lines += ["", "## Seen in all", "", ", ".join(f"{name} {count:,}" for name, count in sorted(seen.items()) if count)]
    lines += ["", "## Persons of several ids", "", _figures(results, PERSONS), "", "Left out by the verifier:", ""]
    lines += [_figures(results, LEFT_OUT)]
    if broken:
        lines += ["", "## Violations", "", *(f"- {result.line()}" for result in broken)]
    if vacuous:
        lines += ["", "## Vacuous", "", *(f"- {r.scenario} seed {r.seed}: no {', '.join(r.vacuous)}" for r in vacuous)]
    return "\n".join(lines) + "\n"


def _row(name: str, results: list[Result]) -> str:
    seen = sum((result.seen for result in results), Counter[str]())
    faults = sum((result.faults for result in results), Counter[str]())
    times = [t for result in results for times in result.recoveries.values() for t in times]
    figures = Counter[str]()
    for result in results:
        figures.update(result.figures)
    told = [
        name,
        len(results),
        spans(sorted({result.seed for result in results})),
        ", ".join(f"{what} {count}" for what, count in faults.items()) or "none",
        f"{figures['records']:,}",
        f"{figures['triggers']:,}",
        sum(not result.good for result in results),
        sum(result.good and bool(result.vacuous) for result in results),
        *(seen[what] for what in ("fenced producers", "refused tokens", "revoked triggers", "lost turns", "halts")),
        f"{rank(times, 0.5):.1f} / {rank(times, 0.99):.1f} s" if times else "",
    ]
    return "| " + " | ".join(map(str, told)) + " |"


def spans(numbers: list[int]) -> str:
    """`1 to 3, 7`, of sorted numbers."""
    begins = [number for number in numbers if number - 1 not in numbers]
    ends = [number for number in numbers if number + 1 not in numbers]
    return ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in zip(begins, ends, strict=True))


def _figures(results: list[Result], names: tuple[str, ...]) -> str:
    """Their sums, in one line."""
    return ", ".join(f"{name} {sum(result.figures.get(name, 0) for result in results):,}" for name in names) + "."


def _recovery(results: list[Result]) -> list[str]:
    kinds: dict[str, list[float]] = {}
    for result in results:
        for what, times in result.recoveries.items():
            kinds.setdefault(what, []).extend(times)
    return [
        f"| {what} | {len(times)} | {rank(times, 0.5):.1f} | {rank(times, 0.99):.1f} | {max(times):.1f} |"
        for what, times in sorted(kinds.items())
    ]


def rank(times: list[float], part: float) -> float:
    """The value below which this part of them lies."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
