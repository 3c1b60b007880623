"""Ends and reading on both kinds of broker: markers, open transactions, empty logs."""

from contextlib import aclosing
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from schemas.topics import ALL
from streams import kafka
from streams.settings import Settings, read_settings
from tests.parts import Parts


def settings_of(parts: Parts, partitions: int = 2) -> Settings:
    return read_settings(kafka=parts.kafka.address, partitions=partitions, topic_prefix=f"t{uuid4().hex[:8]}-")


async def write(settings: Settings, topic: str, partition: int, *values: bytes) -> None:
    async with AIOKafkaProducer(**kafka.connect(settings), acks="all") as producer:
        batch = producer.create_batch()
        for value in values:
            batch.append(key=None, value=value, timestamp=None)
        await (await producer.send_batch(batch, settings.topic(topic), partition=partition))


async def read(settings: Settings, topic: str, *, committed: bool = True) -> list[tuple[int, int, bytes | None]]:
    found = []
    async for batch in kafka.read_log(settings, [settings.topic(topic)], committed=committed):
        found += [(record.partition, record.offset, record.value) for record in batch]
    return sorted(found)


@pytest.mark.parts(needs="kafka")
async def test_topics_are_made_once_and_never_with_other_partitions(parts: Parts) -> None:
    settings = settings_of(parts)
    assert await kafka.create_topics(settings) == [settings.topic(name) for name in ALL]
    assert await kafka.create_topics(settings) == []
    with pytest.raises(kafka.WrongTopics, match=r"cart: wanted 3, got 2"):
        await kafka.create_topics(settings.model_copy(update={"partitions": 3}))


@pytest.mark.parts(needs="kafka")
async def test_an_end_is_after_the_last_record_of_a_batch(parts: Parts) -> None:
    settings = settings_of(parts)
    await kafka.create_topics(settings)
    await write(settings, "cart", 0, *(b"%d" % n for n in range(100)))
    async with kafka.connected(settings) as client:
        wanted = kafka.places([settings.topic("cart")], 2)
        assert sorted((await kafka.bounds(client, wanted)).values()) == [(0, 0), (0, 100)]
    assert [offset for _, offset, _ in await read(settings, "cart")] == list(range(100))


@pytest.mark.parts(needs="kafka")
async def test_an_end_of_no_topic_is_an_error_in_time(parts: Parts) -> None:
    settings = settings_of(parts)
    async with kafka.connected(settings) as client:
        with pytest.raises(kafka.Unavailable, match="nothing"):
            await kafka.ends(client, [("nothing", 0)], patience=0.3)


@pytest.mark.parts("real", needs="kafka")
async def test_markers_take_offsets_and_are_no_records(parts: Parts) -> None:
    settings = settings_of(parts)
    await kafka.create_topics(settings)
    topic = settings.topic("triggers")
    producer = AIOKafkaProducer(**kafka.connect(settings), transactional_id=settings.topic("tx"))
    async with producer:
        async with producer.transaction():
            await producer.send_and_wait(topic, b"kept", partition=0)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"thrown away", partition=0)
        await producer.abort_transaction()
        assert await read(settings, "triggers") == [(0, 0, b"kept")]
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"open", partition=0)
        async with kafka.connected(settings) as client:
            assert await kafka.ends(client, [(topic, 0)]) == {(topic, 0): 5}
            assert await kafka.ends(client, [(topic, 0)], committed=True) == {(topic, 0): 4}
        assert await read(settings, "triggers") == [(0, 0, b"kept")]
        assert [offset for _, offset, _ in await read(settings, "triggers", committed=False)] == [0, 2, 4]
        await producer.commit_transaction()


@pytest.mark.parts(needs="kafka")
async def test_reading_goes_on_where_it_is_told_and_follows(parts: Parts) -> None:
    settings = settings_of(parts)
    await kafka.create_topics(settings)
    await write(settings, "pos", 1, b"a", b"b", b"c")
    topic, found = settings.topic("pos"), list[bytes | None]()
    async with aclosing(kafka.read_log(settings, [topic], since={(topic, 1): 2}, follow=True)) as batches:
        async for batch in batches:
            found += [record.value for record in batch]
            if found == [b"c"] and batch:
                await write(settings, "pos", 0, b"d")
            if len(found) == 2:
                break
    assert found == [b"c", b"d"]


@pytest.mark.parts(needs="kafka")
async def test_the_broker_says_whether_it_has_transactions(parts: Parts) -> None:
    async with kafka.connected(settings_of(parts)) as client:
        assert await kafka.probe_transactions(client) is parts.transactions


async def test_no_broker_is_an_error_that_names_it() -> None:
    with pytest.raises(kafka.Unavailable, match=r"127\.0\.0\.1:1"):
        async with kafka.connected(read_settings(kafka="127.0.0.1:1")):
            pass
