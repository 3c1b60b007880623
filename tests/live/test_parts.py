"""The servers behind all other live tests: do they keep port and data, and do they answer when they say so?"""

import asyncio

import pytest
import redis
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.parts import Parts


async def _produce(address: str, topic: str) -> int:
    """Sends one record and says its offset."""
    async with AIOKafkaProducer(bootstrap_servers=address, enable_idempotence=False) as producer:
        return int((await producer.send_and_wait(topic, b"x", partition=0)).offset)


async def _create(address: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


async def test_a_broker_takes_records_as_soon_as_it_is_ready(parts: Parts) -> None:
    await _create(parts.kafka.address, "parts-first")
    assert await _produce(parts.kafka.address, "parts-first") == 0


@pytest.mark.parts("real")
@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_kafka_comes_back_with_its_data(parts: Parts, end: str) -> None:
    address = parts.kafka.address
    await _create(address, f"parts-{end}")
    await _produce(address, f"parts-{end}")
    await asyncio.to_thread(getattr(parts.kafka, end))
    await asyncio.to_thread(parts.kafka.start)
    assert parts.kafka.address == address
    assert await _produce(address, f"parts-{end}") == 1


@pytest.mark.parts(needs="redis")
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_redis_comes_back_with_its_data(parts: Parts, end: str) -> None:
    with redis.Redis.from_url(parts.redis.address) as client:
        client.set("parts", end)
        getattr(parts.redis, end)()
        parts.redis.start()
        assert client.get("parts") == end.encode()


@pytest.mark.parts("embedded", needs="redis")
def test_a_paused_server_is_silent_until_resumed(parts: Parts) -> None:
    with redis.Redis.from_url(parts.redis.address, socket_timeout=0.2, retry=None) as client:
        client.ping()
        parts.redis.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        parts.redis.resume()
        client.ping()


@pytest.mark.parts("embedded")
def test_parts_heal_after_each_test(parts: Parts) -> None:
    pid = parts.redis.pid
    parts.redis.kill()
    parts.heal()
    assert parts.redis.pid not in (0, pid)
