"""A whole Kairos on this machine: Kafka, Redis, topics and state, a collector, workers, and the profile API."""

import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.families import ALL, write_families
from streams.settings import PREFIX, read_settings

from .guarded import Guarded, Ward
from .here import write_keys
from .parts import KINDS, Apache, Failed, Missing, Redis, Tansu, free_port
from .parts.kafka import names_a_broker

PROGRAM = [sys.executable, "-m", "streams.cli"]
"""How our own commands are called."""

HOST = "127.0.0.1"

TUNING = {
    "tansu": {"SESSION_SECONDS": "2", "LINGER_MS": "50", "FETCH_WAIT_MS": "50"},  # its CPU grows with the batches
    "apache": {"SESSION_SECONDS": "6"},
}
"""Settings that suit a kind of Kafka; a variable of the same name wins."""


@dataclass(frozen=True)
class Plan:
    """What is wanted. Empty: the best this machine has."""

    kafka: str = ""
    """HOST:PORT, apache or tansu."""
    redis: str = ""
    """A URL, redis-server or valkey."""
    app: str = "kairos"
    partitions: int = 4
    workers: int = 1
    api: bool = False
    """Whether the profile API runs too."""
    playbook: Path | None = None
    facts: str = write_families(ALL)
    """Families that are kept."""
    logs: Path | None = None
    """Folder for the logs; None: they go with the guard's folder."""


@dataclass
class Stage:
    """What runs, and where."""

    plan: Plan
    guard: Guarded
    kafka: str = ""
    kafka_kind: str = ""
    redis: str = ""
    port: int = field(default_factory=free_port)
    api_port: int = field(default_factory=free_port)
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def collector(self) -> str:
        """URL of the collector."""
        return f"http://{HOST}:{self.port}"

    @property
    def api(self) -> str:
        """URL of the profile API; empty: it does not run."""
        return f"http://{HOST}:{self.api_port}" if self.plan.api else ""

    @property
    def processes(self) -> dict[str, Ward]:
        """Those that run our own code."""
        ours = ("collector", "worker-", "api")
        return {name: ward for name, ward in self.guard.wards.items() if name.startswith(ours)}

    def build(self, step: Callable[[str], None], note: Callable[[str], None]) -> None:
        """Start all, in order; returns when all are ready. Raises Failed, Missing."""
        self._servers(step, note)
        step("topics, state and playbook")
        self.guard.add(self._command("init", ["init"], once=True))
        step("collector and workers")
        workers = [self._worker(number) for number in range(self.plan.workers)]
        self.guard.add(self._collector(), *workers, *([self._api()] if self.plan.api else []))

    def report(self) -> dict[str, Any]:
        """What a machine is told."""
        pids = {name: ward.pid for name, ward in self.processes.items()}
        return {
            "collector": self.collector,
            "api": self.api,
            "kafka": self.kafka,
            "redis": self.redis,
            "write_keys": self.keys,
            "pids": pids,
        }

    def record(self) -> dict[str, Any]:
        """What the folder remembers."""
        plan = self.plan
        known = {"app": plan.app, "partitions": plan.partitions, "facts": plan.facts, "host": HOST, "port": self.port}
        return self.report() | known | {"pid": os.getpid()}

    def _servers(self, step: Callable[[str], None], note: Callable[[str], None]) -> None:
        step("Kafka and Redis")
        self.kafka_kind, self.kafka = choose_kafka(self.plan.kafka, note)
        redis_kind, self.redis = choose_redis(self.plan.redis, note)
        self.keys = {"browser": secrets.token_hex(16), "server": secrets.token_hex(16)}
        kinds = {"kafka": self.kafka_kind, "redis": redis_kind}
        wards = self.guard.add(
            *({"name": name, "kind": kind} | self._log(name) for name, kind in kinds.items() if kind)
        )
        found = {ward.name: ward.address for ward in wards}
        self.kafka, self.redis = found.get("kafka", self.kafka), found.get("redis", self.redis)

    def _log(self, name: str) -> dict[str, str]:
        return {"log": str(self.plan.logs / f"{name}.log")} if self.plan.logs else {}

    def _command(self, name: str, arguments: list[str], **more: Any) -> dict[str, Any]:
        env = self._environment() | more.pop("env", {})
        return {"name": name, "kind": "command", "argv": PROGRAM + arguments, "env": env} | self._log(name) | more

    def _collector(self) -> dict[str, Any]:
        return self._command("collector", ["collector"], restart=True, url=f"{self.collector}/readyz")

    def _worker(self, number: int) -> dict[str, Any]:
        port = free_port()
        env = {PREFIX + "INSTANCE": f"worker-{number}", PREFIX + "METRICS_PORT": str(port)}
        url = f"http://{HOST}:{port}/readyz"
        return self._command(f"worker-{number}", ["worker"], restart=True, env=env, url=url)

    def _api(self) -> dict[str, Any]:
        env = {PREFIX + "API_PORT": str(self.api_port), PREFIX + "API_HOST": HOST}
        return self._command("api", ["api"], restart=True, env=env, url=f"{self.api}/readyz")

    def _environment(self) -> dict[str, str]:
        """All that our processes must agree upon, whatever the variables of the caller say."""
        ours = {"APP": self.plan.app, "KAFKA": self.kafka, "REDIS": self.redis, "HOST": HOST, "METRICS_HOST": HOST}
        ours |= {"PARTITIONS": str(self.plan.partitions), "PORT": str(self.port), "WRITE_KEYS": write_keys(self.keys)}
        ours["FACTS"] = self.plan.facts
        if self.plan.playbook:
            ours["PLAYBOOK"] = str(self.plan.playbook.resolve())
        tuning = TUNING.get(self.kafka_kind, {})
        ours |= {name: value for name, value in tuning.items() if PREFIX + name not in os.environ}
        return {PREFIX + name: value for name, value in ours.items()}


def choose_kafka(wanted: str, note: Callable[[str], None]) -> tuple[str, str]:
    """(kind to start, address): one of the two is empty. Raises Missing, Failed."""
    if wanted in (Apache.kind, Tansu.kind):
        KINDS[wanted](Path()).obtain()
        return wanted, ""
    if wanted:
        return "", _answering(wanted)
    try:
        Apache(Path()).obtain()
        return Apache.kind, ""
    except Missing as exc:
        note(f"{exc}\nTansu takes its place: in memory, without transactions, for runs of minutes")
        return Tansu.kind, ""


def choose_redis(wanted: str, note: Callable[[str], None]) -> tuple[str, str]:
    """(kind to start, address): one of the two is empty. Raises Missing, BadSettings."""
    if wanted in ("redis-server", "valkey"):
        KINDS[wanted](Path()).check()
        return wanted, ""
    if wanted:
        return "", read_settings(redis=wanted).redis
    try:
        Redis(Path()).check()
        return "redis-server", ""
    except Missing:
        KINDS["valkey"](Path()).check()
        return "valkey", ""


def _answering(address: str) -> str:
    """The address, if one of its brokers answers. Raises Missing, Failed."""
    faults = []
    for one in address.split(","):
        host, _, port = one.strip().rpartition(":")
        if not host or not port.isdigit():
            raise Missing(f"--kafka: wanted apache, tansu or HOST:PORT, got {one!r}")
        try:
            if names_a_broker(host, int(port), 5.0):
                return address
        except OSError as exc:
            faults.append(f"{one}: {exc}")
    raise Failed(f"--kafka {address}: no broker answers; {'; '.join(faults)}")
