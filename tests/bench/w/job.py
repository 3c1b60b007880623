"""What a peer's process is told, and how it says how far it has come.

Started as `python -m tests.bench.w.NAME` with the fields of `Job` as one JSON argument. Whatever else it prints, lines
`done N` count the events behind it; the last events are told of when their number is a multiple of STEP.
"""

import os
import sys
from typing import Final

import msgspec
from msgspec import Struct

STEP: Final = 500
"""Events between two lines."""


class Job(Struct):
    """Where to read and where to write."""

    name: str
    """Consumer group, and prefix of whatever is its own."""
    kafka: str
    redis: str
    source: str
    """Topic of events."""
    sink: str
    """Topic of triggers."""
    partitions: int
    cooldown: float
    folder: str
    """For files of its own."""

    def key(self, customer: bytes) -> bytes:
        """Where the customer's state is in Redis."""
        return b"%b:%b" % (self.name.encode(), customer)


class Done:
    """Counts events, and says so whenever they pass a multiple of STEP."""

    def __init__(self) -> None:
        self.events = 0

    def add(self, events: int = 1) -> None:
        before = self.events // STEP
        self.events += events
        if self.events // STEP != before:
            os.write(1, b"done %d\n" % self.events)  # some frameworks take `print` for themselves


def job() -> Job:
    """From the command line."""
    return msgspec.json.decode(sys.argv[1], type=Job)
