"""Figures of one measurement, medians over rounds, and how they are told to a machine and to a person."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

PACKAGES = ("kairos", "faust-streaming", "aiokafka", "redis", "hiredis", "msgspec", "uvloop", "aiohttp")
WORDS = {
    "cpu_us_per_event": "CPU, us/event",
    "events_per_second": "events/s",
    "cpu_us_per_answer": "CPU, us/answer",
    "answers_per_second": "answers/s",
    "rss_mb": "RSS, MB",
    "p50_ms": "p50, ms",
    "p90_ms": "p90, ms",
    "p99_ms": "p99, ms",
    "triggers_percent": "triggers, %",
    "posts_per_second": "POSTs/s, p99 < 50 ms",
    "redis_us_per_event": "Redis CPU, us/event",
    "redis_bytes_per_customer": "Redis, bytes/customer",
    "redis_bytes_per_timer": "Redis, bytes/timer",
    "restart_seconds": "restart, s",
    "idle_percent": "idle, % of a core",
}


@dataclass(frozen=True)
class Figures:
    """What one implementation did in one round; None: not measured."""

    cpu_us_per_event: float | None = None
    """CPU time of its process, user and system."""
    events_per_second: float | None = None
    rss_mb: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    triggers_percent: float | None = None
    cpu_us_per_answer: float | None = None
    answers_per_second: float | None = None
    posts_per_second: float | None = None
    """The most that were tried with a p99 below 50 ms, each sent when it was due, answered or not."""
    redis_us_per_event: float | None = None
    """CPU time of the Redis beside it."""
    redis_bytes_per_customer: float | None = None
    redis_bytes_per_timer: float | None = None
    """What a pending timer adds, to the state it is told in too."""
    restart_seconds: float | None = None
    """From starting a worker until it has applied a new event in each partition."""
    idle_percent: float | None = None
    """Of a core, with nothing to do."""


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99 in ms."""
    ordered = sorted(seconds)
    return {f"p{p}_ms": ordered[min(len(ordered) - 1, len(ordered) * p // 100)] * 1000 for p in (50, 90, 99)}


def summary(rounds: Sequence[Figures], does_not: str) -> dict[str, Any]:
    """Medians, and from least to most under `range`."""
    told: dict[str, Any] = {}
    ranges: dict[str, tuple[float, float]] = {}
    for name in WORDS:
        values = [value for one in rounds if (value := asdict(one)[name]) is not None]
        told[name] = tidy(median(values)) if values else None
        if values:
            ranges[name] = (tidy(min(values)), tidy(max(values)))
    return told | {"range": ranges, "does_not": does_not}


def ratio(rounds: Mapping[str, Sequence[Figures]], ours: str, theirs: str) -> dict[str, Any]:
    """How much more CPU an event costs here than there, or how much longer it takes: each round by itself, then the
    median, and the range of the first."""
    told: dict[str, Any] = {}
    for word, name in (("cpu", "cpu_us_per_event"), ("p50", "p50_ms"), ("p99", "p99_ms")):
        both = [(getattr(a, name), getattr(b, name)) for a, b in zip(rounds[ours], rounds[theirs], strict=True)]
        if found := [a / b for a, b in both if a and b]:
            told[word] = tidy(median(found))
            told.setdefault("range", (tidy(min(found)), tidy(max(found))))
    return told


def tidy(value: float) -> float:
    """Three digits that count."""
    return round(value, 2 - math.floor(math.log10(abs(value)))) if value else 0.0


def machine() -> dict[str, Any]:
    """What it ran on. `load`: of the last minute, where 1 is one busy core; other work makes figures worse."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cpu = models[0] if models else platform.machine()
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_gb": round(pages / 1e9), "load": round(os.getloadavg()[0], 1)}


def versions() -> dict[str, str]:
    """Of Python and of the packages that matter."""
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "checkout"


def table(report: Mapping[str, Any]) -> Table:
    """A report for people; only the columns somebody filled."""
    implementations = report["implementations"]
    names = [name for name in WORDS if any(one[name] is not None for one in implementations.values())]
    title = f"{report['bench']}: rounds: {report['rounds']}, medians, least to most"
    shown = Table(title=title, title_justify="left", caption=_ratios(report), caption_justify="left")
    shown.add_column("")
    for name in names:
        shown.add_column(WORDS[name], justify="right", no_wrap=True)
    for name, one in implementations.items():
        shown.add_row(name, *(_cell(one, column) for column in names))
    return shown


def _cell(one: Mapping[str, Any], name: str) -> str:
    if one[name] is None:
        return "-"
    least, most = one["range"][name]
    return f"{one[name]:,g}" + (f"\n[dim]{least:,g}-{most:,g}[/]" if least < most else "")


def _ratios(report: Mapping[str, Any]) -> str:
    return "\n".join(
        f"{pair}: " + ", ".join(f"{word} {value:g}" for word, value in found.items() if word != "range")
        for pair, found in report["ratios"].items()
        if found
    )
