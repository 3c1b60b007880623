"""W in a bare loop, tuned: batches as Kafka gives them, one MSET a batch, states cached, hardly any garbage collection.

In each turn states go to Redis, then triggers to Kafka, then the offsets are committed.
"""

import asyncio
import gc
from collections.abc import Iterable

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from redis.asyncio import Redis

from schemas.event import decode_event
from tests.bench.w.job import Done, Job, job
from tests.bench.w.work import State, Trigger, apply, encode_state, encode_trigger, load, trigger_of

BATCH = 10_000


class Loop:
    """One process, all partitions."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.states: dict[bytes, State] = {}
        self.redis = Redis.from_url(job.redis)
        self.producer = AIOKafkaProducer(bootstrap_servers=job.kafka, acks="all")
        self.consumer = AIOKafkaConsumer(
            job.source,
            bootstrap_servers=job.kafka,
            group_id=job.name,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=4_194_304,
        )

    async def run(self) -> None:
        """For ever."""
        await asyncio.gather(self.producer.start(), self.consumer.start())
        gc.collect()
        gc.freeze()
        gc.set_threshold(200_000, 50, 1000)
        done = Done()
        while True:
            fetched = await self.consumer.getmany(timeout_ms=200, max_records=BATCH)
            if fetched:
                await self.turn(fetched)
                done.add(sum(map(len, fetched.values())))

    async def turn(self, fetched: dict[TopicPartition, list[ConsumerRecord]]) -> None:
        changed = {record.key for records in fetched.values() for record in records}
        await self.fetch([key for key in changed if key not in self.states])
        triggers = [trigger for records in fetched.values() for trigger in self.fold(records)]
        await self.redis.mset({self.job.key(key): encode_state(self.states[key]) for key in changed})
        if triggers:
            sink, send = self.job.sink, self.producer.send
            sent = [await send(sink, encode_trigger(one), one.customer.encode()) for one in triggers]
            await asyncio.gather(*sent)
        await self.consumer.commit()

    async def fetch(self, keys: list[bytes]) -> None:
        values = await self.redis.mget(map(self.job.key, keys)) if keys else ()
        for key, value in zip(keys, values, strict=True):
            self.states[key] = load(value)

    def fold(self, records: Iterable[ConsumerRecord]) -> list[Trigger]:
        states, cooldown, triggers = self.states, self.job.cooldown, []
        for record in records:
            event = decode_event(record.value)
            state = states[record.key]
            if apply(state, event.name, event.time, event.dwell, cooldown):
                triggers.append(trigger_of(record.key, state, event.time, event.received))
        return triggers


async def main() -> None:
    await Loop(job()).run()


if __name__ == "__main__":
    uvloop.run(main())
