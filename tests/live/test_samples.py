"""Real shops, whole: the books must balance to the last record, and a view of a person be of all that is theirs.

The files are not part of the project: they lie in KAIROS_TEST_DATA, else in `shared/data` beside the checkout.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from processors.persons import origins, whole
from schemas.customer import Customer
from schemas.topics import EVENTS, PARTS
from streams.tools.init import shipped_playbook
from tests.faults.verifier.fold import Event, fold, plain
from tests.live.conftest import Rivers
from tests.live.process import ROOT, Served
from tests.live.proof import prove
from tests.live.river import River
from tests.live.shops import LINKED, two_shops

DATA = Path(os.environ.get("KAIROS_TEST_DATA", ROOT.parent / "shared" / "data"))
SHOP, TILLS = DATA / "rees46-2019-10-head.csv.gz", DATA / "online-retail.csv.gz"
SECONDS = 180.0
"""Longest time for one replay."""

lacking = [path.name for path in (SHOP, TILLS) if not path.exists()]
both = pytest.mark.skipif(bool(lacking), reason=f"{', '.join(lacking)} not in KAIROS_TEST_DATA or shared/data")


async def replay(river: River, form: str, path: Path, via: str) -> dict[str, Any]:
    """The books of this replay."""
    arguments = ("--format", form, str(path), "--via", via, "--speed", "max", "--json")
    told: dict[str, Any] = await river.told("replay", *arguments, seconds=SECONDS)
    assert told["read"] == told["accepted"] + told["rejected"]
    return told


async def books(river: River) -> dict[str, Any]:
    """Balanced, or the command ends with 1 and the test fails."""
    found: dict[str, Any] = await river.told("books", "--json", "--settle", "60s", seconds=SECONDS)
    assert found["balanced"] and found["outbox"] == 0
    assert all(topic["lag"] == 0 for topic in found["topics"].values())
    return found


async def stop(river: River, worker: Served) -> None:
    """For good, with nothing left to send: silences go on ending as long as somebody is there to hear them."""
    assert await worker.stop() == 0
    while await river.outbox():
        await worker.start().ready()
        await river.rest()
        await worker.stop()


@pytest.mark.timeout(600)
@pytest.mark.parts("real")
@both
async def test_the_books_of_two_shops_balance(rivers: Rivers) -> None:
    """The shop's clicks come over HTTP, the receipts of the tills straight from Kafka."""
    river = rivers(shipped_playbook().read_text())
    await river.init()
    worker, collector = river.worker(), river.collector()
    await worker.ready()
    await collector.ready()
    clicks = await replay(river, "rees46", SHOP, "http")
    receipts = await replay(river, "online-retail", TILLS, "kafka")
    first = await books(river)
    assert first["accepted"] == clicks["accepted"] + receipts["accepted"] > 40_000
    assert sum(topic["applied"] + topic["duplicate"] for topic in first["topics"].values()) == first["accepted"]

    again = await replay(river, "rees46", SHOP, "http")
    assert again["accepted"] == clicks["accepted"]
    second = await books(river)
    assert second["accepted"] == first["accepted"] + again["accepted"]
    for name, topic in second["topics"].items():
        assert topic["applied"] == first["topics"][name]["applied"]

    await stop(river, worker)
    triggers = await prove(river)
    assert triggers
    for trigger in triggers:
        assert trigger.why and trigger.why.on and trigger.why.checks
    counts = await river.counts()
    for customer in (await river.customers()).values():
        for refusal in customer.decisions.refused if customer.decisions else ():
            assert counts[f"refused:{refusal.play}:{refusal.reason}"] and refusal.detail


@pytest.mark.timeout(600)
@pytest.mark.parts("real")
@both
async def test_two_shops_are_joined_in_the_middle(rivers: Rivers) -> None:
    """Web users are given member cards of the tills, by links that are made up (`tests.live.shops`), between the halves
    of both files. The worker is stopped before the links and killed amid what they cause and amid the second half."""
    river = rivers(shipped_playbook().read_text())
    shops = two_shops(SHOP, TILLS, river.folder)
    await river.init()
    worker, collector = river.worker(), river.collector()
    await worker.ready()
    await collector.ready()
    told = [await replay(river, "rees46", shops.clicks[0], "http")]
    told.append(await replay(river, "online-retail", shops.tills[0], "kafka"))
    assert await worker.stop() == 0
    told.append(await replay(river, "segment", shops.links, "http"))
    before = await river.applied()
    worker.start()
    await river.reaches(before + LINKED)
    await worker.kill()
    worker.start()
    told.append(await replay(river, "rees46", shops.clicks[1], "http"))
    await river.rest(SECONDS)
    before, rest = await river.applied(), replay(river, "online-retail", shops.tills[1], "kafka")
    sending = asyncio.create_task(rest)
    await river.reaches(before + LINKED, SECONDS)
    await worker.kill()
    at_kill = await river.applied()
    told.append(await sending)
    assert at_kill < before + told[-1]["accepted"], "wanted a kill amid the second half"
    await worker.start().ready()

    found = await books(river)
    assert found["accepted"] == sum(replay["accepted"] for replay in told)
    assert (await river.counts())["linked:card"] == LINKED
    assert found["topics"][PARTS]["records"] == len(await river.log(PARTS)) > 2 * LINKED
    await stop(river, worker)
    assert await prove(river)
    await prove_persons(river, shops.owners)


async def prove_persons(river: River, owners: Mapping[str, str]) -> None:
    """A person's facts, as a view has them, are those of somebody who knew all links (card -> user) from the start."""
    customers = {key.decode(): customer for key, customer in (await river.customers()).items()}
    persons, theirs = {id: whole(customer) for id, customer in customers.items()}, await events(river, owners)
    assert set(theirs) <= set(customers)
    wrong = []
    for id, person in persons.items():
        for topic in EVENTS:
            told = msgspec.json.decode(msgspec.json.encode(getattr(person, topic))) or {}
            got = {name: value for name, value in plain(told).items() if name not in ("next", "seen")}
            mine = theirs.get(id, {}).get(topic)
            if got != (wanted := plain(fold(topic, mine, id)) if mine else {}):
                wrong.append((id, topic, wanted, got))
    assert not wrong, f"{len(wrong)} of {len(persons)} customers; wanted and got of the first: {wrong[0]}"

    for card, user in owners.items():
        assert origins(customers[user]) == [card] and not origins(customers[card])
    amid = [card for card in owners if cut(customers[card])]
    assert len(amid) > LINKED // 4, "receipts before the link and after it"


def cut(card: Customer) -> bool:
    """Whether its owner has a stretch of receipts from before the link and one from after it."""
    side = card.identity.pos if card.identity else None
    return bool(side and side.owner and any(one.facts.events for one in side.closed) and card.pos and card.pos.events)


async def events(river: River, owners: Mapping[str, str]) -> dict[str, dict[str, list[Event]]]:
    """Person -> topic -> events, each once, as they lie in the logs."""
    found: dict[str, dict[str, list[Event]]] = defaultdict(lambda: defaultdict(list))
    for topic in EVENTS:
        done = set[tuple[bytes | None, str]]()
        for record in await river.log(topic):
            event = msgspec.json.decode(record.value or b"")
            if "marker" not in event and (record.key, event["id"]) not in done:
                done.add((record.key, event["id"]))
                id = (record.key or b"").decode()
                found[owners.get(id, id)][topic].append(event)
    return found
