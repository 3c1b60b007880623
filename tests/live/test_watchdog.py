"""A worker that lives and does nothing ends itself, so that somebody starts it again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import InconsistentGroupProtocolError

from streams.engine.watchdog import EXIT_HUNG
from streams.engine.worker import EXIT_CRASH
from streams.kafka import connect
from tests.live.conftest import Rivers
from tests.live.events import AT_ONCE
from tests.live.process import until
from tests.live.river import River


@asynccontextmanager
async def stranger(river: River) -> AsyncIterator[None]:
    """Somebody else has our group, and shares out partitions in another way: Kafka takes nobody in beside it.

    Faust then gives up, and stays.
    """
    async with AIOKafkaConsumer(**connect(river.settings), group_id=river.app) as consumer:
        consumer.subscribe([river.settings.topic("cart")])

        async def joined() -> bool:
            with suppress(InconsistentGroupProtocolError):  # so far the group is the worker's
                await consumer.getmany(timeout_ms=100)
            return len(consumer.assignment()) == river.settings.partitions

        await until(joined, "a group without us")
        yield


@pytest.mark.parts("real")
async def test_a_worker_the_group_does_not_take_ends_itself(rivers: Rivers) -> None:
    river = rivers(AT_ONCE)
    await river.init()
    async with stranger(river):
        worker = river.worker(watchdog_seconds=5)
        assert await worker.ended() == EXIT_HUNG
    assert worker.said("hangs")
    await worker.start().ready()


@pytest.mark.parts("real")
async def test_a_worker_the_group_does_not_take_back_ends_itself(rivers: Rivers) -> None:
    river = rivers(AT_ONCE)
    await river.init()
    worker = await river.worker(watchdog_seconds=5).ready()
    worker.pause()  # for longer than its session
    async with stranger(river):
        worker.resume()
        assert await worker.ended() in (EXIT_HUNG, EXIT_CRASH)  # whichever sees it first
    await worker.start().ready()
