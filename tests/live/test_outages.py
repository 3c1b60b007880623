"""Redis or Kafka goes away for half a minute: work goes on by itself afterwards."""

import asyncio

import pytest

from schemas.trigger import trigger_id
from tests.live.calls import Client, track
from tests.live.conftest import Rivers
from tests.live.events import AT_ONCE
from tests.live.proof import prove
from tests.live.river import SERVER_KEY, River

AWAY = 30.0
"""Seconds."""
BATCH = 10


async def shop(river: River, client: Client, batches: int) -> set[str]:
    """Additions over HTTP, a batch each quarter of a second. Answers the ids of the triggers they call for."""
    wanted = set()
    for number in range(batches):
        calls = [track(f"h{n}", "Product Added", f"h{number}-{n}", product_id="p", price=1) for n in range(BATCH)]
        wanted |= {trigger_id(river.app, "added", call["userId"].encode(), call["messageId"]) for call in calls}
        await client.send(calls)
        await asyncio.sleep(0.25)
    return wanted


@pytest.mark.timeout(240)
@pytest.mark.parts("real")
@pytest.mark.parametrize("part", ["redis", "kafka"])
async def test_half_a_minute_without(rivers: Rivers, part: str) -> None:
    river = rivers(AT_ONCE)
    await river.init()
    worker, collector = river.worker(), river.collector()
    await worker.ready()
    await collector.ready()
    client = Client(collector.url, SERVER_KEY)
    ward, pid = getattr(river.parts, part), worker.pid
    async with river.flow(pause=0.5) as seen:
        shopping_on = asyncio.create_task(shop(river, client, 20))
        await river.reaches(500)
        await asyncio.to_thread(ward.stop)
        await asyncio.sleep(AWAY)
        assert worker.runs and (await worker.get("/livez"))[0] == 200
        await asyncio.to_thread(ward.start)
        by_http = await shopping_on
    await river.rest()

    triggers = await prove(river)
    wanted = {trigger_id(river.app, "added", *addition) for addition in seen.additions} | by_http
    assert {trigger.id for trigger in triggers} == wanted
    assert await river.applied() == seen.distinct + len(by_http)
    assert worker.runs and worker.pid == pid
    assert part == "redis" or client.answers[503], client.answers
