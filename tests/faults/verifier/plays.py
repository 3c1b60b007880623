"""The playbook, as far as the log alone tells what must come of it.

Understood are plays whose condition is always true and whose occurrence is `event.id`: at once, or after a silence.
Of others only ids, caps and cooldowns are checked here.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import yaml

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


@dataclass(frozen=True)
class Cap:
    """At most `most` in a window. A cooldown is one: `only` is its play."""

    per: str
    most: int
    within: float
    only: str = ""

    def alike(self, one: dict[str, Any], other: dict[str, Any]) -> bool:
        """Whether it counts two triggers together."""
        if self.only:
            return bool(one["play"] == other["play"] == self.only)
        return bool(self.per == "customer" or one.get(self.per, "") == other.get(self.per, ""))


@dataclass(frozen=True)
class Play:
    """One play."""

    id: str
    on: tuple[str, ...]
    unless: tuple[str, ...]
    after: float | None
    expires: float
    told: bool
    """Whether the log alone says what it must propose."""


@dataclass(frozen=True)
class Book:
    """A playbook."""

    plays: dict[str, Play]
    caps: tuple[Cap, ...]


def seconds(value: str) -> float:
    for unit, size in sorted(UNITS.items(), key=lambda item: -len(item[0])):
        if value.endswith(unit):
            return float(value.removesuffix(unit)) * size
    return float(value)


def read_book(text: str) -> Book:
    """Read with YAML's plainest loader: all scalars are text."""
    data = yaml.load(text, yaml.BaseLoader)
    caps = [
        Cap(one["per"], int(one["most"]), seconds(one["within"])) for one in data.get("policies", {}).get("caps", [])
    ]
    plays = {}
    for one in data.get("plays", []):
        told = one.get("when", "true") == "true" and one["occurrence"] == "event.id"
        after = seconds(one["after"]) if "after" in one else None
        expires = seconds(one.get("expires", "3600"))
        plays[one["id"]] = Play(one["id"], tuple(one["on"]), tuple(one.get("unless", ())), after, expires, told)
        if "cooldown" in one:
            caps.append(Cap("play", 1, seconds(one["cooldown"]), one["id"]))
    return Book(plays, tuple(caps))


def id_of(app: str, play: str, customer: bytes, occurrence: str) -> str:
    """The id a trigger must have."""
    framed = b"".join(
        str(len(part)).encode() + b":" + part for part in (app.encode(), play.encode(), customer, occurrence.encode())
    )
    return blake2b(framed, digest_size=12).hexdigest()
