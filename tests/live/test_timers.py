"""Silence: a cart left alone is spoken of in time, and one that was paid for is not, whoever slept meanwhile."""

import asyncio
import statistics
import time

import pytest

from schemas.topics import TRIGGERS
from schemas.trigger import decode_trigger
from streams import kafka
from tests.live.conftest import Rivers
from tests.live.events import added, at_the_till
from tests.live.process import until
from tests.live.proof import prove
from tests.live.river import River

SILENCE = 3.0
"""Seconds, as the playbook says."""
CARTS = 8


async def abandoned(river: River) -> list[str]:
    """Who was spoken to."""
    return sorted(trigger.customer for trigger in await river.triggers() if trigger.play == "cart-abandoned")


async def follow(river: River, seen: dict[str, float]) -> None:
    """Note when each trigger came into sight of a reader who reads what is committed."""
    async for batch in kafka.read_log(river.settings, [river.settings.topic(TRIGGERS)], follow=True):
        for record in batch:
            trigger = decode_trigger(record.value or b"")
            if trigger.play == "cart-abandoned":
                seen.setdefault(trigger.id, time.time() - trigger.time)


async def test_a_silence_ends_in_time(rivers: Rivers) -> None:
    river, late = rivers(), dict[str, float]()
    await river.init()
    await river.worker().ready()
    following = asyncio.create_task(follow(river, late))
    for number in range(CARTS):
        await river.send([added(f"ann{number}", "cart")])
        await asyncio.sleep(0.1)  # their times shall not fall together

    async def all_came() -> bool:
        assert not following.done(), following.result()
        return len(late) == CARTS

    await until(all_came, f"{CARTS} triggers")
    following.cancel()
    assert min(late.values()) >= 0.0, "spoken to before the silence was over"
    assert statistics.median(late.values()) <= 1.0, late
    await river.rest()
    await prove(river)


@pytest.mark.parts("embedded")
async def test_an_order_at_the_till_ends_the_silence(rivers: Rivers) -> None:
    river = rivers()
    await river.init()
    await river.worker().ready()
    await river.send([added("ann", "cart"), added("bob", "cart")])
    await river.send([at_the_till("ann", "receipt")])
    await river.silence()
    assert await abandoned(river) == ["bob"]
    counts = await river.counts()
    assert (counts["timer:armed"], counts["timer:fired"], counts["timer:cancelled"]) == (2, 1, 1)
    await prove(river)


@pytest.mark.parts("real")
async def test_an_order_nobody_was_there_to_read_ends_the_silence(rivers: Rivers) -> None:
    """The worker is down when the order comes, and starts when the silence is over, with much to read before it."""
    river = rivers(turn_records=1)
    await river.init()
    worker = await river.worker().ready()
    start = time.time()
    await river.send([added("ann", "cart", at=start + 1), added("bob", "cart", at=start + 1)])
    await river.reaches(2)
    await worker.kill()
    theirs = river.partition(b"ann")
    others = [name for name in (f"c{n}" for n in range(8_000)) if river.partition(name.encode()) == theirs]
    await river.send([*(at_the_till(name, "r" * 500, query="q" * 500, session="s" * 500) for name in others)])  # 3 MB
    await river.send([at_the_till("ann", "receipt", at=start + 2)])
    assert (await river.counts())["timer:fired"] == 0, "too slow: the silence was over before the worker was killed"
    await asyncio.sleep(max(0.0, start + 1 + SILENCE - time.time()))
    worker.start()
    await river.silence()
    assert await abandoned(river) == ["bob"]
    await prove(river)


@pytest.mark.parts("embedded")
async def test_an_addition_begins_the_silence_again(rivers: Rivers) -> None:
    river, start = rivers(), time.time()
    await river.init()
    await river.worker().ready()
    await river.send([added("ann", "cart", id="1", at=start), added("ann", "cart", id="2", at=start + 2)])
    await river.silence()
    (trigger,) = [one for one in await river.triggers() if one.play == "cart-abandoned"]
    assert trigger.time == start + 2 + SILENCE
    assert trigger.why and trigger.why.event == "2"
