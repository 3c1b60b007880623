"""W in Faust, tuned: uvloop, raw values, `take` and one pipeline a batch."""

import asyncio

import faust
import uvloop
from redis.asyncio import Redis

from schemas.event import decode_event
from tests.bench.w.job import Done, job
from tests.bench.w.work import apply, encode_state, encode_trigger, load, trigger_of

JOB = job()
BATCH, WITHIN = 500, 0.02
"""Events of a batch; seconds to wait for them."""

uvloop.install()
app = faust.App(
    JOB.name,
    broker=f"kafka://{JOB.kafka}",
    datadir=JOB.folder,
    topic_partitions=JOB.partitions,
    consumer_auto_offset_reset="earliest",
    stream_buffer_maxsize=16_384,
    web_enabled=False,
)
source = app.topic(JOB.source, value_serializer="raw", key_serializer="raw")
sink = app.topic(JOB.sink, value_serializer="raw", key_serializer="raw")
redis = Redis.from_url(JOB.redis)
done = Done()


@app.agent(source)
async def follow(stream: faust.Stream[bytes]) -> None:
    async for batch in stream.noack_take(BATCH, within=WITHIN):
        keys = list({message.key for message in batch})
        values = await redis.mget([JOB.key(key) for key in keys])
        states = {key: load(value) for key, value in zip(keys, values, strict=True)}
        told = []
        for message in batch:
            event, state = decode_event(message.value), states[message.key]
            if apply(state, event.name, event.time, event.dwell, JOB.cooldown):
                told.append((message.key, trigger_of(message.key, state, event.time, event.received)))
        async with redis.pipeline(transaction=False) as pipe:
            pipe.mset({JOB.key(key): encode_state(state) for key, state in states.items()})
            await pipe.execute()
        await asyncio.gather(*[sink.send(key=key, value=encode_trigger(trigger)) for key, trigger in told])
        for message in batch:
            message.ack()
        done.add(len(batch))


if __name__ == "__main__":
    faust.Worker(app, loglevel="WARNING").execute_from_commandline()
