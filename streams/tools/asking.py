"""What every command that asks a running installation shares: where it runs, and how long it waits."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import urlsplit

import typer

from schemas.playbook import seconds
from streams.settings import Settings, read_settings
from streams.state.meta import outdated
from streams.state.store import Store, Unfit
from streams.tools import here

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds to wait for Redis or Kafka: somebody sits and waits for us."""


class Wrong(Exception):
    """Wrong usage or a wrong file: exit code 2. The text says step, thing, wanted, got."""


class NoState(Wrong):
    """There are no slots: wrong app, wrong Redis, or nobody ran `kairos init`."""


def ask(work: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """Do the work for the installation of this folder, or of the variables. Raises BadSettings, here.NotRunning."""
    return asyncio.run(work(read_settings(**here.settings_here())))


async def metas(settings: Settings, store: Store) -> list[dict[str, bytes]]:
    """All slots' metas, tokens too: equal when nothing was committed in between. Raises NoState, Unfit."""
    found = [await store.slot(partition).meta() for partition in range(settings.partitions)]
    missing = [partition for partition, meta in enumerate(found) if not meta]
    if missing:
        raise NoState(
            f"no state of KAIROS_APP={settings.app} for partitions {missing} in {redis_url(settings)}: "
            "run `kairos init`"
        )
    for partition, meta in enumerate(found):
        if why := outdated(meta):
            raise Unfit(f"partition {partition} of KAIROS_APP={settings.app}: {why}")
    return found


def redis_url(settings: Settings) -> str:
    """Where Redis is, without what lets one in."""
    parts = urlsplit(settings.redis)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def duration(text: str | float) -> float:
    """`30s`, `5m` as seconds; for options."""
    try:
        return float(seconds(text))  # type: ignore[arg-type]
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from None
