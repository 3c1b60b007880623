"""One run of one scenario: an installation of its own, a load, faults, rest, and the verdict.

How it works. Every run has an app and a topic prefix of its own, so runs share a Kafka and nothing else. What a
scenario does is counted in `faults`; what the logs and the state show of it in `seen`: a run whose fault left no trace
proves nothing and says so.
"""

import asyncio
import contextlib
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import redis.asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from streams.settings import Settings, read_settings
from streams.tools.guard import leash
from streams.tools.init import init
from streams.tools.parts import free_port
from tests.faults.harness.arena import Arena
from tests.faults.harness.load import Habits, Ledger, Load
from tests.faults.harness.rig import MARK
from tests.faults.verifier.checks import check
from tests.faults.verifier.evidence import INPUTS, TOPICS, Evidence, Where, gather
from tests.faults.verifier.findings import Findings

ROOT = Path(__file__).parents[3]
PLAYBOOK = Path(__file__).with_name("playbook.yaml")
PARTITIONS = 4
SESSION = 2.0
REST_SECONDS = 60.0
"""design.md: within so long of healing lag is 0 and the outbox empty."""
WRITE_KEY = "harness-server-key"

RIGGED = ("KAIROS_CRASH_AT", "KAIROS_CLOCK_FILE", "KAIROS_POLL_SECONDS", "KAIROS_WRONG")
"""Variables only the harness's worker knows."""

SETTINGS: dict[str, object] = {
    "partitions": PARTITIONS,
    "session_seconds": SESSION,
    "turn_history": 0,
    "turn_records": 200,
    "cache_customers": 30,
    "playbook": PLAYBOOK,
    "playbook_seconds": 0.5,
    "write_keys": f"server:harness:{WRITE_KEY}",
    "log": "json",
    "ack_seconds": 5.0,
}


@dataclass
class Scenario:
    """What is done to an installation, and what must be seen of it."""

    name: str
    play: Callable[["Run"], Awaitable[None]]
    must_see: tuple[str, ...] = ()
    """Keys of `seen` without which the run proves nothing."""
    kafka: str = "one"
    habits: Habits = field(default_factory=Habits)
    settings: dict[str, object] = field(default_factory=dict)
    cut: bool = False
    """It loses records for good, and says so: then nothing is folded again."""


