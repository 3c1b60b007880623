"""Faults of Kafka: brokers restarted and killed, lines cut, topics made anew, records gone before they were read."""

import asyncio
import time

from aiokafka import TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete

from tests.faults.harness.installation import PARTITIONS, SESSION
from tests.faults.harness.of_redis import rebuild
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.run import Run

NOTICED = 5.0
"""Seconds after which Kafka has given up waiting for a dead broker's copies, or taken a live one's in again."""


async def restarted(run: Run) -> None:
    """The only broker is stopped politely, or killed."""
    run.start()
    run.start()
    async with run.loading():
        await run.serving()
        await run.pause(0.5, 1.0)
        how = run.rnd.choice(("stop", "kill"))
        broker = run.kafka.wards[0]
        await asyncio.to_thread(getattr(broker, how))
        run.faults[f"broker {how}"] += 1
        await run.pause(0.2, 1.5)
        await asyncio.to_thread(broker.start)
        await run.recover("broker back", time.monotonic())
    run.seen["rounds refused"] += run.ledger.refused + run.ledger.broken


async def one_of_three(run: Run) -> None:
    """One of three is killed: all goes on meanwhile."""
    run.start()
    run.start()
    async with run.loading():
        await run.serving()
        await run.pause(0.5, 1.0)
        broker = run.rnd.choice(run.kafka.wards)
        since, dark = time.monotonic(), time.time() - 1.0
        await asyncio.to_thread(broker.kill)
        run.faults["broker of three killed"] += 1
        await run.recover("broker of three killed", since)
        await asyncio.to_thread(broker.start)
        run.dark.append((dark, time.time() + NOTICED))


async def two_of_three(run: Run) -> None:
    """Two of three are killed: the collector answers 503 and acknowledges nothing it has not got."""
    run.start()
    async with run.loading():
        await run.serving()
        await run.pause(0.5, 1.0)
        dark = time.time() - 1.0
        dead = run.rnd.sample(run.kafka.wards, 2)
        for broker in dead:
            await asyncio.to_thread(broker.kill)
        run.faults["two of three killed"] += 1

        async def refused() -> bool:
            return run.ledger.refused > 0

        await run.until(refused, "the collector to answer 503", 20.0)
        for broker in dead:
            await asyncio.to_thread(broker.start)
        await run.recover("two brokers back", time.monotonic())
        run.dark.append((dark, time.time() + NOTICED))


async def line_cut(run: Run) -> None:
    """One of two workers loses its line to Kafka: held longer than its session, then broken and refused."""
    behind, front = run.kafka.proxied
    async with Proxy(front, behind) as door:
        run.start(KAIROS_KAFKA=f"127.0.0.1:{front}")
        run.start()
        async with run.loading():
            await run.serving()
            await run.pause(0.5, 1.0)
            since = time.monotonic()
            door.hold()
            run.faults["line to kafka held"] += 1
            await run.pause(SESSION * 1.2, SESSION * 2)
            await run.recover("line to kafka held", since)
            door.heal()
            await run.pause(0.5, 1.0)
            since = time.monotonic()
            await door.shut()
            run.faults["line to kafka broken"] += 1
            await run.pause(SESSION, SESSION * 1.5)
            await run.recover("line to kafka broken", since)
            await door.reopen()
            await run.pause(0.5, 1.0)
        await run.finish()


async def topic_again(run: Run) -> None:
    """A topic is removed and made again under a running worker: its records are gone, and that must be said. Where the
    group notices first the worker crashes loudly, and is started again, as whoever watches it would."""
    run.start()
    async with run.loading():
        await run.serving()
    await run.rest()
    name = run.settings.topic("clickstream")
    await run.delete_topics([name])
    await run.pause(0.0, 0.4)
    await make_again(run, name)
    run.faults["topic made anew"] += 1
    async with run.loading(collector=False, seconds=2.0):
        pass

    async def halted() -> bool:
        for worker in [worker for worker, process in run.workers.items() if process.poll() is not None]:
            del run.workers[worker]
            run.seen["workers that crashed"] += 1
            run.start()
        return run.logged("partition halted", "The topic was made anew") > 0

    await run.until(halted, "a partition halted: the topic was made anew", 40.0)
    await rebuild(run, "--from-what-is-there")


async def make_again(run: Run, name: str) -> None:
    """Kafka removes a topic in its own time, so a new one of this name may have to wait."""
    async with run.admin() as admin:
        for _ in range(50):
            configs = {"message.timestamp.type": "LogAppendTime"}
            topic = NewTopic(name, PARTITIONS, -1, replica_assignments={}, topic_configs=configs)
            answer = await admin.create_topics([topic])
            if answer.topic_errors[0][1] == 0:
                return
            await asyncio.sleep(0.1)


async def retention(run: Run) -> None:
    """Workers away for longer than records are kept."""
    run.start()
    async with run.loading(seconds=2.0):
        await run.serving()
    await run.rest()
    await run.stop(run.any_worker())
    async with run.loading(seconds=2.0):
        pass
    name = run.settings.topic("cart")
    ends = await run.ends()
    async with run.admin() as admin:
        await admin.delete_records(
            {TopicPartition(name, p): RecordsToDelete(ends["cart", p] - 1) for p in range(PARTITIONS)}
        )
    run.faults["records gone unread"] += 1
    run.start()
    await run.halted("kept them for too short a time")
    code, said = await run.command("rebuild", "--yes")
    if code != 1 or "--from-what-is-there" not in said:
        run.findings.wrong("kairos rebuild began at a cut log by itself", said)
    await rebuild(run, "--from-what-is-there")
