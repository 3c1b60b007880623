"""`kairos customer` and `kairos customers`: what is remembered of one customer, or of all."""

from typing import Annotated

import msgspec
import typer
from rich.console import Console

from processors.playbook import read_playbook
from schemas.customer import Customer, decode_customer
from schemas.playbook import Playbook
from schemas.topics import INPUTS, TRIGGERS, partition_of
from streams.settings import Settings
from streams.state import open_store
from streams.state.store import Store
from streams.tools.asking import PATIENCE, ask, metas, redis_url
from streams.tools.portrait import show

FACTS = tuple(topic for topic in INPUTS if topic != TRIGGERS)


class Unknown(Exception):
    """Nothing was ever heard of this customer."""


def customer(
    id: Annotated[str, typer.Argument(metavar="ID", help="the customer's key: a userId, or an anonymousId")],
    as_json: Annotated[bool, typer.Option("--json", help="facts and decisions as one JSON line")] = False,
) -> None:
    """What one customer did, what plays made of it, and where it lies in Redis. Exit 1 when nobody knows the id."""

    async def work(settings: Settings) -> tuple[Settings, Customer, Playbook]:
        store = open_store(settings, PATIENCE)
        try:
            return settings, await find(store, settings, id), await current(store)
        finally:
            await store.close()

    try:
        settings, found, playbook = ask(work)
    except Unknown as exc:
        Console(stderr=True, highlight=False).print(str(exc), style="red", markup=False)
        raise typer.Exit(1) from None
    partition = partition_of(id.encode(), settings.partitions)
    if as_json:
        return print(as_line(id, partition, found))
    show(id, found, playbook, f"redis-cli -u {redis_url(settings)} HGET '{_key(settings, partition)}' '{id}'")


def customers(
    as_json: Annotated[
        bool, typer.Option("--json", help="one JSON object a line, as `kairos customer` has it")
    ] = False,
) -> None:
    """All customers, sorted by id, one a line."""

    async def work(settings: Settings) -> dict[str, tuple[int, bytes]]:
        store = open_store(settings, PATIENCE)
        try:
            return await every(store, settings)
        finally:
            await store.close()

    found = ask(work)
    for id in sorted(found):
        partition, value = found[id]
        customer = decode_customer(value)
        print(as_line(id, partition, customer) if as_json else f"{id}  {_summary(customer)}")


async def find(store: Store, settings: Settings, id: str) -> Customer:
    """Raises Unknown, NoState."""
    partition = partition_of(id.encode(), settings.partitions)
    value = await store.slot(partition).customer(id.encode())
    if value is not None:
        return decode_customer(value)
    await metas(settings, store)
    raise Unknown(f"customer {id}: nothing is remembered in {_key(settings, partition)}")


async def every(store: Store, settings: Settings) -> dict[str, tuple[int, bytes]]:
    """Id -> partition and value, of all customers. Raises NoState."""
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


def as_line(id: str, partition: int, customer: Customer) -> str:
    """One JSON line: facts as the topics have them, decisions as the plays made them."""
    value = msgspec.to_builtins(customer)
    facts = {topic: value[topic] for topic in FACTS if value.get(topic) is not None}
    line = {"id": id, "partition": partition, "facts": facts, "decisions": value.get("decisions") or {}}
    return msgspec.json.encode(line).decode()


def _key(settings: Settings, partition: int) -> str:
    return f"{{{settings.app}:{partition:03}}}:customers"


def _summary(customer: Customer) -> str:
    told = {topic: getattr(customer, topic) for topic in FACTS}
    return ", ".join(f"{topic} {facts.events:,}" for topic, facts in told.items() if facts)
