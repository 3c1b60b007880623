"""Counters by time: the last hour, day, week and month of everything that is counted.

How it works. An event adds to one bucket: of 5 minutes if it is of the last hour, of an hour if of the last day, of a
day if of the last 30, all seen from the latest event; what is older has gone, and only lifetime counters know it. When
a later event comes, buckets that have become too old fold into coarser ones. A bucket of minutes lies in one hour, an
hour in one day: so where an event ends up depends on its time and the latest one's, not on when it was read. Nothing is
worked out again for an event; a question adds up the buckets that begin in its window.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from processors.compiled import compiled
from schemas.facts import DAY, DAYS_MOST, HOUR, HOURS_MOST, MINUTES, MINUTES_MOST, MONEY, Cell, EventFacts

WINDOWS: Final = {"hour": 3600.0, "day": 86_400.0, "week": 7 * 86_400.0, "month": 30 * 86_400.0}
"""Word -> seconds."""

IN_HOUR: Final = HOUR // MINUTES
IN_DAY: Final = DAY // HOUR


@compiled
def put(facts: EventFacts, second: int, key: str, amount: int) -> None:
    """Add to the bucket of that second."""
    bucket, minutes = second // MINUTES, facts.minutes
    if not minutes or bucket > minutes[-1].at:
        minutes.append(Cell(bucket, {key: amount}))
        if minutes[0].at <= bucket - MINUTES_MOST or facts.hours or facts.days:
            fold(facts)
    else:
        if bucket == minutes[-1].at:
            counts = minutes[-1].counts
        elif (found := late(facts, bucket)) is not None:
            counts = found
        else:
            return
        counts[key] = counts.get(key, 0) + amount


def late(facts: EventFacts, bucket: int) -> dict[str, int] | None:
    """The counters for an event that is not of the latest bucket; None: it is too old."""
    latest = facts.minutes[-1].at
    if bucket > latest - MINUTES_MOST:
        return counts_of(facts.minutes, bucket)
    hour, latest = bucket // IN_HOUR, latest // IN_HOUR
    if hour > latest - HOURS_MOST:
        return counts_of(facts.hours, hour)
    day, latest = hour // IN_DAY, latest // IN_DAY
    return counts_of(facts.days, day) if day > latest - DAYS_MOST else None


def counts_of(cells: list[Cell], at: int) -> dict[str, int]:
    """The counters of a bucket, made when there is none."""
    place = len(cells)
    while place and cells[place - 1].at > at:
        place -= 1
    if place and cells[place - 1].at == at:
        return cells[place - 1].counts
    cells.insert(place, Cell(at, {}))
    return cells[place].counts


def fold(facts: EventFacts) -> None:
    """What has become too old for its bucket goes into the next coarser one."""
    minutes, hours, days = facts.minutes, facts.hours, facts.days
    latest = minutes[-1].at
    while minutes[0].at <= latest - MINUTES_MOST:
        cell = minutes.pop(0)
        merge(counts_of(hours, cell.at // IN_HOUR), cell.counts)
    latest //= IN_HOUR
    while hours and hours[0].at <= latest - HOURS_MOST:
        cell = hours.pop(0)
        merge(counts_of(days, cell.at // IN_DAY), cell.counts)
    latest //= IN_DAY
    while days and days[0].at <= latest - DAYS_MOST:
        del days[0]


def merge(counts: dict[str, int], others: dict[str, int]) -> None:
    for key, amount in others.items():
        counts[key] = counts.get(key, 0) + amount


def join(facts: EventFacts, a: EventFacts, b: EventFacts) -> None:
    """The buckets of two, into `facts`, which has none."""
    for name in ("minutes", "hours", "days"):
        cells: list[Cell] = getattr(facts, name)
        for cell in (*getattr(a, name), *getattr(b, name)):
            merge(counts_of(cells, cell.at), cell.counts)
    if facts.minutes:
        fold(facts)


def cells_since(facts: EventFacts, since: float, now: float) -> Iterator[dict[str, int]]:
    """Counters of the buckets that begin after `since`, and not after `now`."""
    for cells, size in ((facts.minutes, MINUTES), (facts.hours, HOUR), (facts.days, DAY)):
        for cell in reversed(cells):
            start = cell.at * size
            if start <= since:
                break
            if start <= now:
                yield cell.counts


def window(all_facts: Iterable[EventFacts], now: float, word: str, key: str = "") -> int:
    """How many of one key in a window; of all events where there is none. To the bucket: a window's first one counts
    only when all of it lies in the window."""
    return counted(all_facts, now - WINDOWS[word], now, key)


@compiled
def counted(all_facts: Iterable[EventFacts], since: float, now: float, key: str) -> int:
    """The same, of the buckets that begin after `since`, and not after `now`."""
    sum_ = 0
    for facts in all_facts:
        for counts in cells_since(facts, since, now):
            sum_ += counts.get(key, 0) if key else sum(counts.values()) - counts.get(MONEY, 0)
    return sum_
