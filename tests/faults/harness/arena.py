"""Kafka and Redis for runs: Kafka stays, since each run has topics of its own; Redis is new each time."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from streams.tools.guarded import Guarded, Ward
from streams.tools.parts import free_port, three_brokers


@dataclass
class Kafka:
    """One broker, or three."""

    wards: list[Ward]
    proxied: tuple[int, int] = (0, 0)
    """Port behind the proxy, and the proxy's."""

    @property
    def address(self) -> str:
        return ",".join(ward.address for ward in self.wards)


class Arena:
    """All servers; `close` ends them. Calls that start or stop one wait, but not in the loop."""

    def __init__(self, kafka: Kafka | None = None) -> None:
        """`kafka`: one that runs already, and stays."""
        self._guard: Guarded | None = None
        self._given = {"one": kafka} if kafka else {}
        self._kafkas: dict[str, Kafka] = dict(self._given)
        self._number = 0

    @property
    def guard(self) -> Guarded:
        if self._guard is None or self._guard.ended:
            self._guard, self._kafkas = Guarded(), dict(self._given)
        return self._guard

    async def kafka(self, kind: str) -> Kafka:
        """`one` or `three`. What a run left down is started again."""
        guard = self.guard
        if kind not in self._kafkas:
            self._number += 1
            if kind == "one":
                ports = free_port(), free_port()
                specs: list[dict[str, Any]] = [{"name": f"kafka-{self._number}", "kind": "apache", "proxy": ports}]
            else:
                ports, specs = (0, 0), three_brokers(f"kafka-{self._number}")
            self._kafkas[kind] = Kafka(await asyncio.to_thread(guard.add, *specs), ports)
        for ward in self._kafkas[kind].wards:
            if ward.state == "paused":
                await asyncio.to_thread(ward.resume)
            elif ward.state != "ready":
                await asyncio.to_thread(ward.start)
        return self._kafkas[kind]

    async def drop_kafka(self, kind: str) -> None:
        """Three brokers eat a small machine: they go when their scenarios are done."""
        kafka = self._kafkas.pop(kind, None)
        if kafka and kind not in self._given:
            for ward in kafka.wards:
                await asyncio.to_thread(ward.stop)

    async def redis(self) -> Ward:
        """A new one, with an append-only file."""
        self._number += 1
        spec = {"name": f"redis-{self._number}", "kind": "redis-server"}
        return (await asyncio.to_thread(self.guard.add, spec))[0]

    def folder(self, ward: Ward) -> Path:
        """Where a server keeps its data."""
        return self.guard.folder / ward.name

    def close(self) -> None:
        if self._guard:
            self._guard.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.close)
