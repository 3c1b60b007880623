"""`kairos bench`: measures Kairos on this machine, beside the least that could do the same. Lives in `tests/bench`."""

import importlib
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .asking import Wrong

ROOT = Path(__file__).parents[2]
NAMES = "throughput, latency, collector, linked, sealed-throughput, sealed-collector, profile"


def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"{NAMES} or all")],
    rounds: Annotated[int, typer.Option(min=1, max=100, help="rounds; medians are told")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="each report as one JSON line")] = False,
) -> None:
    """Measure CPU an event, throughput and latency here, each beside the least that could be done. Needs a checkout."""
    if not (ROOT / "tests" / "bench" / "runner.py").exists():
        raise Wrong(f"bench: wanted a checkout with tests/bench, which no wheel holds; got {ROOT}")
    sys.path.insert(0, str(ROOT))
    runner = importlib.import_module("tests.bench.runner")
    if name not in runner.names():
        raise Wrong(f"bench: wanted one of {', '.join(runner.names())}; got {name}")
    told = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    progress = Progress(*columns, console=told, disable=as_json or not told.is_terminal, transient=True)

    def tell(report: dict[str, Any]) -> None:
        if as_json:
            print(json.dumps(report), flush=True)
        else:
            Console(highlight=False).print(importlib.import_module("tests.bench.figures").table(report))

    runner.run(name, rounds, progress, tell)
