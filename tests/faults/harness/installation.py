"""The installation of one run: collector, workers and topics of its own on servers of its own, and the hands that break
workers."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import redis.asyncio
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from streams.settings import Settings, read_settings
from streams.tools.guard import leash
from streams.tools.init import init
from streams.tools.parts import free_port
from tests.faults.harness.arena import Arena
from tests.faults.harness.result import Result, Scenario
from tests.faults.verifier.evidence import TOPICS

ROOT = Path(__file__).parents[3]
PLAYBOOK = Path(__file__).with_name("playbook.yaml")
PARTITIONS = 4
SESSION = 2.0
WRITE_KEY = "harness-server-key"

RIGGED = ("KAIROS_CRASH_AT", "KAIROS_CLOCK_FILE", "KAIROS_WRONG")
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


class Installation:
    """All of Kairos for one run, as processes."""

    def __init__(self, arena: Arena, scenario: Scenario, seed: int, folder: Path) -> None:
        self.arena, self.scenario, self.seed, self.folder = arena, scenario, seed, folder
        self.rnd = random.Random(f"{scenario.name}:{seed}")
        self.result = Result(scenario.name, seed)
        self.faults: Counter[str] = self.result.faults
        self.app = f"f{scenario.name.replace('-', '')}{seed}x{os.getpid()}"
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.wrong = ""
        """Which deliberately wrong engine runs; empty: the right one."""
        self._leash = leash()
        self._stack = contextlib.AsyncExitStack()
        self._started = 0

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
        """Young brokers know not yet of each other; a Redis that comes back cuts old lines."""
        for attempt in range(40):
            try:
                return await work()
            except (KafkaError, RedisError, ConnectionError):
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
