"""Faults of Redis: restarted, set back, emptied, full, away, cut off; and a zombie that a rewind brings back."""

import asyncio
import json
import os
import shutil
import time
from typing import Any
from zlib import crc32

import redis.asyncio
from aiokafka import AIOKafkaProducer
from redis.exceptions import RedisError

from streams.tools.parts import free_port
from tests.faults.harness.installation import PARTITIONS, SESSION
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.run import Run


async def restarted(run: Run) -> None:
    """Stopped politely, then killed: the append-only file keeps what was acknowledged."""
    run.start()
    run.start()
    async with run.loading():
        await run.serving()
        for how in ("stop", "kill"):
            await run.pause(0.5, 1.5)
            await asyncio.to_thread(getattr(run.redis, how))
            run.faults[f"redis {how}"] += 1
            await run.pause(0.2, 1.5)
            await back(run)


async def back(run: Run) -> None:
    """Redis starts again, and all goes on."""
    await asyncio.to_thread(run.redis.start)
    await run.recover("redis back", time.monotonic())


async def mended(run: Run) -> None:
    """Its append-only file is written anew, as README tells who operates it: what a loss has cut a transaction down to
    stays in the old file, and would come alive when that is read once more."""
    async with redis.asyncio.Redis.from_url(run.redis.address) as client:
        await client.bgrewriteaof()
        async with asyncio.timeout(10.0):
            while rewrites(await client.info("persistence")):  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.05)


def rewrites(told: dict[str, Any]) -> bool:
    return bool(told["aof_rewrite_in_progress"] or told["aof_rewrite_scheduled"])


async def cut(run: Run) -> None:
    """kill -9, and the end of the append-only file is lost, at any byte: acknowledged commits are gone."""
    run.start()
    run.start()
    async with run.loading():
        await run.serving()
        for _ in range(2):
            await run.pause(1.0, 2.0)
            await run.remember_tokens()
            await asyncio.to_thread(run.redis.kill)
            run.faults["redis set back"] += 1
            lose_tail(run)
            await run.pause(0.1, 1.0)
            await back(run)
            await mended(run)


