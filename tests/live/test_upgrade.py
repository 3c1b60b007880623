"""An installation goes on under another version of Kairos: what that one kept is made anew, or a partition stands."""

from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from msgspec.structs import replace
from redis.asyncio import Redis

from processors.persons import FACTS
from schemas.customer import FORMAT, Customer
from schemas.event import PRODUCT_VIEWED
from schemas.facts import Seen
from schemas.families import ALL, Kept, lacking, write_families
from schemas.topics import PARTS
from streams import kafka
from tests.live.conftest import Rivers
from tests.live.events import AT_ONCE, boots, happened, shopping
from tests.live.proof import facts, prove
from tests.live.river import River
from tests.live.test_health import halts

OLD = b'{"clickstream": {"next": 1, "events": 1, "counts": {"Product Viewed": 1}, "aliases": ["x"]}}'
"""As it was kept before facts could be joined."""


async def age(river: River) -> None:
    """Make it what it was before there were links: no topic of parts, and states that know of none."""
    admin = AIOKafkaAdminClient(**kafka.connect(river.settings))
    await admin.start()
    await admin.delete_topics([river.settings.topic(PARTS)])
    await admin.close()
    async with Redis.from_url(river.settings.redis) as client:
        for partition in range(river.settings.partitions):
            slot = f"{{{river.app}:{partition:03}}}"
            assert await client.hdel(f"{slot}:meta", "format", f"next:{PARTS}") == 2
            for key in await client.hkeys(f"{slot}:customers"):
                await client.hset(f"{slot}:customers", key, OLD)


async def ids(river: River) -> list[str]:
    """Of all triggers that left."""
    return sorted(trigger.id for trigger in await river.triggers())


@pytest.mark.parts("real")
async def test_states_from_before_there_were_links(rivers: Rivers) -> None:
    river, seen = rivers(AT_ONCE), shopping(1_000, bad=0)
    await river.init()
    worker = await river.worker().ready()
    await river.send(seen.records)
    await river.rest()
    before, left = await river.customers(), await ids(river)
    assert await worker.stop() == 0
    await age(river)

    worker.start()
    assert await worker.ended() == 70
    assert f"got none of {river.settings.topic(PARTS)}-0" in worker.text() and "`kairos init`" in worker.text()
    assert "topics made" in await river.run("init")
    worker.start()
    for why in (await halts(worker, river.settings.partitions)).values():
        assert f"wanted customers in format {FORMAT}, got 1" in why and "`kairos rebuild`" in why
    customer = seen.records[0].key.decode()
    for command in (("books",), ("customer", customer), ("customers",)):
        assert f"wanted customers in format {FORMAT}, got 1" in await river.run(*command, code=1)

    assert "of another format" in await river.run("rebuild", "--yes")
    await worker.ready()
    await river.send([happened(customer, PRODUCT_VIEWED, id="new", anonymous="phone")])
    await river.rest()
    after = await river.customers()
    changed = {key for key in before if facts(after[key]) != facts(before[key])}
    assert changed == {customer.encode()} and after.keys() - before.keys() == {b"phone"}
    assert await ids(river) == left
    assert (await river.told("books", "--json"))["balanced"]
    await prove(river)


@pytest.mark.parts("real")
@pytest.mark.timeout(300)
async def test_other_families_of_facts_need_a_rebuild(rivers: Rivers) -> None:
    river, seen = rivers(AT_ONCE), shopping(500, bad=0)
    await river.init()
    worker = await river.worker().ready()
    await river.send(seen.records)
    await river.send([happened("ann", PRODUCT_VIEWED, id="ann-1", anonymous="phone", products=boots())])
    await river.rest()
    await river.send([happened("phone", PRODUCT_VIEWED, id="phone-1", products=boots())])
    await river.rest()
    full, left = await river.customers(), await ids(river)
    assert len(lacks(full[b"ann"], ALL)) == 2  # the phone's are there too
    for kept, other in ((ALL, frozenset({"habits", "likes"})), (frozenset({"habits", "likes"}), ALL)):
        assert await worker.stop() == 0
        river.settings = river.settings.model_copy(update={"facts": write_families(other)})
        worker = river.worker()
        for why in (await halts(worker, river.settings.partitions)).values():
            assert f"wanted customers with the facts {write_families(other)} (KAIROS_FACTS)" in why
            assert f"got {write_families(kept)}:" in why and "`kairos rebuild`" in why
        assert f"got {write_families(kept)}:" in await river.run("init", code=1)
        assert "stop the workers first" in await river.run("rebuild", "--yes", code=1)
        assert await worker.stop() == 0
        assert "of other facts" in await river.run("rebuild", "--yes")
        worker = await river.worker().ready()
        await river.rest()
        await prove(river)
        wanted = {key: lacks(one, other) for key, one in full.items()}
        assert {key: lacks(one, ALL) for key, one in (await river.customers()).items()} == wanted
        assert await ids(river) == left


def lacks(customer: Customer, kept: Kept) -> list[Any]:
    """Facts of one's own and of what others told, without those that are not kept, and without positions: links are
    told again."""
    sides = [getattr(customer.identity, topic, None) for topic in FACTS]
    held = [one.facts for side in sides if side for _, one in sorted(side.held.items())]
    some = [one for one in (*facts(customer), *held) if one is not None]
    return [replace(lacking(one, kept), next=0, seen=Seen()) for one in some]
