"""Records put into logs by hand: markers that people ask for. Each acknowledged, or it was not done."""

from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.topics import partition_of
from schemas.turn import Message
from streams import kafka
from streams.settings import Settings


async def send(settings: Settings, messages: Sequence[Message]) -> None:
    """Into the logs of their id, each acknowledged. Raises kafka.Unavailable."""
    producer = AIOKafkaProducer(**kafka.connect(settings), acks="all")
    try:
        await producer.start()
        for message in messages:
            assert message.key
            partition = partition_of(message.key, settings.partitions)
            topic = settings.topic(message.topic)
            await producer.send(topic, message.value, key=message.key, partition=partition, headers=message.headers)
        await producer.flush()
    except KafkaError as exc:
        raise kafka.Unavailable(f"kafka: wanted {len(messages)} records taken; got {exc!r}") from exc
    finally:
        await producer.stop()
