"""Partitions move between workers: one joins, one leaves, one dies, one comes back from the dead."""

import asyncio
import json
from itertools import chain

import pytest

from schemas.trigger import trigger_id
from tests.live.conftest import Rivers
from tests.live.events import AT_ONCE, Shopping, shopping
from tests.live.process import Served, until
from tests.live.proof import prove
from tests.live.river import River

ZOMBIES = 3


async def served(worker: Served) -> set[int]:
    """The partitions a worker serves, drained and judged."""
    status, body = await worker.get("/readyz")
    told = json.loads(body)["partitions"] if status else {}
    return {int(number) for number, state in told.items() if state == "ready"}


async def share(*workers: Served) -> None:
    """Until these workers serve all four partitions between them, each at least one."""

    async def yes() -> bool:
        theirs = [await served(worker) for worker in workers]
        return all(theirs) and sorted(chain.from_iterable(theirs)) == [0, 1, 2, 3]

    await until(yes, f"four partitions shared by {len(workers)} workers")


async def prove_all(river: River, seen: Shopping) -> None:
    """Nothing lost, nothing twice."""
    triggers = await prove(river)
    assert await river.applied() == seen.distinct
    assert {t.id for t in triggers} == {trigger_id(river.app, "added", *addition) for addition in seen.additions}


@pytest.mark.parts("real")
async def test_workers_join_leave_and_die(rivers: Rivers) -> None:
    river = rivers(AT_ONCE)
    await river.init()
    first = await river.worker().ready()
    async with river.flow() as seen:
        second = river.worker()
        await share(first, second)
        assert await first.stop() == 0
        await share(second)
        third = river.worker()
        await share(second, third)
        await river.reaches(await river.applied() + 100)
        await second.kill()
        await share(third)
    await river.rest()
    await prove_all(river, seen)


@pytest.mark.parts("real")
async def test_a_static_member_restarts_and_nothing_moves(rivers: Rivers) -> None:
    river, seen = rivers(AT_ONCE, session_seconds=20.0), shopping(2_000)
    await river.init()
    first, second = river.worker(instance="first"), river.worker(instance="second")
    await share(first, second)
    moved, ours = len(first.said("assigned")), await served(second)
    for end in (second.kill, second.stop):
        await end()
        second.start()
        await second.ready()
        assert await served(second) == ours
    await river.send(seen.records)
    await river.rest()
    await prove_all(river, seen)
    assert len(first.said("assigned")) == moved


@pytest.mark.parts("real")
async def test_a_zombie_is_refused(rivers: Rivers) -> None:
    """A refused commit is asked for. Whether its producer had something to be fenced for is chance, and is not."""
    river, seen = rivers(AT_ONCE, turn_records=5), Shopping()
    await river.init()
    zombie, other = river.worker(), river.worker()
    await share(zombie, other)
    for number in range(ZOMBIES + 1):
        before, more = await river.applied(), shopping(2_000, seed=number)
        seen.add(more)
        sending = asyncio.create_task(river.send(more.records))
        if number:  # the first one fills its memory: it shall have all it needs for another turn
            await river.reaches(before + 50)
            zombie.pause()  # with turns in hand, and triggers on their way
            await share(other)
            zombie.resume()
            await share(zombie, other)
        await sending
    await river.rest()
    await prove_all(river, seen)
    assert refused(zombie), "no commit was refused: this proved nothing"


def refused(worker: Served) -> bool:
    """Whether a commit was, because somebody else holds the token."""
    return "Refused('kairos_commit" in worker.text()
