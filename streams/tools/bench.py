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
NAMES = "whole, latency, collector, linked, sealed-throughput, sealed-collector, scale, profile, w"
PEERS = (
    "loop, faust, faust-take, quix, bytewax, kafka-streams, kafka-streams-eos, kafka-streams-eos-defaults, flink, echo"
)


def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"{NAMES} or all")],
    rounds: Annotated[int, typer.Option(min=1, max=100, help="rounds; medians are told")] = 5,
    beside: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="NAMES",
            help=f"w only: whom to measure beside Kairos, by commas ({PEERS}), or all; usually the bare loop",
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="each report as one JSON line")] = False,
) -> None:
    """Measure CPU an event, throughput and latency here, each beside the least that could be done. Needs a checkout.

    w is one piece of work for all: per event decode, fold fading sums and counts of one customer, score, and produce a
    trigger when the score is high. Kairos does it as a playbook, other stream processors as their documentation
    advises, all from the same records; what they leave is compared, and what each does not do is told. Those in Python
    need `python -m pip install --group bench`, those in Java need Java 17 and, once, Maven.
    """
    if not (ROOT / "tests" / "bench" / "runner.py").exists():
        raise Wrong(f"bench: wanted a checkout with tests/bench, which no wheel holds; got {ROOT}")
    sys.path.insert(0, str(ROOT))
    runner = importlib.import_module("tests.bench.runner")
    if name not in runner.names():
        raise Wrong(f"bench: wanted one of {', '.join(runner.names())}; got {name}")
    among = runner.choices(name)
    chosen = among if beside == "all" else [one.strip() for one in beside.split(",") if one.strip()]
    if wrong := [one for one in chosen if one not in among]:
        wanted = f"all or some of {', '.join(among)}" if among else f"no --with, {name} has no choice"
        raise Wrong(f"bench: wanted {wanted}; got {', '.join(wrong)}")
    told = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    progress = Progress(*columns, console=told, disable=as_json or not told.is_terminal, transient=True)

    def tell(report: dict[str, Any]) -> None:
        if as_json:
            print(json.dumps(report), flush=True)
        else:
            Console(highlight=False).print(importlib.import_module("tests.bench.figures").table(report))

    runner.run(name, rounds, chosen, progress, tell)
