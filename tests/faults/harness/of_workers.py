"""Faults of workers: killed at random and at every step, frozen, moved, restarted; and none at all."""

import asyncio
import time

from tests.faults.harness.installation import SESSION
from tests.faults.harness.rig import POINTS
from tests.faults.harness.run import NoRest, Run


async def calm(run: Run) -> None:
    """No fault: whatever is violated here is violated always."""
    run.start()
    run.start()
    async with run.loading():
        await run.serving()


async def kill(run: Run) -> None:
    """kill -9 at random moments; a new worker comes, or the other one takes over."""
    run.start()
    run.start()
    async with run.loading():
        await run.serving()
        for _ in range(3):
            await run.pause(0.3, 1.2)
            since = time.monotonic()
            await run.kill(run.any_worker())
            run.start()
            await run.recover("kill -9", since)


async def shipped(run: Run) -> None:
    """kill -9 under the settings that ship, whose sessions are long: the other one takes over when the session ends."""
    run.start()
    run.start()
    async with run.loading():
        await run.serving()
        await run.pause(0.3, 1.2)
        since = time.monotonic()
        await run.kill(run.any_worker())
        await run.recover("kill -9, sessions as shipped", since)


async def points(run: Run) -> None:
    """kill -9 at five crash points one after another, each at its first, second or third time. Half of the runs have a
    static member id, so the next worker takes over at once; in the others it waits for the session of the dead."""
    chosen = [POINTS[(run.seed * 5 + at) % len(POINTS)] for at in range(5)]
    static = {"KAIROS_INSTANCE": "only"} if run.rnd.random() < 0.5 else {}
    async with run.loading():
        for point in chosen:
            name = run.start(KAIROS_CRASH_AT=f"{point}:{run.rnd.randint(1, 3)}", **static)
            await _dead(run, name)
        since = time.monotonic()
        run.start(**static)
        await run.recover("crash at a point", since)


async def _dead(run: Run, name: str) -> None:
    """It comes to its point, or not in time: then it is killed anyhow, and the point was not hit."""

    async def dead() -> bool:
        return run.workers[name].poll() is not None

    try:
        await run.until(dead, "a crash point", 10.0)
        run.faults["crash point"] += 1
        del run.workers[name]
    except NoRest:
        run.seen["crash points missed"] += 1
        await run.kill(name)


async def rebalance(run: Run) -> None:
    """kill -9 while the group is changing hands."""
    run.start()
    run.start()
    async with run.loading():
        await run.serving()
        for _ in range(2):
            victim = run.any_worker()
            run.start()
            await run.pause(0.8, 2.5)  # it joins after about a second
            since = time.monotonic()
            await run.kill(victim)
            await run.recover("kill in rebalance", since)


async def zombie(run: Run) -> None:
    """SIGSTOP beyond the session, so that another serves; then SIGCONT: it goes on where it was."""
    run.start()
    run.start()
    async with run.loading():
        await run.serving()
        for _ in range(3):
            await run.pause(0.5, 1.0)
            name = run.any_worker()
            run.freeze(name)
            since = time.monotonic()
            await run.pause(SESSION * 1.5, SESSION * 2)
            run.thaw(name)
            await run.recover("zombie", since)


async def scale(run: Run) -> None:
    """One worker, five, two."""
    run.start()
    async with run.loading():
        await run.serving()
        for _ in range(4):
            run.start()
            await run.pause(0.2, 0.6)
        run.faults["scaled up"] += 1
        await asyncio.sleep(3)
        for _ in range(3):
            since = time.monotonic()
            await run.stop(run.any_worker())
            await run.recover("graceful move", since)
        run.faults["scaled down"] += 1
    run.seen["rebalances"] = run.logged('"assigned"')


async def rolling(run: Run) -> None:
    """Restart one after another under static ids: nobody leaves the group."""
    for number in range(3):
        run.start(f"s{number}", KAIROS_INSTANCE=f"s{number}")
    async with run.loading():
        await run.serving()
        for number in range(3):
            since = time.monotonic()
            await run.stop(f"s{number}")
            run.start(f"s{number}", KAIROS_INSTANCE=f"s{number}")
            await run.recover("rolling restart", since)
