"""Servers for demo, dev and tests: real Kafka and real Redis, or embedded ones out of wheels, always on loopback.

    with Tansu(folder / "kafka") as kafka, Redis(folder / "redis") as redis:
        kafka.address, redis.address  # "127.0.0.1:23456", "redis://127.0.0.1:23457/0"
        redis.kill()
        redis.start()  # same port, same data

These end with the process that started them only if it ends well. Who cannot promise that asks the guard
(`streams.tools.guarded`), which also runs them outside of the asking process.
"""

from .apache import Apache, three_brokers
from .command import Command
from .part import Failed, Missing, Part, free_port
from .redis import Redis, Valkey
from .tansu import Tansu

KINDS: dict[str, type[Part]] = {part.kind: part for part in (Tansu, Apache, Redis, Valkey, Command)}
"""What a part is called in a guard's spec."""

__all__ = [
    "KINDS",
    "Apache",
    "Command",
    "Failed",
    "Missing",
    "Part",
    "Redis",
    "Tansu",
    "Valkey",
    "free_port",
    "three_brokers",
]
