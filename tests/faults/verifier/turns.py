"""The turn records: do they chain by token to the one stored, and do their ranges cover each log once?"""

from dataclasses import dataclass, field
from typing import Any

from msgspec import msgpack

from tests.faults.verifier.evidence import INPUTS, Evidence
from tests.faults.verifier.findings import Findings

TOKEN = 16


@dataclass
class Turn:
    """One turn record."""

    before: bytes
    after: bytes
    now: float
    until: float
    playbook: str
    ranges: dict[str, tuple[int, int]]
    woken: list[bytes]
    judged: list[bytes] | None


@dataclass
class Chain:
    """The records of one partition, oldest first. `tokens`: every content the slot ever had, in this history."""

    turns: list[Turn] = field(default_factory=list)
    tokens: list[bytes] = field(default_factory=list)
    acquires: int = 0
    rests: dict[str, int] = field(default_factory=dict)
    """Topic -> where the ranges end."""


def read_turn(blob: bytes) -> Turn:
    before, after, now, until, playbook, ranges, woken, judged = msgpack.decode(blob)
    return Turn(before, after, now, until, playbook, {t: (a, b) for t, (a, b) in ranges.items()}, woken, judged)


def follow(evidence: Evidence, partition: int, starts: dict[str, int], found: Findings) -> Chain:
    """Walk the records. `starts`: where the ranges must begin."""
    slot, chain, token = evidence.slots[partition], Chain(rests=dict(starts)), b""
    for number, blob in enumerate(slot.turns):
        where = f"partition {partition}, record {number}"
        if blob[:1] == b"A":
            before, after = blob[1:-TOKEN], blob[-TOKEN:]
            chain.acquires += 1
        else:
            turn = read_turn(blob)
            before, after = turn.before, turn.after
            chain.turns.append(turn)
            _ranges(turn, chain, where, found)
            if turn.until > turn.now + 2 * evidence.clock_bound:
                found.wrong("timers run ahead of the clock", f"{where}: until {turn.until}, now {turn.now}")
        if before != token:
            found.wrong("turn records do not chain", f"{where}: after {token.hex()} comes one of {before.hex()}")
        token = after
        chain.tokens.append(token)
    if token != slot.meta.get("token", b""):
        found.wrong("last record is not the token", f"partition {partition}: {token.hex()}")
    for topic, rest in chain.rests.items():
        if rest != (stored := int(slot.meta[f"next:{topic}"])):
            found.wrong("ranges end elsewhere", f"{topic}-{partition}: at {rest}, stored {stored}")
    found.figures.update({"turns": len(chain.turns), "acquires": chain.acquires})
    return chain


def _ranges(turn: Turn, chain: Chain, where: str, found: Findings) -> None:
    for topic, (first, end) in turn.ranges.items():
        at = chain.rests.get(topic)
        if at != first or end <= first:
            kind = "ranges overlap" if at is not None and first < at else "ranges have a gap"
            found.wrong(kind, f"{where}: {topic} was read to {at}, then {first} to {end}")
        chain.rests[topic] = end


def starts_of(evidence: Evidence, partition: int) -> dict[str, int]:
    """A slot begins where its logs do."""
    return {topic: evidence.log(topic, partition).first for topic in INPUTS}


def check_books(evidence: Evidence, partition: int, found: Findings) -> None:
    """At rest: nothing unread, nothing waiting to leave, every timer of the list is a customer's."""
    slot = evidence.slots[partition]
    for topic in INPUTS:
        log, position = evidence.log(topic, partition), int(slot.meta[f"next:{topic}"])
        if position != log.end:
            found.wrong("lag", f"{topic}-{partition}: read to {position}, the log ends at {log.end}")
    if slot.outbox:
        found.wrong("outbox is not empty", f"partition {partition}: {next(iter(slot.outbox))!r}", len(slot.outbox))


def counted(evidence: Evidence, name: str, partition: int) -> int:
    """What the slot says it counted."""
    meta: Any = evidence.slots[partition].meta
    return int(meta.get(f"count:{name}", 0))


def counters(evidence: Evidence, partition: int, prefix: str) -> dict[str, int]:
    """All counters that begin so, without the prefix."""
    start = f"count:{prefix}"
    meta = evidence.slots[partition].meta
    return {name.removeprefix(start): int(value) for name, value in meta.items() if name.startswith(start)}
