"""The least one can do with events in Python: fetch, decode, count per customer. What Kairos is compared with.

Run as a process: `python -m tests.bench.loop BROKERS PARTITIONS TOPIC...`. Prints how many it has read.
"""

import gc
import sys

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.event import decode_event


async def run(brokers: str, partitions: int, topics: list[str]) -> None:
    """Read for ever, from the beginning."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=100
    )
    await consumer.start()
    consumer.assign([TopicPartition(topic, number) for topic in topics for number in range(partitions)])
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 1000)
    counts: dict[bytes, int] = {}
    read = 0
    while True:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            for record in records:
                if decode_event(record.value).name:
                    counts[record.key] = counts.get(record.key, 0) + 1
            read += len(records)
        print(read, flush=True)


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
