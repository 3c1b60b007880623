"""The books: what came in, what the engine says it did with it, and whether the two agree.

How it works. Two witnesses who know nothing of each other. The *logs* say what came in and what left; the *slots* say,
counted inside each commit, what was applied, was a duplicate, was dead-lettered, fired. Whatever one of them lost or
did twice shows as a difference. This module only compares; `books` asks the witnesses.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from schemas.topics import CART, CLICKSTREAM, FEEDBACK, PARTS, POS

OUTSIDE = (CLICKSTREAM, CART, POS, FEEDBACK)
"""What comes in from outside."""
TOPICS = (*OUTSIDE, PARTS)
"""Each record of theirs is booked once."""

BOOKED = ("applied", "duplicate", "dead_lettered", "erased")
"""What can become of a record."""


class Logs(Struct):
    """What the logs hold, read_committed."""

    records: Counter[str]
    """Topic -> records, those that retention took already among them (`gone`)."""
    triggers: Counter[str]
    """Play -> distinct ids."""
    dead: Counter[str]
    """Topic -> distinct places among the dead letters of the engine."""
    markers: int = 0
    """Records of links in topics that else come from outside."""
    gone: Counter[str] = Counter()
    """Topic -> offsets that retention took. The ends of transactions that brought links took offsets too, so where
    something is gone, the records are at most so many."""
    rejected: int = 0
    """Dead letters of the collector: what it took in and could not keep."""
    shortened: frozenset[str] = frozenset()
    """Topics whose beginning is gone, so what is counted there is too little."""


class Slots(Struct):
    """What the slots say, summed over the partitions."""

    counts: Counter[str]
    """`applied:<topic>` and so on, as `processors.turn` names them."""
    outbox: int = 0
    sleepers: int = 0
    """Customers with a timer."""
    waiting: int = 0
    """Plays that wait, counted over all customers ..."""
    waiting_customers: int = 0
    """... and who they are."""

    @classmethod
    def sum(cls, metas: Iterable[Mapping[str, bytes]]) -> "Slots":
        """The counters of all metas."""
        counts: Counter[str] = Counter()
        for meta in metas:
            counts.update({name[6:]: int(value) for name, value in meta.items() if name.startswith("count:")})
        return cls(counts)


class Topic(Struct):
    """A row of the books."""

    records: int
    applied: int
    duplicate: int
    dead_lettered: int
    erased: int
    lag: int

    @property
    def booked(self) -> int:
        return self.applied + self.duplicate + self.dead_lettered + self.erased


class Timers(Struct):
    """Silences of plays: each one armed is waiting, fired or cancelled."""

    pending: int
    fired: int
    cancelled: int
    armed: int


class Books(Struct):
    """What `kairos books --json` prints."""

    accepted: int
    rejected: int
    topics: dict[str, Topic]
    triggers: dict[str, int]
    refusals: dict[str, dict[str, int]]
    outbox: int
    timers: Timers
    balanced: bool = False
    differences: list[str] = []
    """What does not balance, in words."""


def balance(logs: Logs, slots: Slots, lag: Mapping[str, int]) -> Books:
    """Set one against the other. `lag`: topic -> offsets not yet read."""
    counts = slots.counts
    books = Books(
        accepted=sum(logs.records[topic] for topic in OUTSIDE) - logs.markers,
        rejected=logs.rejected,
        topics={topic: _topic(topic, logs, counts, lag.get(topic, 0)) for topic in TOPICS},
        triggers=dict(sorted(logs.triggers.items())),
        refusals=_refusals(counts),
        outbox=slots.outbox,
        timers=Timers(slots.waiting, counts["timer:fired"], counts["timer:cancelled"], counts["timer:armed"]),
    )
    books.differences = [*_of_topics(books, logs, lag), *_of_triggers(books, logs, counts), *_of_timers(books, slots)]
    books.balanced = not books.differences
    return books


def _topic(topic: str, logs: Logs, counts: Counter[str], lag: int) -> Topic:
    applied, duplicate, dead, erased = (counts[f"{what}:{topic}"] for what in BOOKED)
    return Topic(logs.records[topic], applied, duplicate, dead, erased, lag)


def _refusals(counts: Counter[str]) -> dict[str, dict[str, int]]:
    refusals: dict[str, dict[str, int]] = {}
    for name, count in sorted(counts.items()):
        what, _, rest = name.partition(":")
        if what == "refused":
            play, _, reason = rest.partition(":")
            refusals.setdefault(play, {})[reason] = count
    return refusals


def _of_topics(books: Books, logs: Logs, lag: Mapping[str, int]) -> Iterable[str]:
    for name, topic in books.topics.items():
        least = topic.records - logs.gone[name]
        if not least <= topic.booked <= topic.records:
            yield f"{name}: {topic.records:,} records, booked {topic.booked:,} ({topic.booked - topic.records:+,})"
        if "dead-letters" not in logs.shortened and logs.dead[name] != topic.dead_lettered:
            yield f"{name}: dead-lettered {topic.dead_lettered:,}, in the log of dead letters {logs.dead[name]:,}"
    yield from (f"{name}: lags by {offsets:,}" for name, offsets in lag.items() if offsets)


def _of_triggers(books: Books, logs: Logs, counts: Counter[str]) -> Iterable[str]:
    if books.outbox:
        yield f"outbox: {books.outbox:,} wait to leave"
    decided = {name.removeprefix("trigger:"): n for name, n in counts.items() if name.startswith("trigger:")}
    if "triggers" in logs.shortened:
        return
    for play in sorted({*decided, *books.triggers}):
        if decided.get(play, 0) != books.triggers.get(play, 0):
            yield f"triggers: {play} decided {decided.get(play, 0):,}, in the log {books.triggers.get(play, 0):,}"


def _of_timers(books: Books, slots: Slots) -> Iterable[str]:
    timers = books.timers
    ended = timers.fired + timers.cancelled + timers.pending
    if timers.armed != ended:
        yield f"timers: armed {timers.armed:,}, fired + cancelled + waiting {ended:,}"
    if slots.sleepers != slots.waiting_customers:
        yield f"timers: {slots.waiting_customers:,} customers wait, {slots.sleepers:,} are in the list of timers"
