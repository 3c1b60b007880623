"""Time zones: what a clock on the customer's wall says. The zone tables are constants; reading them once is no I/O
to mind.

A zone nobody knows is UTC, or what the playbook says for those who told none.
"""

from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(maxsize=1024)
def known(name: str) -> tzinfo | None:
    """The zone of that IANA name, None when there is no such zone."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def zone(*names: str) -> tzinfo:
    """The first zone that exists, else UTC."""
    return next((found for name in names if (found := known(name))), UTC)


STEP = 30
"""Seconds: no zone has ever been off UTC by a time that this does not divide, since 1970, nor changed between two."""


def day(moment: float, name: str) -> str:
    """The date there, as 2026-11-22."""
    return day_of(int(moment // STEP), name)


@lru_cache(maxsize=4096)
def day_of(step: int, name: str) -> str:
    """The date there in a step of half a minute."""
    return datetime.fromtimestamp(step * STEP, zone(name)).date().isoformat()


def silence(moment: float, start: time, end: time, there: tzinfo) -> float | None:
    """When the quiet hours that hold `moment` are over, in seconds since the epoch; None: they do not hold it."""
    local = datetime.fromtimestamp(moment, there)
    clock = local.time()
    quiet = start <= clock < end if start <= end else clock >= start or clock < end
    return following(local, end).timestamp() if quiet else None


def following(local: datetime, clock: time) -> datetime:
    """The next time after `local` that the clock on the wall says `clock`; one that a change of hours skips counts."""
    days = (local.date(), local.date() + timedelta(days=1))
    times = (datetime.combine(day, clock, local.tzinfo).replace(fold=fold) for day in days for fold in (0, 1))
    now = local.timestamp()
    return next(when for when in times if when.timestamp() > now)
