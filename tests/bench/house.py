"""What a benchmark runs on: its own Kafka and Redis, and installations in them, each with topics and a state of its
own."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from redis import Redis

from streams.settings import PREFIX, Settings, read_settings
from streams.tools.guarded import Guarded, Ward
from streams.tools.init import init
from streams.tools.parts import free_port
from streams.tools.parts.jars import KAFKA
from streams.tools.stage import HOST, PROGRAM, TUNING, choose_kafka, choose_redis

ROOT = Path(__file__).parents[2]


@dataclass
class House:
    """Servers and processes; all end with the guard."""

    guard: Guarded
    kinds: dict[str, str] = field(default_factory=dict)
    """kafka, redis -> the kind that was started."""
    kafka: str = ""
    redis: str = ""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def open(self, note: Callable[[str], None], kafka: str = "", redis: str = "") -> None:
        """Start Apache Kafka and redis-server where they are, else what is embedded. Raises Failed, Missing."""
        self.kinds = {"kafka": choose_kafka(kafka, note)[0], "redis": choose_redis(redis, note)[0]}
        wards = self.guard.add(*({"name": name, "kind": kind} for name, kind in self.kinds.items()))
        self.kafka, self.redis = (ward.address for ward in wards)

    @property
    def folder(self) -> Path:
        """For files; it goes with the guard."""
        self.guard.wait(lambda: bool(self.guard.folder.name), "wanted the guard's folder")
        return self.guard.folder

    async def installation(self, name: str, **given: Any) -> Settings:
        """Topics and a state of this name, made by `kairos init`. KAIROS_* variables count, but for where and who."""
        tuning = {n.lower(): v for n, v in TUNING[self.kinds["kafka"]].items() if PREFIX + n not in os.environ}
        ours = {"app": f"bench-{name}", "kafka": self.kafka, "redis": self.redis, "topic_prefix": f"{name}."}
        settings = read_settings(**tuning | ours | given)
        await init(settings)
        return settings

    def worker(self, settings: Settings) -> Ward:
        """Start a worker; returns when it serves."""
        port = free_port()
        return self.start(["worker"], settings, f"http://{HOST}:{port}/readyz", METRICS_PORT=port, METRICS_HOST=HOST)

    def collector(self, settings: Settings) -> Ward:
        """Start a collector; returns when it takes events in."""
        port = free_port()
        return self.start(["collector"], settings, f"http://{HOST}:{port}/readyz", PORT=port, HOST=HOST)

    def api(self, settings: Settings) -> Ward:
        """Start a profile API; returns when it answers."""
        port = free_port()
        return self.start(["api"], settings, f"http://{HOST}:{port}/readyz", API_PORT=port, API_HOST=HOST)

    def start(self, command: list[str], settings: Settings, url: str, **more: object) -> Ward:
        """A `kairos` command under these settings."""
        env = settings.environment() | {PREFIX + name: str(value) for name, value in more.items()}
        return self.run(PROGRAM + command, url, env)

    def module(self, name: str, *arguments: str, url: str = "", log: Path | None = None) -> Ward:
        """A program of this folder."""
        argv = [sys.executable, "-m", f"tests.bench.{name}", *arguments]
        return self.run(argv, url, {"PYTHONPATH": str(ROOT)}, log)

    def run(self, argv: list[str], url: str, env: dict[str, str], log: Path | None = None) -> Ward:
        """Any program; returns when its URL answers 200, at once when it has none."""
        spec = {"name": f"run-{next(self._numbers)}", "kind": "command", "argv": argv, "env": env, "url": url}
        return self.guard.add(spec | ({"log": str(log)} if log else {}))[0]

    def versions(self) -> dict[str, str]:
        """What was started."""
        return {"kafka": self._kafka_version(), "redis-server": self._redis_version()}

    def _kafka_version(self) -> str:
        return f"Apache Kafka {KAFKA}" if self.kinds["kafka"] == "apache" else self.kinds["kafka"]

    def _redis_version(self) -> str:
        with Redis.from_url(self.redis) as client:
            told: dict[str, str] = client.info("server")
        kind, number = ("Valkey", "valkey_version") if "valkey_version" in told else ("Redis", "redis_version")
        return f"{kind} {told[number]}"
