"""`kairos triggers`: what leaves the house, as it leaves, each with the reasons that led to it."""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from schemas.topics import TRIGGERS
from schemas.trigger import Trigger, Why, decode_trigger
from streams import kafka
from streams.settings import Settings
from streams.tools.asking import PATIENCE, ask, duration

FACTS_MOST = 4
"""Facts told in a line ..."""
UNTOLD = frozenset(
    ("intent.score", "event.time", "orders.last", "cart.touched", "customer.first", "customer.last", "now")
)
"""... but not these: the score is told anyway, and moments as numbers tell people nothing."""


def triggers(
    from_start: Annotated[bool, typer.Option("--from-start", help="all there are, then new ones")] = False,
    idle: Annotated[float, typer.Option(parser=duration, metavar="3s", help="end after so long without one")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Follow triggers until Ctrl-C, or until none came for --idle. An id that comes again is told once."""

    async def work(settings: Settings) -> None:
        console = Console(highlight=False)
        async for trigger in follow(settings, from_start, idle):
            print(msgspec.json.encode(trigger).decode(), flush=True) if as_json else console.print(
                line(trigger), soft_wrap=True
            )

    ask(work)


async def follow(settings: Settings, from_start: bool, idle: float = 0.0) -> AsyncIterator[Trigger]:
    """Triggers as they come; ends when none came for `idle` seconds (0: never). Raises kafka.Unavailable."""
    seen: set[str] = set()
    since = {} if from_start else await _ends(settings)
    quiet = time.monotonic()
    async with aclosing(kafka.read_log(settings, [settings.topic(TRIGGERS)], since=since, follow=True)) as batches:
        async for batch in batches:
            for trigger in filter(None, (_read(record.value) for record in batch)):
                if trigger.id not in seen:
                    seen.add(trigger.id)
                    yield trigger
            if batch:
                quiet = time.monotonic()
            elif idle and time.monotonic() - quiet > idle:
                return


async def _ends(settings: Settings) -> dict[kafka.Place, int]:
    async with kafka.connected(settings) as client:
        wanted = kafka.places([settings.topic(TRIGGERS)], settings.partitions)
        return await kafka.ends(client, wanted, committed=True, patience=PATIENCE)


def _read(value: bytes | None) -> Trigger | None:
    try:
        return decode_trigger(value or b"")
    except msgspec.DecodeError:
        return None


def line(trigger: Trigger) -> Text:
    """One line for people: when, what, to whom, how, why."""
    return Text.assemble(
        (f"{datetime.fromtimestamp(trigger.decided).astimezone():%H:%M:%S} ", "dim"),
        (trigger.play, "bold cyan"),
        " to ",
        (trigger.customer, "bold"),
        f" by {trigger.channel}",
        (f"  because {because(trigger.why)}" if trigger.why else "", "dim"),
    )


def because(why: Why) -> str:
    """The reasons in words: `silence, cart.value 42.5, intent 0.61`."""
    facts = [f"{name} {told(value)}" for name, value in why.facts.items() if name not in UNTOLD][:FACTS_MOST]
    return ", ".join(["silence" if why.on == "timer" else why.on, *facts, f"intent {why.score:.2f}"])


def told(value: object) -> str:
    """A fact's value, short."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)[:40]
