"""W in Quix Streams: state in RocksDB with a changelog, triggers to a topic, states to Redis at each checkpoint."""

from pathlib import Path
from typing import Any

from quixstreams import Application, State
from quixstreams.sinks import BatchingSink, SinkBatch
from redis import Redis

from tests.bench.w import work
from tests.bench.w.job import Done, job

JOB = job()
CHECKPOINT = 1.0
"""Seconds between two commits. Longer ones save little and keep more events in memory for the sink."""

Step = tuple[bytes, dict[str, Any] | None]
"""A state as bytes; the trigger, if there is one."""


class States(BatchingSink):
    """Like the RedisSink that comes with Quix, but a state that changed often is written once."""

    def setup(self) -> None:
        self.redis = Redis.from_url(JOB.redis)

    def write(self, batch: SinkBatch) -> None:
        self.redis.mset({JOB.key(item.key): item.value for item in batch})


def fold(event: dict[str, Any], key: bytes, timestamp: int, headers: Any, store: State) -> Step:
    """One event."""
    state = work.load(store.get_bytes("w"))
    name, time, dwell = event["name"], event["time"], event.get("dwell", 0.0)
    told = work.apply(state, name, time, dwell, JOB.cooldown)
    after = work.encode_state(state)
    store.set_bytes("w", after)
    if not told:
        return after, None
    return after, work.asdict(work.trigger_of(key, state, time, event.get("received", 0.0)))


def main() -> None:
    """For ever."""
    done = Done()
    app = Application(
        broker_address=JOB.kafka,
        consumer_group=JOB.name,
        auto_offset_reset="earliest",
        state_dir=Path(JOB.folder),
        commit_interval=CHECKPOINT,
        consumer_extra_config={"fetch.wait.max.ms": 100},
        on_message_processed=lambda *_: done.add(),
        loglevel="WARNING",
    )
    source = app.topic(JOB.source, key_deserializer="bytes", value_deserializer="json")
    sink = app.topic(JOB.sink, key_serializer="bytes", value_serializer="json")
    steps = app.dataframe(source).apply(fold, stateful=True, metadata=True)
    steps.filter(lambda step: step[1] is not None).apply(lambda step: step[1]).to_topic(sink)
    steps.apply(lambda step: step[0]).sink(States())
    app.run()


if __name__ == "__main__":
    main()
