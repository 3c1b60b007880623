"""W in Faust, as its documentation has it: models, an agent, `async for`, one state read and written per event."""

import faust
from redis.asyncio import Redis

from tests.bench.w.job import Done, job
from tests.bench.w.work import apply, encode_state, load, trigger_of

JOB = job()


class Product(faust.Record):
    id: str
    name: str = ""
    category: str = ""
    brand: str = ""
    price: int = 0
    quantity: int = 1


class Event(faust.Record):
    id: str
    name: str
    time: float
    received: float = 0.0
    channel: str = ""
    session: str = ""
    cart: str = ""
    order: str = ""
    query: str = ""
    total: int = 0
    dwell: float = 0.0
    products: list[Product] = []  # noqa: RUF012 - what Faust's models ask for


class Told(faust.Record):
    customer: str
    time: float
    received: float
    score: float
    events: int


app = faust.App(
    JOB.name,
    broker=f"kafka://{JOB.kafka}",
    datadir=JOB.folder,
    topic_partitions=JOB.partitions,
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
)
source = app.topic(JOB.source, value_type=Event, value_serializer="json", key_type=bytes)
sink = app.topic(JOB.sink, value_type=Told, key_type=bytes)
redis = Redis.from_url(JOB.redis)
done = Done()


@app.agent(source)
async def follow(stream: faust.Stream[Event]) -> None:
    async for customer, event in stream.items():
        key = JOB.key(customer)
        value = await redis.get(key)
        state = load(value)
        told = apply(state, event.name, event.time, event.dwell, JOB.cooldown)
        await redis.set(key, encode_state(state))
        if told:
            trigger = trigger_of(customer, state, event.time, event.received)
            await sink.send(
                key=customer,
                value=Told(trigger.customer, trigger.time, trigger.received, trigger.score, trigger.events),
            )
        done.add()


if __name__ == "__main__":
    faust.Worker(app, loglevel="WARNING").execute_from_commandline()
