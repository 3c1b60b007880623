"""`kairos books`: counts the logs, sums the slots, and says whether the two agree."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from processors.markers import HEADERS
from processors.plays import wake
from schemas.customer import decode_customer
from schemas.topics import ALL, DEAD_LETTERS, INPUTS, PARTS, TRIGGERS
from streams import kafka
from streams.settings import Settings
from streams.state import open_store
from streams.state.meta import positions
from streams.state.store import Slot, Store
from streams.tools.asking import PATIENCE, ask, duration, metas
from streams.tools.balance import TOPICS, Books, Logs, Slots, balance

LOOK = 0.2


class Named(msgspec.Struct):
    """What the books need of a trigger."""

    id: str
    play: str


def books(
    as_json: Annotated[bool, typer.Option("--json", help="as one JSON line")] = False,
    settle: Annotated[
        float, typer.Option(parser=duration, metavar="30s", help="wait so long for lag 0 and an empty outbox")
    ] = 0.0,
) -> None:
    """Does everything add up: records in = applied + duplicate + dead-lettered + erased, and so on. Exit 1 if not."""
    found = ask(lambda settings: settled(settings, settle))
    print(msgspec.json.encode(found).decode()) if as_json else show(found, Console(highlight=False))
    raise typer.Exit(0 if found.balanced else 1)


async def settled(settings: Settings, patience: float) -> Books:
    """The books, once nothing moves any more, or when patience ends. Raises NoState, Unavailable."""
    store, give_up = open_store(settings, PATIENCE), time.monotonic() + patience
    try:
        await metas(settings, store)
        while True:
            while time.monotonic() < give_up and not await _quiet(settings, store):  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(LOOK)
            before = await metas(settings, store)
            found = balance(await count_logs(settings), await ask_slots(settings, store), await lags(settings, store))
            still = before == await metas(settings, store)
            if found.balanced or time.monotonic() > give_up or still:
                return found
    finally:
        await store.close()


async def lags(settings: Settings, store: Store) -> dict[str, int]:
    """Topic -> offsets the engine has not yet read. Markers take offsets, at both ends of the difference."""
    async with kafka.connected(settings) as client:
        names = [settings.topic(topic) for topic in INPUTS]
        ends = await kafka.ends(client, kafka.places(names, settings.partitions), committed=True, patience=PATIENCE)
    read = [positions(meta) for meta in await metas(settings, store)]
    return {topic: sum(ends[settings.topic(topic), p] - at[topic] for p, at in enumerate(read)) for topic in INPUTS}


async def ask_slots(settings: Settings, store: Store) -> Slots:
    """The sums over the partitions, and a look at every customer for the plays that wait."""
    found = Slots.sum(await metas(settings, store))
    for partition in range(settings.partitions):
        slot = store.slot(partition)
        found.outbox += await slot.outbox_size()
        found.sleepers += await slot.timers_pending()
        for waiting in await _waiting(slot):
            found.waiting += waiting
            found.waiting_customers += 1
    return found


async def count_logs(settings: Settings) -> Logs:
    """Read every log from its beginning to its end."""
    logs, ids, places = Logs(Counter(), Counter(), Counter()), set[str](), set[bytes]()
    topics = {settings.topic(topic): topic for topic in ALL}
    await _add_gone(settings, logs)
    async for batch in kafka.read_log(settings, list(topics)):
        for record in batch:
            topic = topics[record.topic]
            if topic == TRIGGERS:
                _count_trigger(logs, ids, record.value)
            elif topic == DEAD_LETTERS:
                _count_dead(logs, places, dict(record.headers).get("place", b""))
            else:
                logs.records[topic] += 1
                logs.markers += topic != PARTS and HEADERS[0] in record.headers
    return logs


async def _quiet(settings: Settings, store: Store) -> bool:
    if any((await lags(settings, store)).values()):
        return False
    return not any([await store.slot(partition).outbox_size() for partition in range(settings.partitions)])


async def _waiting(slot: Slot) -> list[int]:
    """Of each customer who wants waking, for how many plays; none, when only segment or stage may change."""
    found = []
    async for _, value in slot.customers():
        decisions = decode_customer(value).decisions
        if decisions and wake(decisions) is not None:
            found.append(len(decisions.waiting))
    return found


async def _add_gone(settings: Settings, logs: Logs) -> None:
    """What retention took was booked before: its offsets count as records, which is exact where no links came in."""
    async with kafka.connected(settings) as client:
        wanted = kafka.places([settings.topic(topic) for topic in ALL], settings.partitions)
        limits = await kafka.bounds(client, wanted, patience=PATIENCE)
    gone = {topic: sum(limits[settings.topic(topic), p][0] for p in range(settings.partitions)) for topic in ALL}
    logs.shortened = frozenset(topic for topic, offsets in gone.items() if offsets)
    logs.gone = Counter({topic: gone[topic] for topic in TOPICS})
    logs.records.update(logs.gone)


def _count_trigger(logs: Logs, ids: set[str], value: bytes | None) -> None:
    """A broker without transactions may hold an id twice: it is one trigger."""
    try:
        trigger = decode_named(value or b"")
    except msgspec.DecodeError:
        return
    if trigger.id not in ids:
        ids.add(trigger.id)
        logs.triggers[trigger.play] += 1


def _count_dead(logs: Logs, places: set[bytes], place: bytes) -> None:
    if place.startswith(b"http"):
        logs.rejected += 1
    elif place not in places:
        places.add(place)
        logs.dead[place.split(b"/")[0].decode()] += 1


decode_named = msgspec.json.Decoder(Named).decode


def show(found: Books, console: Console) -> None:
    """The books for people, and what does not balance."""
    table = Table(title=f"accepted {found.accepted:,}, rejected {found.rejected:,}", title_justify="left")
    columns = ("records", "applied", "duplicate", "dead_lettered", "erased", "lag")
    table.add_column("topic")
    for column in columns:
        table.add_column(column.replace("_", "-"), justify="right")
    for name, topic in found.topics.items():
        table.add_row(name, *(f"{getattr(topic, column):,}" for column in columns))
    console.print(table)
    timers = found.timers
    console.print(f"triggers: {_listed(found.triggers)}")
    for play, reasons in found.refusals.items():
        console.print(f"refused {play}: {_listed(reasons)}")
    console.print(
        f"timers: armed {timers.armed:,} = fired {timers.fired:,} + cancelled {timers.cancelled:,} + "
        f"waiting {timers.pending:,}; outbox {found.outbox:,}"
    )
    for difference in found.differences:
        console.print(f"does not balance: {difference}", style="red", markup=False)
    if found.balanced:
        console.print("balanced", style="green")


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
