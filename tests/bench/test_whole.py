"""The whole product: all plays have something to do, and all that follows from the backlog is waited for."""

import asyncio
from collections import Counter

import pytest

from processors.playbook import read_playbook
from schemas.topics import EVENTS
from streams.settings import Settings
from streams.state import open_store
from streams.tools.guarded import Guarded
from tests.bench.house import House
from tests.bench.progress import rests
from tests.bench.throughput import Scale
from tests.bench.whole import MORE, SHIPPED, Whole, playbook
from tests.parts import KINDS, Parts

SMALL = Scale(events=6_000, customers=60)


def plays(text: str) -> list[str]:
    return [play.id for play in read_playbook(text).playbook.plays]


def test_the_shipped_plays_and_seven_more() -> None:
    shipped, all_of_them = plays(SHIPPED.read_text()), plays(playbook())
    assert len(all_of_them) == len(shipped) + 7
    assert [*shipped, *plays(MORE.read_text())] == all_of_them


async def counts(settings: Settings) -> tuple[bool, Counter[str]]:
    """Whether all is at rest, and what the slots have counted."""
    store = open_store(settings)
    try:
        metas = await asyncio.gather(*(store.slot(number).meta() for number in range(settings.partitions)))
        found = Counter[str]()
        for meta in metas:
            found.update({name[6:]: int(value) for name, value in meta.items() if name.startswith("count:")})
        return await rests(settings, store), found
    finally:
        await store.close()


@pytest.mark.parts("real")
@pytest.mark.timeout(120)
async def test_all_of_it_is_waited_for_and_policies_have_their_say(parts: Parts) -> None:
    with Guarded() as guard:
        work = Whole(House(guard, KINDS[parts.kind], parts.kafka.address, parts.redis.address), SMALL)
        settings = await work.prepare("whole")
        figures = await work.kairos(settings)
        at_rest, found = await counts(settings)
    assert at_rest
    assert figures.cpu_us_per_event and figures.events_per_second
    assert sum(found[f"applied:{topic}"] for topic in EVENTS) > SMALL.events + SMALL.customers  # markers of links
    assert len([id for id in plays(MORE.read_text()) if found[f"trigger:{id}"]]) >= 3
    assert found["timer:armed"]
    assert {name.rpartition(":")[2] for name in found if name.startswith("refused:")} >= {"consent", "cap"}
