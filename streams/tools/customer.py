"""`kairos customer` and `kairos customers`: what is remembered of one customer, or of all."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console

from processors.owners import gone
from processors.persons import FACTS, origins
from processors.playbook import read_playbook
from schemas.customer import Customer, decode_customer
from schemas.families import ALL, Kept, left_out
from schemas.playbook import Playbook
from schemas.topics import partition_of
from streams.settings import Settings
from streams.state import open_store, people
from streams.state.meta import kept
from streams.state.store import Store
from streams.tools.asking import PATIENCE, ask, metas, redis_url
from streams.tools.portrait import show
from streams.tools.split import Split, Unlinked, split

T = TypeVar("T")


class Unknown(Exception):
    """Nothing was ever heard of this customer."""


def customer(
    words: Annotated[
        list[str],
        typer.Argument(metavar="ID | split ID OWNER", help="any id of a customer; or a link that shall be taken back"),
    ],
    why: Annotated[str, typer.Option("--why", help="of a split: the reason, kept in the log")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="facts and decisions as one JSON line")] = False,
) -> None:
    """What one customer did, whichever id it was, what plays made of it, and where it lies in Redis. Exit 1 when nobody
    knows the id. `split ID OWNER --why ...` takes a link back."""
    if words[0] == "split" and len(words) == 3:
        return take_back(words[1], words[2], why, as_json)
    if len(words) > 1:
        raise typer.BadParameter(f"wanted one id, or split ID OWNER; got {' '.join(words)}")

    async def work(settings: Settings) -> tuple[Settings, str, Customer, Playbook, Kept]:
        store = open_store(settings, PATIENCE)
        try:
            id, found = await follow(store, settings, words[0])
            return settings, id, found, await current(store), kept(await store.slot(0).meta())
        finally:
            await store.close()

    settings, id, found, playbook, families = known(work)
    if is_erased(found) and not as_json:
        return print(f"{id}: erased")
    partition = partition_of(id.encode(), settings.partitions)
    if as_json:
        return print(as_line(id, partition, found, families))
    show(id, found, playbook, families, f"redis-cli -u {redis_url(settings)} HGET '{_key(settings, partition)}' '{id}'")


def take_back(id: str, owner: str, why: str, as_json: bool) -> None:
    """A link is no link any more."""
    if not why:
        raise typer.BadParameter("split: wanted --why, the reason; it is kept in the log")

    async def work(settings: Settings) -> Split:
        store = open_store(settings, PATIENCE)
        try:
            return await split(settings, id, owner, await find(store, settings, id), why)
        finally:
            await store.close()

    done = known(work)
    print(msgspec.json.encode(done).decode() if as_json else f"{id} belongs to {owner} no longer: {why} ({done.by})")


def known(work: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """Do it, or say what nobody knows and leave with 1."""
    try:
        return ask(work)
    except (Unknown, Unlinked) as exc:
        Console(stderr=True, highlight=False).print(str(exc), style="red", markup=False)
        raise typer.Exit(1) from None


def customers(
    as_json: Annotated[
        bool, typer.Option("--json", help="one JSON object a line, as `kairos customer` has it")
    ] = False,
) -> None:
    """All customers, sorted by id, one a line."""

    async def work(settings: Settings) -> tuple[dict[str, tuple[int, bytes]], Kept]:
        store = open_store(settings, PATIENCE)
        try:
            return await every(store, settings), kept(await store.slot(0).meta())
        finally:
            await store.close()

    found, families = ask(work)
    for id in sorted(found):
        partition, value = found[id]
        customer = decode_customer(value)
        print(as_line(id, partition, customer, families) if as_json else f"{id}  {_summary(customer)}")


async def find(store: Store, settings: Settings, id: str) -> Customer:
    """Raises Unknown, NoState, Unfit."""
    await metas(settings, store)
    partition = partition_of(id.encode(), settings.partitions)
    value = await store.slot(partition).customer(id.encode())
    if value is not None:
        return decode_customer(value)
    raise Unknown(f"customer {id}: nothing is remembered in {_key(settings, partition)}")


async def follow(store: Store, settings: Settings, id: str) -> tuple[str, Customer]:
    """The person behind an id: key, and all that is known of all ids. Raises Unknown, NoState, Unfit."""
    await metas(settings, store)
    person = await people.follow(store, settings.partitions, id)
    if person is None:
        await find(store, settings, id)
        raise Unknown(f"customer {id}: belongs to somebody of whom nothing is remembered")
    return person.id, person.customer


async def every(store: Store, settings: Settings) -> dict[str, tuple[int, bytes]]:
    """Id -> partition and value, of all customers. Raises NoState, Unfit."""
    await metas(settings, store)
    return {
        key.decode(errors="replace"): (partition, value)
        for partition in range(settings.partitions)
        async for key, value in store.slot(partition).customers()
    }


async def current(store: Store) -> Playbook:
    """The playbook in force; an empty one where none is."""
    version = await store.current()
    text = await store.playbook(version) if version else None
    return read_playbook(text.decode()).playbook if text else Playbook()


def as_line(id: str, partition: int, customer: Customer, kept: Kept = ALL) -> str:
    """One JSON line: facts as the topics have them, decisions as the plays made them. Of who has several ids also those
    that belong to it (`ids`), and to whom it belongs itself (`owner`); where families of facts are left out, which
    (`not_kept`)."""
    value = msgspec.to_builtins(customer)
    facts = {topic: value[topic] for topic in FACTS if value.get(topic) is not None}
    line = {"id": id, "partition": partition, "facts": facts, "decisions": value.get("decisions") or {}}
    if customer.identity:
        line["ids"], line["owner"] = origins(customer), customer.identity.owner
    if kept != ALL:
        line["not_kept"] = left_out(kept)
    if is_erased(customer):
        line["erased"] = value.get("erased") or {}
    return msgspec.json.encode(line).decode()


def is_erased(customer: Customer) -> bool:
    """The id itself, or whom it belongs to."""
    return customer.erased is not None or bool(customer.identity and gone(customer.identity.owner))


def _key(settings: Settings, partition: int) -> str:
    return f"{{{settings.app}:{partition:03}}}:customers"


def _summary(customer: Customer) -> str:
    if is_erased(customer):
        return "erased"
    if customer.identity and customer.identity.owner:
        return f"belongs to {customer.identity.owner}"
    told = {topic: getattr(customer, topic) for topic in FACTS}
    return ", ".join(f"{topic} {facts.events:,}" for topic, facts in told.items() if facts)
