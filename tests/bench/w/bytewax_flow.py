"""W in Bytewax: one logic a customer, snapshots of it for recovery, triggers to Kafka, states to Redis."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main
from redis import Redis

from schemas.event import Event, decode_event
from tests.bench.w.job import Done, job
from tests.bench.w.work import Trigger, apply, encode_state, encode_trigger, load, trigger_of

JOB = job()
EPOCH = timedelta(seconds=1)
"""Between two snapshots."""

Pair = tuple[str, Event]
Told = tuple[bytes, list[Trigger]]
"""A state after a batch, and the triggers the batch made."""

done = Done()


class Customer(StatefulBatchLogic[Event, Told, bytes]):
    """State of one customer."""

    def __init__(self, before: bytes | None) -> None:
        self.state = load(before)
        self.key = b""

    def on_batch(self, events: list[tuple[bytes, Event]]) -> tuple[Iterable[Told], bool]:
        state, triggers = self.state, []
        for key, event in events:
            if apply(state, event.name, event.time, event.dwell, JOB.cooldown):
                triggers.append(trigger_of(key, state, event.time, event.received))
        done.add(len(events))
        return [(encode_state(state), triggers)], StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        return encode_state(self.state)


class States(DynamicSink[tuple[str, Told]]):
    """States to Redis: the last of each customer and batch."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "Writer":
        return Writer()


class Writer(StatelessSinkPartition[tuple[str, Told]]):
    def __init__(self) -> None:
        self.redis = Redis.from_url(JOB.redis)

    def write_batch(self, items: list[tuple[str, Told]]) -> None:
        self.redis.mset({JOB.key(key.encode()): state for key, (state, _) in items})


def decode(messages: list[KafkaSourceMessage[bytes, bytes]]) -> list[tuple[str, tuple[bytes, Event]]]:
    return [(m.key.decode(), (m.key, decode_event(m.value))) for m in messages]


def records(item: tuple[str, Told]) -> Iterator[KafkaSinkMessage[bytes, bytes]]:
    """A record for each trigger."""
    key, (_, triggers) = item
    for one in triggers:
        yield KafkaSinkMessage(key.encode(), encode_trigger(one))


def main() -> None:
    """For ever."""
    folder = Path(JOB.folder)
    init_db_dir(folder, 1)
    flow = Dataflow("w")
    source = KafkaSource([JOB.kafka], [JOB.source], add_config={"fetch.wait.max.ms": "100"})
    messages = op.input("events", flow, source)
    told = op.stateful_batch("fold", op.flat_map_batch("decode", messages, decode), Customer)
    op.output("triggers", op.flat_map("records", told, records), KafkaSink([JOB.kafka], JOB.sink))
    op.output("states", told, States())
    cli_main(flow, epoch_interval=EPOCH, recovery_config=RecoveryConfig(str(folder)))


if __name__ == "__main__":
    main()
