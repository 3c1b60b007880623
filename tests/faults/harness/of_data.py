"""Faults of what comes in, of clocks, of the collector; and several faults at once."""

import asyncio
import json
import time

from tests.faults.harness.installation import SESSION
from tests.faults.harness.of_redis import back, lose_tail, mended
from tests.faults.harness.run import Run


async def plain(run: Run) -> None:
    """The load itself is the fault."""
    run.start()
    run.start()
    async with run.loading():
        await run.serving()


async def storm(run: Run) -> None:
    """A bad deploy: a sender that computes partitions wrongly. Workers halt and keep it in Kafka; told to go on they
    make dead letters of it; redriven, every event is applied, once."""
    run.start()
    async with run.loading():
        await run.serving()
        await run.halted("poison:", 40.0)
    for name in list(run.workers):
        await run.stop(name)
    run.start(KAIROS_POISON_PERCENT="100")
    await run.recover("poison storm", time.monotonic())
    code, said = await run.command("dead-letters", "redrive", "--reason", "misplaced", "--yes", "--json")
    if code:
        run.findings.wrong("kairos dead-letters redrive failed", said)
        return
    run.faults["poison storm"] += 1
    run.seen["redriven"] += json.loads(said.strip().splitlines()[-1])["redriven"]


async def clocks(run: Run) -> None:
    """Each worker's clock steps to and fro, as far as the bound allows; one is killed meanwhile."""
    files = [run.folder / f"clock-{number}" for number in range(2)]
    for file in files:
        file.write_text("0")
        run.start(KAIROS_CLOCK_FILE=str(file))
    most = run.settings.clock_bound * 0.9
    async with run.loading():
        await run.serving()
        for step in range(12):
            await asyncio.sleep(0.4)
            run.rnd.choice(files).write_text(str(run.rnd.uniform(-most, most)))
            run.faults["clock stepped"] += 1
            if step == 6:
                since = time.monotonic()
                await run.kill(run.any_worker())
                await run.recover("kill -9", since)


async def collector_killed(run: Run) -> None:
    """kill -9 of the collector while requests are under way; senders send again."""
    run.start()
    async with run.loading():
        await run.serving()
        for number in range(3):
            await run.pause(0.5, 1.2)
            run.collector.kill()
            await run._gone(run.collector)
            run.faults["collector killed"] += 1
            run.collector = run._spawn(f"collector-{number}", ["streams.cli", "collector"], {})
    run.seen["requests broken"] += run.ledger.broken


async def mixed(run: Run) -> None:
    """Four faults drawn from the seed, a moment apart, the next one before all is well again."""
    run.start()
    run.start()
    run.start()
    async with run.loading(seconds=8.0):
        await run.serving()
        since = time.monotonic()
        for _ in range(4):
            since = time.monotonic()
            await run.rnd.choice((_kill, _freeze, _cut, _restart, _move))(run)
            await run.pause(0.1, 1.5)
        await run.recover("mixed faults", since)


async def _kill(run: Run) -> None:
    await run.kill(run.any_worker())
    run.start()


async def _freeze(run: Run) -> None:
    name = run.any_worker()
    run.freeze(name)
    await run.pause(SESSION, SESSION * 2)
    run.thaw(name)


async def _cut(run: Run) -> None:
    await run.remember_tokens()
    await asyncio.to_thread(run.redis.kill)
    run.faults["redis set back"] += 1
    lose_tail(run)
    await asyncio.to_thread(run.redis.start)
    await mended(run)


async def _restart(run: Run) -> None:
    await asyncio.to_thread(run.redis.kill)
    run.faults["redis kill"] += 1
    await run.pause(0.1, 1.0)
    await back(run)


async def _move(run: Run) -> None:
    await run.stop(run.any_worker())
    run.start()
