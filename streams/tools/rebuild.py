"""`kairos rebuild`: the way out of a halt. A partition's state is made anew, and the engine replays its logs.

How it works. The new slot begins where the logs begin. A term reads `triggers` before anything else, so what left the
house is remembered before the first event is folded again, and is not sent again. Facts come out as they were;
decisions that depended on the hour may not.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
import typer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from rich.console import Console

from processors.playbook import read_playbook
from schemas.families import ALL, Kept
from schemas.topics import INPUTS
from streams import kafka
from streams.settings import Settings
from streams.state import open_store
from streams.state.meta import outdated, positions, unlike
from streams.state.store import Store
from streams.tools.asking import PATIENCE, Wrong, ask
from streams.tools.init import first_playbook, publish_first

Bounds = Mapping[str, tuple[int, int]]
"""Topic -> first offset, end."""


Was = Literal["missing", "of another format", "of other facts", "beyond the log", "sound"]
SERVED = ("sound", "of other facts")
"""What some worker can serve, under these settings or others."""


class Stop(Exception):
    """It must not be rebuilt as things stand; the text says what to do first."""


class Found(msgspec.Struct):
    """How a partition stands."""

    partition: int
    was: Was
    begins: dict[str, int]
    """Topic -> where its log begins."""


def rebuild(
    partition: Annotated[
        list[int] | None,
        typer.Option("--partition", min=0, help="only this one, whatever its state; may be given several times"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    from_what_is_there: Annotated[
        bool, typer.Option("--from-what-is-there", help="also where retention took the beginning of a log: it is lost")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="each partition made, as one JSON line")] = False,
) -> None:
    """Make the state of partitions anew from Kafka's logs, with the facts that KAIROS_FACTS keeps: of those whose
    state is missing, of another format, of other facts, or beyond its log."""

    try:
        ask(lambda settings: _rebuild(settings, partition or [], yes, from_what_is_there, as_json))
    except Stop as exc:
        Console(stderr=True, highlight=False).print(f"rebuild: {exc}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None


async def _rebuild(settings: Settings, wanted: list[int], yes: bool, cut: bool, as_json: bool) -> None:
    console, store = Console(highlight=False, stderr=as_json), open_store(settings, PATIENCE)
    try:
        await store.prepare()
        chosen = choose(await look(settings, store), wanted)
        if not chosen:
            console.print("nothing to rebuild: every partition has a state that fits its logs")
            return
        served = await members(settings) if any(one.was in SERVED for one in chosen) else 0
        refuse(chosen, served, cut)
        await check(settings, store)
        for one in chosen:
            console.print(f"partition {one.partition}: {one.was}; replay from {one.begins}")
        if not yes and not await asyncio.to_thread(typer.confirm, "Remove what is there and make it anew?"):
            raise typer.Exit(1)
        for one in chosen:
            slot = store.slot(one.partition)
            await slot.remove()
            await slot.create(settings.partitions, one.begins, settings.kept())
            if as_json:
                print(msgspec.json.encode(one).decode(), flush=True)
        if version := await publish_first(settings, store):
            console.print(f"there was no playbook: published {version}")
        console.print("made; workers replay it, a halted one within 15 s. See `kairos books --settle 60s`")
    finally:
        await store.close()


async def look(settings: Settings, store: Store) -> list[Found]:
    """How every partition stands. Raises kafka.Unavailable, Unavailable."""
    names = [settings.topic(topic) for topic in INPUTS]
    async with kafka.connected(settings) as client:
        all_bounds = await kafka.bounds(client, kafka.places(names, settings.partitions), committed=True)
    found = []
    for partition in range(settings.partitions):
        bounds = {topic: all_bounds[settings.topic(topic), partition] for topic in INPUTS}
        meta = await store.slot(partition).meta()
        begins = {topic: first for topic, (first, _) in bounds.items()}
        found.append(Found(partition, stands(meta, bounds, settings.kept()), begins))
    return found


def stands(meta: Mapping[str, bytes], bounds: Bounds, kept: Kept = ALL) -> Was:
    """What a worker would say of this state."""
    if not meta:
        return "missing"
    if outdated(meta):
        return "of another format"
    if unlike(meta, kept):
        return "of other facts"
    at = positions(meta)
    fits = all(first <= at[topic] <= end for topic, (first, end) in bounds.items())
    return "sound" if fits else "beyond the log"


def choose(found: list[Found], wanted: list[int]) -> list[Found]:
    """Those asked for, else those that need it. Raises Wrong."""
    if unknown := set(wanted) - {one.partition for one in found}:
        raise Wrong(f"wanted partitions 0 to {len(found) - 1}, got {sorted(unknown)}")
    return [one for one in found if (one.partition in wanted if wanted else one.was != "sound")]


def refuse(chosen: list[Found], served: int, cut: bool) -> None:
    """Raises Stop where a worker is at work, or where a rebuilt state would be less than the old one."""
    sound = [one.partition for one in chosen if one.was in SERVED]
    if sound and served:
        raise Stop(f"partitions {sound} have a sound state and {served} workers may serve them; stop the workers first")
    gone = [f"{topic}-{one.partition} begins at {at}" for one in chosen for topic, at in one.begins.items() if at]
    if gone and not cut:
        raise Stop(
            "retention took the beginning of logs, so facts would come out smaller than they were: "
            f"{', '.join(gone[:4])}{' ...' if len(gone) > 4 else ''}. Restore a backup of Redis, or say "
            "--from-what-is-there"
        )


async def check(settings: Settings, store: Store) -> None:
    """Whether workers will take up the playbook in force, or the first one. Raises BadPlaybook."""
    version = await store.current()
    text = await store.playbook(version) if version else first_playbook(settings).encode()
    if text is not None:
        read_playbook(text.decode(), settings.kept())


async def members(settings: Settings) -> int:
    """Workers in the group. Raises kafka.Unavailable."""
    admin = AIOKafkaAdminClient(**kafka.connect(settings))
    try:
        await admin.start()
        answers = await admin.describe_consumer_groups([settings.app])
    except KafkaError as exc:
        raise kafka.Unavailable(f"kafka: wanted the members of group {settings.app}; got {exc}") from exc
    finally:
        await admin.close()
    return sum(len(group[5]) for answer in answers for group in answer.groups)
