"""One run of one scenario: an installation of its own, a load, faults, rest, and the verdict.

How it works. Every run has an app and a topic prefix of its own, so runs share a Kafka and nothing else. What a
scenario does is counted in `faults`; what the logs and the state show of it in `seen`: a run whose fault left no trace
proves nothing and says so.
"""

import asyncio
import contextlib
import json
import pickle
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from tests.faults.harness.arena import Arena
from tests.faults.harness.installation import PARTITIONS, WRITE_KEY, Installation
from tests.faults.harness.load import Habits, Ledger, Load
from tests.faults.harness.result import Result, Scenario
from tests.faults.harness.rig import MARK
from tests.faults.verifier.checks import check
from tests.faults.verifier.evidence import INPUTS, Evidence, Where, gather
from tests.faults.verifier.findings import Findings

REST_SECONDS = 60.0
"""design.md: within so long of healing lag is 0 and the outbox empty."""


class NoRest(Exception):
    """It did not come to rest in time."""


class Run(Installation):
    """An installation under load, and who looks on."""

    def __init__(self, arena: Arena, scenario: Scenario, seed: int, folder: Path) -> None:
        super().__init__(arena, scenario, seed, folder)
        self.seen = self.result.seen
        self.findings = Findings()
        self.ledger = Ledger()
        self.lost: set[bytes] = set()
        """Tokens the state held just before it may have gone back in time."""
        self.dark: list[tuple[float, float]] = []
        """Times in which Kafka lacked brokers, and for as long as it takes to notice."""
        self.begun = time.monotonic()

    # -- the load

    @contextlib.asynccontextmanager
    async def loading(self, collector: bool = True, **habits: Any) -> AsyncIterator[Load]:
        """Load while the scenario does its worst, and at least for its time."""
        url = f"http://127.0.0.1:{self.settings.port}" if collector else ""
        if collector:
            await self.until(self._collector_ready, "the collector", 30.0)
        wanted = Habits(**{**self.scenario.habits.__dict__, **habits})
        prefix = self.settings.topic_prefix
        seed = f"{self.scenario.name}:{self.seed}:{len(self.ledger.answered)}"
        load = Load(seed, wanted, self.kafka.address, prefix, PARTITIONS, url, WRITE_KEY)
        load.ledger = self.ledger
        task = asyncio.create_task(load.run())
        try:
            yield load
        except BaseException:
            task.cancel()
            raise
        load.enough.set()
        await task

    async def _collector_ready(self) -> bool:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{self.settings.port}/readyz") as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, OSError):
            return False

    # -- looking on

    async def until(self, holds: Callable[[], Awaitable[bool]], wanted: str, seconds: float) -> None:
        """Wait until it holds. Raises NoRest."""
        end = time.monotonic() + seconds
        while not await holds():
            if time.monotonic() > end:
                raise NoRest(f"waited {seconds:g} s for {wanted}")
            await asyncio.sleep(0.05)

    async def metas(self) -> list[dict[bytes, bytes]]:
        """All slots' metas; empty where Redis does not answer."""
        try:
            return [await self.store.hgetall(f"{{{self.app}:{p:03}}}:meta") for p in range(PARTITIONS)]
        except (RedisError, OSError):
            return []

    async def serving(self) -> None:
        """Until every partition was acquired."""

        async def acquired() -> bool:
            metas = await self.metas()
            return bool(metas) and all(meta.get(b"token") for meta in metas)

        await self.until(acquired, "workers to acquire all partitions", 40.0)

    async def ends(self) -> dict[tuple[str, int], int]:
        """Where the logs end now. Raises KafkaError."""
        prefix = self.settings.topic_prefix
        places = [TopicPartition(prefix + topic, p) for topic in INPUTS for p in range(PARTITIONS)]
        found = await self._asker.end_offsets(places)
        return {(tp.topic.removeprefix(prefix), tp.partition): end for tp, end in found.items()}

    async def read_up_to(self, ends: dict[tuple[str, int], int]) -> bool:
        metas = await self.metas()
        if not metas:
            return False
        return all(int(metas[p].get(b"next:" + topic.encode(), -1)) >= end for (topic, p), end in ends.items())

    async def recover(self, what: str, since: float, patience: float = REST_SECONDS) -> None:
        """Until all that is in the logs now has been applied; the seconds from `since` (monotonic) are kept."""
        ends = await self._patiently(self.ends)
        await self.until(lambda: self.read_up_to(ends), f"recovery from {what}", patience)
        self.result.recoveries.setdefault(what, []).append(round(time.monotonic() - since, 3))

    async def rest(self) -> None:
        """Until lag is 0, the outbox empty and no timer left. Raises NoRest."""

        async def still() -> bool:
            try:
                if not await self.read_up_to(await self.ends()):
                    return False
                for partition in range(PARTITIONS):
                    tag = f"{{{self.app}:{partition:03}}}:"
                    if await self.store.hlen(tag + "outbox") or await self.store.zcard(tag + "timers"):
                        return False
                return await self.read_up_to(await self.ends())
            except (KafkaError, RedisError, OSError):
                return False

        wanted, end = "lag 0, an empty outbox and no timers", time.monotonic() + REST_SECONDS
        while True:
            await self.until(still, wanted, max(0.1, end - time.monotonic()))
            await asyncio.sleep(0.3)  # Kafka writes the markers of a transaction after it has answered
            if await still():
                return

    async def remember_tokens(self) -> None:
        """What the state holds now. Whatever of it is missing in the end was lost."""
        for partition in range(PARTITIONS):
            self.lost |= await self._patiently(partial(self._newest_turns, partition))

    async def _newest_turns(self, partition: int) -> set[bytes]:
        return set(await self.store.lrange(f"{{{self.app}:{partition:03}}}:turns", -20, -1))

    def logged(self, *words: str) -> int:
        """Lines of the workers' logs that hold all these words."""
        return sum(
            all(word in line for word in words)
            for path in self.folder.glob("*.log")
            for line in path.read_text(errors="replace").splitlines()
        )

    async def halted(self, words: str, seconds: float = 30.0) -> None:
        """Until a worker says that it halted for this reason."""

        async def said() -> bool:
            return self.logged("partition halted", words) > 0

        await self.until(said, f"a partition halted: {words}", seconds)

    # -- the verdict

    def gather(self) -> Evidence:
        masters = tuple(self.settings.masters())
        where = Where(self.kafka.address, self.redis.address, self.app, self.settings.topic_prefix, PARTITIONS, masters)
        evidence = gather(where, self.ledger.answered, time.time(), self.settings.clock_bound)
        evidence.dark = self.dark
        return evidence

    async def finish(self) -> None:
        """Wait for rest, stop the workers."""
        try:
            await self.rest()
        except NoRest as exc:
            self.findings.wrong("no rest", f"{exc}: {await self._standing()}")
        self.result.phases["rested"] = round(time.monotonic() - self.begun, 1)
        for name in list(self.workers):
            self.workers[name].terminate()
            await self._gone(self.workers.pop(name))

    async def verdict(self) -> None:
        """Finish, if the scenario has not, and verify."""
        if "rested" not in self.result.phases:
            await self.finish()
        evidence = await asyncio.to_thread(self.gather)
        found = await asyncio.to_thread(check, evidence, whole=not self.scenario.cut)
        for kind, count in self.findings.violations.items():
            found.wrong(kind, self.findings.first[kind], count)
        for answer in self.ledger.odd:
            found.wrong("the collector gave an answer nobody should get", answer)
        self._look_back(evidence, found)
        self.result.figures = dict(found.figures)
        self.result.violations = found.report()["violations"]
        if not found.clean:
            (self.folder / "evidence.pickle").write_bytes(pickle.dumps(evidence))

    def _look_back(self, evidence: Evidence, found: Findings) -> None:
        """What was seen of the faults."""
        kept = {blob for slot in evidence.slots.values() for blob in slot.turns}
        self.seen["lost turns"] += len(self.lost - kept)
        self.seen["revoked triggers"] += found.figures["revoked"]
        self.seen["refused tokens"] += self.logged("term ended", "Refused(")
        self.seen["fenced producers"] += self.logged("term ended", "Fenced") + self.logged(
            "term ended", "InvalidProducerEpoch"
        )
        self.seen["terms ended"] += self.logged("term ended")
        self.seen["halts"] += self.logged("partition halted")
        self.seen["crash points"] += self.logged(MARK)
        self.seen["duplicates"] += found.figures["duplicates"]
        self.seen["refused requests"] += self.ledger.refused
        for figure in ("persons of several ids", "events heard at another id", "erased"):
            self.seen[figure] += found.figures[figure]
        for crash in ("crashed", "hangs", "Traceback"):
            if number := self.logged(f'"event": "{crash}"') if crash != "Traceback" else 0:
                self.seen[f"workers that {crash}"] += number

    async def _standing(self) -> str:
        """How things stand when they should rest."""
        try:
            ends, metas = await self.ends(), await self.metas()
            lags = {
                f"{topic}-{p}": end - int(metas[p].get(b"next:" + topic.encode(), 0))
                for (topic, p), end in ends.items()
                if end > int(metas[p].get(b"next:" + topic.encode(), 0))
            }
            waiting = {
                p: (
                    await self.store.hlen(f"{{{self.app}:{p:03}}}:outbox"),
                    await self.store.zcard(f"{{{self.app}:{p:03}}}:timers"),
                )
                for p in range(PARTITIONS)
            }
            return f"lags {lags}, outbox and timers {waiting}"
        except (KafkaError, RedisError, OSError, IndexError) as exc:
            return repr(exc)


async def perform(arena: Arena, scenario: Scenario, seed: int, folder: Path, wrong: str = "") -> Result:
    """One run from beginning to end; never raises."""
    begun, run = time.monotonic(), Run(arena, scenario, seed, folder)
    run.wrong = wrong
    result = run.result
    try:
        async with asyncio.timeout(240), run:
            result.phases["set up"] = round(time.monotonic() - begun, 1)
            await scenario.play(run)
            result.phases["played"] = round(time.monotonic() - begun, 1)
            await run.verdict()
            result.phases["verified"] = round(time.monotonic() - begun, 1)
    except NoRest as exc:
        result.violations["no rest"] = {"count": 1, "first": str(exc)}
    except Exception as exc:
        result.error = repr(exc)
        (folder / "error.txt").write_text(_trace(exc))
    result.vacuous = [name for name in scenario.must_see if not result.seen[name]]
    result.seconds = round(time.monotonic() - begun, 1)
    (folder / "ledger.txt").write_text("\n".join(run.ledger.answered))
    (folder / "result.json").write_text(json.dumps(result.__dict__, indent=1))
    return result


def _trace(exc: BaseException) -> str:
    return "".join(traceback.format_exception(exc))