def lose_tail(run: Run) -> None:
    """A power loss: what the disk had not got."""
    folder = run.arena.folder(run.redis) / "appendonlydir"
    path = max(folder.glob("*.incr.aof"), key=lambda one: one.stat().st_mtime)
    size = path.stat().st_size
    os.truncate(path, size - min(size // 2, run.rnd.randrange(2_000, 200_000)))


async def replica(run: Run) -> None:
    """The primary dies, and a replica that lagged takes its place."""
    spare = await run.arena.redis()
    behind: Any = redis.asyncio.Redis.from_url(spare.address)
    port = port_of(run.redis.address)
    async with Proxy(free_port(), port) as door:
        await behind.execute_command("REPLICAOF", "127.0.0.1", port)
        url = {"KAIROS_REDIS": f"redis://127.0.0.1:{door.port}/0"}
        run.start(**url)
        run.start(**url)
        async with run.loading():
            await run.serving()

            async def follows() -> bool:
                return b"master_link_status:up" in await behind.execute_command("INFO", "replication")

            behind.response_callbacks.clear()
            await run.until(follows, "the replica to follow", 10.0)
            await run.pause(0.5, 1.5)
            await behind.execute_command("REPLICAOF", "NO", "ONE")  # what comes now it does not see
            await run.pause(0.3, 1.5)
            await run.remember_tokens()
            await asyncio.to_thread(run.redis.kill)
            run.faults["lagging replica promoted"] += 1
            run.redis, run.store = spare, behind
            await door.drop()
            await door.reopen(port_of(spare.address))
            await run.recover("failover", time.monotonic())
        await run.finish()
    await behind.aclose()


async def shard(run: Run) -> None:
    """A shard of a cluster fails over to a replica that lagged: one partition goes back in time, and all that it told
    others has been heard there; or it has heard what it does not know any more."""
    run.start()
    run.start()
    async with run.loading():
        await run.serving()
        for partition in run.rnd.sample(range(PARTITIONS), 3):
            kept = await slot(run, partition)
            await run.pause(0.3, 1.5)
            await run.remember_tokens()
            async with run.store.pipeline(transaction=True) as all_at_once:
                for key, value in kept.items():
                    all_at_once.delete(key)
                    if value is not None:
                        all_at_once.restore(key, 0, value)
                await all_at_once.execute()
            run.faults["one partition set back"] += 1
            await run.recover("one partition set back", time.monotonic())


async def slot(run: Run, partition: int) -> dict[str, bytes | None]:
    """All keys of a partition as they are at one moment."""
    keys = [f"{{{run.app}:{partition:03}}}:{name}" for name in ("meta", "customers", "timers", "outbox", "turns")]
    async with run.store.pipeline(transaction=True) as all_at_once:
        for key in keys:
            all_at_once.dump(key)
        return dict(zip(keys, await all_at_once.execute(), strict=True))


async def emptied(run: Run) -> None:
    """Redis comes back with nothing. Nobody begins at zero; `kairos rebuild` gives the same facts."""
    run.start()
    async with run.loading():
        await run.serving()
        await run.pause(1.0, 2.0)
        await asyncio.to_thread(run.redis.kill)
        shutil.rmtree(run.arena.folder(run.redis) / "appendonlydir")
        run.faults["redis emptied"] += 1
        await asyncio.to_thread(run.redis.start)
        await run.halted("wanted a state in Redis, found none")
    assert not any(await run.metas()), "a state appeared by itself"
    await rebuild(run)


async def rebuild(run: Run, *options: str) -> None:
    """`kairos rebuild`, and workers that look at once."""
    code, said = await run.command("rebuild", "--yes", "--json", *options)
    if code:
        run.findings.wrong("kairos rebuild failed", said)
    run.faults["kairos rebuild"] += 1
    run.seen["partitions rebuilt"] += said.count('"partition"')
    for name in list(run.workers):
        await run.kill(name)
    since = time.monotonic()
    run.start()
    await run.recover("rebuild", since)


async def full(run: Run) -> None:
    """Out of memory: writes are refused until there is room again."""
    run.start()
    run.start()
    async with run.loading():
        await run.serving()
        for _ in range(2):
            await run.pause(0.5, 1.0)
            used = int((await run.store.info("memory"))["used_memory"])
            await run.store.config_set("maxmemory", max(1, used - 100_000))
            run.faults["redis out of memory"] += 1
            await run.pause(1.0, 2.5)
            run.seen["writes refused"] += await refusals(run)
            await run.store.config_set("maxmemory", 0)
            await run.recover("room again", time.monotonic())


async def refusals(run: Run) -> int:
    stats: dict[str, Any] = await run.store.info("errorstats")
    return sum(int(of["count"]) for name, of in stats.items() if name == "errorstat_OOM")


async def away(run: Run) -> None:
    """Away for longer than a session, and nothing is polled meanwhile: nobody leaves the group or loses an event."""
    run.start()
    run.start()
    async with run.loading():
        await run.serving()
        await run.pause(0.5, 1.0)
        await asyncio.to_thread(run.redis.stop)
        run.faults["redis away"] += 1
        await asyncio.sleep(3 * SESSION)
        await back(run)
    run.seen["calls that waited"] += run.logged("redis away")


async def line_cut(run: Run) -> None:
    """One of two workers loses its line to Redis: held first, then broken and refused."""
    port = port_of(run.redis.address)
    async with Proxy(free_port(), port) as door:
        run.start(KAIROS_REDIS=f"redis://127.0.0.1:{door.port}/0")
        run.start()
        async with run.loading():
            await run.serving()
            await run.pause(0.5, 1.0)
            door.hold()
            run.faults["line to redis held"] += 1
            await run.pause(1.0, 3.0)
            door.heal()
            await run.recover("line healed", time.monotonic())
            await door.shut()
            run.faults["line to redis broken"] += 1
            await run.pause(1.0, 2.0)
            await door.reopen()
            await run.recover("line healed", time.monotonic())
        await run.finish()
    run.seen["calls that waited"] += run.logged("redis away")


async def revived(run: Run) -> None:
    """The judge's case. The commit that fires a timer is held on the line, and its worker frozen; another takes over
    and sends what fills the cap. Then Redis goes back to the moment before, where the frozen one's token is valid, and
    the held commit arrives: it puts a trigger into the outbox that no longer fits. The next term must take it back."""
    doors = [Proxy(free_port(), port_of(run.redis.address)) for _ in range(2)]
    async with doors[0] as first, doors[1] as second:
        frozen = run.start(KAIROS_REDIS=f"redis://127.0.0.1:{first.port}/0")
        async with run.loading(seconds=2.0):
            await run.serving()
        await run.rest()
        customer = f"judged-{run.seed}"
        await send(run, customer, "cart", "Product Added", 1)
        await run.until(lambda: holds(run, "zcard", "timers"), "a timer", 10.0)
        first.trip = b"kairos_commit", customer.encode()
        await asyncio.wait_for(first.tripped.wait(), 10)
        saved = save(run)
        run.freeze(frozen)
        await send(run, customer, "cart", "Coupon Entered", 3)
        await send(run, customer, "cart", "Cart Viewed", 1)
        run.start(KAIROS_REDIS=f"redis://127.0.0.1:{second.port}/0")
        await asyncio.sleep(SESSION)
        await run.recover("zombie", time.monotonic())
        await run.rest()
        await run.remember_tokens()
        second.hold()
        await asyncio.to_thread(run.redis.kill)
        restore(run, saved)
        await asyncio.to_thread(run.redis.start)
        run.faults["redis set back before a term"] += 1
        first.heal()  # the held commit is told to the Redis of old
        await run.until(lambda: holds(run, "hlen", "outbox"), "the zombie's trigger in the outbox", 10.0)
        run.faults["zombie revived"] += 1
        await second.drop()
        second.heal()
        run.thaw(frozen)
        await run.recover("zombie revived", time.monotonic())
        await run.finish()


async def holds(run: Run, command: str, part: str) -> bool:
    """Whether any partition has something there."""
    ask = getattr(run.store, command)
    try:
        return any([await ask(f"{{{run.app}:{p:03}}}:{part}") for p in range(PARTITIONS)])
    except (RedisError, OSError):
        return False


def save(run: Run) -> str:
    """The append-only file as it is: nobody writes just now."""
    folder = run.arena.folder(run.redis)
    shutil.copytree(folder / "appendonlydir", folder / "saved")
    return str(folder / "saved")


def restore(run: Run, saved: str) -> None:
    folder = run.arena.folder(run.redis) / "appendonlydir"
    shutil.rmtree(folder)
    shutil.copytree(saved, folder)


async def send(run: Run, customer: str, topic: str, name: str, times: int) -> None:
    """Events of one customer, straight to Kafka."""
    producer = AIOKafkaProducer(bootstrap_servers=run.kafka.address, acks="all")
    await producer.start()
    try:
        for _ in range(times):
            now = time.time()
            event = {"id": f"{customer}-{run.rnd.getrandbits(40):x}", "name": name, "time": now, "channel": "app"}
            place = run.settings.topic(topic)
            partition = crc32(customer.encode()) % PARTITIONS
            await producer.send_and_wait(place, json.dumps(event).encode(), customer.encode(), partition)
            run.ledger.answered[str(event["id"])] = time.time()
    finally:
        await producer.stop()


def port_of(address: str) -> int:
    return int(address.rsplit(":", 1)[1].split("/")[0])
