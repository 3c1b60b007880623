"""Records that cannot be folded become dead letters. When too many fail with one cause, it is a bad deploy: halt and
keep the data in Kafka."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from processors.turn import Fault, Turn
from schemas.datakey import kid_of
from schemas.topics import DEAD_LETTERS
from schemas.turn import Message
from streams.engine.sealing import SEALED
from streams.engine.world import Halt

WINDOW = 500
"""Records looked at together, at least."""


class Poison:
    """Counts faults by cause over windows of records."""

    def __init__(self, percent: float) -> None:
        self._percent = percent
        self._records = 0
        self._causes: Counter[str] = Counter()
        self._last = ""

    def watch(self, records: int, faults: Sequence[Fault]) -> None:
        """Raises Halt before the turn that went over the line is committed."""
        self._records += records
        for fault in faults:
            self._causes[fault.cause] += 1
            self._last = fault.detail
        if self._records < WINDOW:
            return
        for cause, count in self._causes.items():
            if count > self._records * self._percent / 100:
                raise Halt(
                    f"poison: {count} of {self._records} records are {cause} (wanted at most {self._percent:g} %); the "
                    f"last one: {self._last}. Nothing of them is committed. Deploy what can read them, or set "
                    "KAIROS_POISON_PERCENT=100 to dead-letter them"
                )
        self._records = 0
        self._causes.clear()


def letters(turn: Turn[Any], partition: int) -> list[tuple[str, Message]]:
    """The dead letters of a turn, counted: raw bytes, reason and place."""
    found = []
    for fault in turn.faults:
        turn.counts[f"dead_lettered:{fault.topic}"] += 1
        place = f"{fault.topic}/{partition}/{fault.record.offset}"
        headers = [("reason", fault.cause), ("detail", fault.detail[:500]), ("place", place)]
        if fault.cause == "unopened":
            headers.append((SEALED, kid_of(fault.record).decode()))
        told = [(name, text.encode()) for name, text in headers]
        found.append((f"dead:{place}", Message(DEAD_LETTERS, fault.record.key, fault.record.value, told)))
    return found
