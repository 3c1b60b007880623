"""What every command that asks a running installation shares: where it runs, and what its failures mean to a shell."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console

from schemas.playbook import seconds
from streams import kafka
from streams.settings import BadSettings, Settings, read_settings
from streams.state import store
from streams.tools import here

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds to wait for Redis or Kafka: somebody sits and waits for us."""


class Wrong(Exception):
    """Wrong usage, settings or file: exit code 2. The text says step, thing, wanted, got."""


class NoState(Wrong):
    """There are no slots: wrong app, wrong Redis, or nobody ran `kairos init`."""


def ask(name: str, work: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """Do the work for the installation of this folder or of the variables. Ends the command when it cannot."""
    try:
        settings = read_settings(**here.settings_here())
        return asyncio.run(work(settings))
    except (BadSettings, here.NotRunning, Wrong, store.Unfit) as exc:
        fail(name, exc, 2)
    except (kafka.Unavailable, store.Unavailable) as exc:
        fail(name, exc, 1)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def fail(name: str, why: object, code: int) -> NoReturn:
    """Say why on stderr and end."""
    Console(stderr=True, highlight=False).print(f"{name}: {why}", style="red", markup=False)
    raise typer.Exit(code)


def duration(text: str) -> float:
    """`30s`, `5m` as seconds; for options."""
    try:
        return float(seconds(text))  # type: ignore[arg-type]
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from None
