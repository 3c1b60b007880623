"""A worker that is killed in the middle of its work, again and again."""

import asyncio

import pytest

from schemas.trigger import trigger_id
from tests.live.conftest import Rivers
from tests.live.events import AT_ONCE
from tests.live.proof import Facts, facts, prove
from tests.live.river import River

KILLS = 5
MOST = 20
"""Kills after which it is given up that one of them comes between a sending and its answer."""


@pytest.mark.parts("real")
async def test_five_kills_change_nothing(rivers: Rivers) -> None:
    calm, hurt = rivers(AT_ONCE), rivers(AT_ONCE, turn_records=50)
    await asyncio.gather(calm.init(), hurt.init())
    worker = hurt.worker(instance="one")  # it comes back at once, not when its session has ended
    kills = sent_and_waiting = 0
    async with hurt.flow() as seen:
        while kills < KILLS or not sent_and_waiting:
            assert kills < MOST, "no trigger was in Kafka and in the outbox at a kill: this proved little"
            await hurt.reaches(await hurt.applied() + 300)
            await asyncio.to_thread(hurt.parts.redis.pause)
            await asyncio.sleep(0.2)  # what is in hand leaves for Kafka, and Redis does not hear of it
            await worker.kill()
            await asyncio.to_thread(hurt.parts.redis.resume)
            sent_and_waiting += len(await hurt.outbox_ids() & {trigger.id for trigger in await hurt.triggers()})
            kills += 1
            worker.start()
    calm.worker()
    await calm.send(seen.records)
    await asyncio.gather(hurt.rest(), calm.rest())

    triggers = await prove(hurt)
    counts = await hurt.counts()
    assert await hurt.applied() == seen.distinct
    assert sum(counts[name] for name in counts if name.startswith("duplicate:")) == seen.repeats
    wanted = {trigger_id(hurt.app, "added", customer, event) for customer, event in seen.additions}
    assert {trigger.id for trigger in triggers} == wanted
    assert await without_places(hurt) == await without_places(calm)


async def without_places(river: River) -> dict[bytes, Facts]:
    """The facts of each customer, less what belongs to the log they lie in."""
    found = {}
    for key, customer in (await river.customers()).items():
        for one in facts(customer):
            if one:
                one.next, one.seen.since = 0, 0.0
        found[key] = facts(customer)
    return found
