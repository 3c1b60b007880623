"""`python -m tests.faults.sim`: exit code 0 when nothing is broken, 1 when something is, 2 for wrong usage."""

import argparse
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.faults.sim.ablations import ABLATIONS
from tests.faults.sim.run import Report, play_all

SHOWN = 10
"""Broken histories told in full."""
ENOUGH = 500
"""Histories after which each kind of fault must have been met."""


def main() -> int:
    options = read_options()
    console = Console()
    if options.ablate == "all":
        return ablate_all(console, options.seeds, options.first)
    began = time.monotonic()
    report = play_seeds(console, options.seeds, options.first, options.ablate)
    tell(console, report, time.monotonic() - began, options.ablate)
    if options.ablate:
        return 1 if report.broken else 0
    if report.histories >= ENOUGH and (unseen := report.unseen()):
        console.print(f"proves nothing: not one of {', '.join(unseen)} was seen")
        return 1
    return 1 if report.broken else 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.faults.sim", description="Histories of the engine, by seed.")
    parser.add_argument("--seeds", type=int, default=2000, metavar="N", help="how many histories (2000)")
    parser.add_argument("--from", type=int, default=1, metavar="SEED", dest="first", help="the first seed (1)")
    names = ["all", *ABLATIONS]
    told = "without a guard: " + ", ".join(names)
    parser.add_argument("--ablate", default="", choices=names, metavar="NAME", help=told)
    return parser.parse_args()


def play_seeds(console: Console, seeds: int, first: int, ablation: str, until_broken: bool = False) -> Report:
    """All of them, or those up to the first that breaks, under a progress bar."""
    report = Report()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(ablation or "histories", total=seeds)
        for outcome in play_all(range(first, first + seeds), ablation):
            report.add(outcome)
            progress.update(task, advance=1, description=f"{ablation or 'histories'}, {len(report.broken)} broken")
            if until_broken and report.broken:
                break
    return report


def tell(console: Console, report: Report, seconds: float, ablation: str) -> None:
    pace = report.histories / seconds
    console.print(f"{report.histories} histories in {seconds:.0f} s, {pace:.1f} a second, {len(report.broken)} broken")
    table = Table("seen", "times", "a history", box=None)
    for name, count in sorted(report.counts.items()):
        table.add_row(name, str(count), f"{count / report.histories:.2f}")
    console.print(table)
    for seed, faults in list(report.broken.items())[:SHOWN]:
        again = f"python -m tests.faults.sim --seeds 1 --from {seed} --ablate {ablation}"
        told = again if ablation else f"make sim SEEDS=1 FROM={seed}"
        console.print(f"\nseed {seed}: {told}", style="bold red", soft_wrap=True)
        for fault in faults:
            console.print("  " + fault[:2000], markup=False, soft_wrap=True, highlight=False)
    if len(report.broken) > SHOWN:
        console.print(f"\nand {len(report.broken) - SHOWN} more: {list(report.broken)[SHOWN : SHOWN + 100]}")


def ablate_all(console: Console, seeds: int, first: int) -> int:
    """Each guard taken away by itself, until a history breaks; a Markdown table. Answers 1 when one is not missed."""
    console.print("| without | first missed at seed | found |\n|---|---|---|", highlight=False)
    missed = True
    for name in ABLATIONS:
        report = play_seeds(console, seeds, first, name, until_broken=True)
        seed = next(iter(report.broken), None)
        found = ", ".join(sorted(report.kinds())) if seed else f"nothing in {seeds} seeds"
        console.print(f"| {name} | {seed or ''} | {found} |", markup=False, soft_wrap=True, highlight=False)
        missed = missed and seed is not None
    return 0 if missed else 1


if __name__ == "__main__":
    sys.exit(main())
