"""`kairos dev`: all of Kairos on this machine until Ctrl-C, for people who build something on it, and for tests."""

import contextlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from streams.settings import BadSettings, read_settings

from . import here
from .guarded import Guarded
from .parts import Failed, Missing
from .stage import Plan, Stage

LOOK = 0.2
"""Seconds between two looks at what runs."""


class Asked(BaseException):
    """Somebody asked us to end. Not an Exception: nobody on the way may take it for a fault."""


def dev(
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line when all is ready")] = False,
    kafka: Annotated[str, typer.Option(help="HOST:PORT, or start one: apache, tansu; default: the best there is")] = "",
    redis: Annotated[str, typer.Option(help="URL, or start one: redis-server, valkey; default: what there is")] = "",
    partitions: Annotated[int | None, typer.Option(min=1, max=1000, help="partitions of every topic")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="workers to run")] = 1,
    playbook: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="playbook to publish")] = None,
) -> None:
    """Run all of Kairos here until Ctrl-C: Kafka, Redis, collector, workers, profile API. Other commands
    find it by this folder."""
    console = Console(stderr=True)
    try:
        settings = read_settings(**({"partitions": partitions} if partitions else {}))
        plan = Plan(
            kafka,
            redis,
            settings.app,
            settings.partitions,
            workers,
            True,
            playbook or settings.playbook,
            settings.facts,
            here.FOLDER.resolve(),
        )
        with asked_to_end(), here.sole():
            _run(plan, as_json, console)
    except Asked as asked:
        raise typer.Exit(asked.args[0]) from None
    except (BadSettings, Missing, here.RunsAlready) as exc:
        _tell(console, str(exc), "red")
        raise typer.Exit(2) from None
    except Failed as exc:
        _tell(console, str(exc), "red")
        raise typer.Exit(1) from None


def _run(plan: Plan, as_json: bool, console: Console) -> None:
    for old in here.FOLDER.glob("*.log"):
        old.unlink()
    with Guarded() as guard:
        stage = Stage(plan, guard)
        with console.status("starting") as status:
            stage.build(
                step=lambda text: status.update(f"starting {text}"),
                note=lambda text: _tell(console, text, "yellow"),
            )
        here.remember(stage.record())
        print(json.dumps(stage.report()) if as_json else _lines(stage), flush=True)
        _stay(stage, console)


def _stay(stage: Stage, console: Console) -> None:
    """Until somebody asks us to end, or a server dies. Workers get new process ids when they are started again."""
    known = stage.record()
    while not stage.guard.ended:
        time.sleep(LOOK)
        if (now := stage.record()) != known and all(now["pids"].values()):
            _tell(console, "started again: " + ", ".join(_changed(known["pids"], now["pids"])), "yellow")
            here.remember(known := now)
    raise Failed(stage.guard.why())


def _tell(console: Console, text: str, style: str) -> None:
    """As it is: logs and paths are no markup, and broken lines are hard to copy."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _changed(before: dict[str, int], after: dict[str, int]) -> list[str]:
    return [name for name in after if after[name] != before[name]]


def _lines(stage: Stage) -> str:
    """Where all is, and what to try next. Plain lines: a table would break the ones people copy."""
    where = {"collector": stage.collector, "profile API": stage.api, "Kafka": stage.kafka, "Redis": stage.redis}
    keys = {f"write key, {kind}": key for kind, key in stage.keys.items()}
    logs = {"logs": f"{here.FOLDER}/collector.log, {here.FOLDER}/worker-0.log, ..."}
    body = '{"userId": "ann", "event": "Product Viewed", "properties": {"product_id": "p1"}}'
    tries = {
        "send an event": f"curl -u {stage.keys['server']}: {stage.collector}/v1/track -d '{body}'",
        "see a customer": "kairos customer ann",
        "... over HTTP": f"curl -u {stage.keys['server']}: '{stage.api}/v1/customers/user/ann?parts=view'",
        "see triggers": "kairos triggers --from-start",
        "see the books": "kairos books",
    }
    lines = [f"  {name:<20}{value}" for name, value in (where | keys | logs | tries).items()]
    return "\n".join(["Kairos runs; Ctrl-C ends it", *lines])


@contextlib.contextmanager
def asked_to_end() -> Iterator[None]:
    """Turns Ctrl-C into Asked(130), SIGTERM and a closed terminal into Asked(0). Only the first counts."""
    codes = {signal.SIGINT: 130, signal.SIGTERM: 0, signal.SIGHUP: 0}
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        del codes[signal.SIGHUP]  # nohup asked for it

    def ask(number: int, _: object) -> None:
        for other in codes:
            signal.signal(other, signal.SIG_IGN)  # cleaning up takes a moment; it ends by itself
        raise Asked(codes[signal.Signals(number)])

    before = {number: signal.signal(number, ask) for number in codes}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
