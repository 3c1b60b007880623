"""The peers: how each is started, what it leaves out, what it needs."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Final

import msgspec

from tests.bench.w import java
from tests.bench.w.job import Job

INSTALL: Final = "python -m pip install --group bench (or uv pip install --group bench)"
ONLY_SUMS: Final = "drop repeated ids, know carts and orders, ask policies, give reasons"
"""What none of them does, and Kairos does for each event."""


@dataclass(frozen=True)
class Peer:
    """One implementation of W beside Kairos."""

    does_not: str
    argv: Callable[[Job], list[str]]
    needs: str = ""
    """A package of the group `bench`; or, in Java, a name of `java.VERSIONS`."""
    outside: bool = True
    """Whether its states are in Redis."""
    most: int = 0
    """Events of a backlog it is given the time for; 0: all."""
    rate: float = 0.0
    """Events/s it can follow on a small machine; 0: any."""

    def missing(self) -> str:
        """Why it cannot be measured here, and what helps; empty when it can."""
        if self.needs in java.VERSIONS:
            return java.missing()
        if self.needs and find_spec(self.needs) is None:
            return f"{self.needs} is not installed: {INSTALL}"
        return ""


def module(name: str) -> Callable[[Job], list[str]]:
    """A program of this folder."""
    return lambda job: [sys.executable, "-m", f"tests.bench.w.{name}", msgspec.json.encode(job).decode()]


PEERS: Final = {
    "loop": Peer(
        f"count or send once over a crash, which may also lose a trigger; fence zombies; {ONLY_SUMS}",
        module("loop"),
    ),
    "faust": Peer(
        f"count or send once over a crash; fence zombies; {ONLY_SUMS}",
        module("faust_docs"),
        most=20_000,
        rate=400.0,
    ),
    "faust-take": Peer(
        f"count or send once over a crash; fence zombies; {ONLY_SUMS}",
        module("faust_take"),
        most=50_000,
        rate=1_000.0,
    ),
    "quix": Peer(
        f"count or send once over a crash (at least once); have in Redis what is in its RocksDB before the next "
        f"checkpoint; {ONLY_SUMS}",
        module("quix"),
        needs="quixstreams",
        most=100_000,
    ),
    "bytewax": Peer(
        f"send once over a crash; share partitions with a second process without a stop; tell Kafka its offsets; "
        f"{ONLY_SUMS}",
        module("bytewax_flow"),
        needs="bytewax",
    ),
    "kafka-streams": Peer(
        f"count or send once over a crash (at least once); let others read states, which are in its own store and "
        f"changelog; {ONLY_SUMS}",
        java.program("Streams", "at_least_once", "quick"),
        needs="kafka-streams",
        outside=False,
    ),
    "kafka-streams-eos": Peer(
        f"let others read states, which are in its own store and changelog; {ONLY_SUMS}",
        java.program("Streams", "exactly_once_v2", "quick"),
        needs="kafka-streams",
        outside=False,
    ),
    "kafka-streams-eos-defaults": Peer(
        "as kafka-streams-eos; answer soon: it is as it comes, with 100 ms between commits and 100 ms linger",
        java.program("Streams", "exactly_once_v2", "defaults"),
        needs="kafka-streams",
        outside=False,
    ),
    "flink": Peer(
        f"send once over a crash (its own state it counts once); let others read states, which are on its heap and in "
        f"a checkpoint each second; {ONLY_SUMS}",
        java.program("Flink"),
        needs="flink",
        outside=False,
    ),
}
"""Name -> peer."""

ECHO: Final = "echo"
ROWS: Final = {
    "kairos": "",
    **{name: peer.does_not for name, peer in PEERS.items()},
    ECHO: "the event itself, produced and seen by who reads: nobody works on it",
}


def missing(row: str) -> str:
    """See `Peer.missing`; Kairos is always there."""
    return PEERS[row].missing() if row in PEERS else ""


def versions(rows: Iterable[str]) -> dict[str, str]:
    """Of what these peers are made of."""
    needed = [PEERS[row].needs for row in rows if row in PEERS and PEERS[row].needs]
    return {name: java.VERSIONS.get(name) or version(name) for name in needed}