@dataclass
class Result:
    """What a run was, and what came of it."""

    scenario: str
    seed: int
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    figures: dict[str, int] = field(default_factory=dict)
    violations: dict[str, Any] = field(default_factory=dict)
    recoveries: dict[str, list[float]] = field(default_factory=dict)
    """What was recovered from -> seconds until all that was in the logs then had been applied."""
    vacuous: list[str] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    """Seconds at which each was over."""
    error: str = ""
    """Why there is no verdict."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """As a run has left it."""
        kept = json.loads(path.read_text())
        return cls(**kept | {name: Counter(kept[name]) for name in ("faults", "seen")})

    @property
    def good(self) -> bool:
        return not (self.violations or self.error)

    def line(self) -> str:
        verdict = "good" if self.good else "VIOLATED" if self.violations else "ERROR"
        verdict += " but vacuous: no " + ", ".join(self.vacuous) if self.good and self.vacuous else ""
        told = [f"{verdict}  {self.scenario} seed {self.seed}  {self.seconds:.1f} s"]
        told += [f"{name} {count}" for name, count in (self.faults + self.seen).items()]
        told += [f"{what} back in {', '.join(f'{s:.1f}' for s in times)} s" for what, times in self.recoveries.items()]
        told += [f"\n    {kind}: {found}" for kind, found in self.violations.items()]
        return "; ".join(told) + (f"\n    {self.error}" if self.error else "")


class NoRest(Exception):
    """It did not come to rest in time."""


class Run:
    """The installation of one run, and the hands that break it."""

    def __init__(self, arena: Arena, scenario: Scenario, seed: int, folder: Path) -> None:
        self.arena, self.scenario, self.seed, self.folder = arena, scenario, seed, folder
        self.rnd = random.Random(f"{scenario.name}:{seed}")
        self.result = Result(scenario.name, seed)
        self.faults, self.seen = self.result.faults, self.result.seen
        self.findings = Findings()
        self.ledger = Ledger()
        self.app = f"f{scenario.name.replace('-', '')}{seed}x{os.getpid()}"
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.lost: set[bytes] = set()
        """Tokens the state held just before it may have gone back in time."""
        self.wrong = ""
        """Which deliberately wrong engine runs; empty: the right one."""
        self.dark: list[tuple[float, float]] = []
        """Times in which Kafka lacked brokers, and for as long as it takes to notice."""
        self._leash = leash()
        self._stack = contextlib.AsyncExitStack()
        self._started = 0
        self.begun = time.monotonic()

    # -- the installation

    async def __aenter__(self) -> Self:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.kafka = await self.arena.kafka(self.scenario.kafka)
        self.redis = await self.arena.redis()
        self.settings: Settings = read_settings(
            app=self.app,
            topic_prefix=f"{self.app}-",
            kafka=self.kafka.address,
            redis=self.redis.address,
            port=free_port(),
            **(SETTINGS | self.scenario.settings),
        )
        await self._patiently(lambda: init(self.settings))
        self.store: Any = redis.asyncio.Redis.from_url(self.redis.address, socket_timeout=5)
        self._stack.push_async_callback(self.store.aclose)
        self._asker = AIOKafkaConsumer(bootstrap_servers=self.kafka.address, isolation_level="read_committed")
        await self._asker.start()
        self._stack.push_async_callback(self._asker.stop)
        self.collector = self._spawn("collector", ["streams.cli", "collector"], {})
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in [*self.workers.values(), self.collector]:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in [*self.workers.values(), self.collector]:
            await self._gone(process)
        with contextlib.suppress(KafkaError, OSError):
            await self._stack.aclose()
        await asyncio.to_thread(self.redis.stop)
        with contextlib.suppress(KafkaError, OSError):
            await self.delete_topics([self.settings.topic(topic) for topic in TOPICS])

    @staticmethod
    async def _patiently(work: Callable[[], Awaitable[Any]]) -> Any:
        """Young brokers know not yet of each other."""
        for attempt in range(40):
            try:
                return await work()
            except (KafkaError, ConnectionError):
                if attempt == 39:
                    raise
                await asyncio.sleep(0.5)

    def _spawn(self, name: str, module: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
        """In this thread: the leash would go with another one."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("KAIROS_")}
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=ROOT,
                env=inherited | self.settings.environment() | env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=self._leash,
            )

    @staticmethod
    async def _gone(process: subprocess.Popen[bytes], patience: float = 10.0) -> None:
        end = time.monotonic() + patience
        while process.poll() is None:
            if time.monotonic() > end:
                process.kill()
            await asyncio.sleep(0.02)

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run `kairos` with these arguments; its exit code and all it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streams.cli", *arguments),
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if not k.startswith("KAIROS_")} | self.settings.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode(errors="replace")

    # -- workers

    def start(self, name: str = "", **env: str) -> str:
        """One more worker, as it ships unless it is to be rigged."""
        self._started += 1
        name = name or f"w{self._started}"
        if self.wrong:
            env["KAIROS_WRONG"] = self.wrong
        rigged = any(v in RIGGED for v in env)
        module = ["tests.faults.harness.worker"] if rigged else ["streams.cli", "worker"]
        self.workers[name] = self._spawn(name, module, {"KAIROS_METRICS_PORT": str(free_port())} | env)
        return name

    async def kill(self, name: str) -> None:
        """kill -9."""
        self.faults["worker killed"] += 1
        self.workers[name].kill()
        await self._gone(self.workers.pop(name))

    async def stop(self, name: str) -> None:
        """SIGTERM."""
        self.faults["worker stopped"] += 1
        self.workers[name].terminate()
        await self._gone(self.workers.pop(name))

    def freeze(self, name: str) -> None:
        self.faults["worker frozen"] += 1
        self.workers[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self.workers[name].send_signal(signal.SIGCONT)

    def any_worker(self) -> str:
        return self.rnd.choice(sorted(self.workers))

    async def pause(self, least: float, most: float) -> None:
        await asyncio.sleep(self.rnd.uniform(least, most))

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
            self.lost |= set(await self.store.lrange(f"{{{self.app}:{partition:03}}}:turns", -20, -1))

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

    # -- Kafka's topics

    @contextlib.asynccontextmanager
    async def admin(self) -> AsyncIterator[Any]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.address)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def delete_topics(self, names: list[str]) -> None:
        async with self.admin() as admin:
            await admin.delete_topics(names)

    # -- the verdict

    def gather(self) -> Evidence:
        where = Where(self.kafka.address, self.redis.address, self.app, self.settings.topic_prefix, PARTITIONS)
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
