"""Who the load's customers are: some have one id, most have several, which get to know of each other amid the load.

Ids hash to partitions as they come, so most links cross partitions. A key with a tilde is an anonymousId, one that
begins with `card:` a member card, any other a userId.
"""

import random
from dataclasses import dataclass
from typing import Any

from processors.markers import markers
from schemas.identity import Marker
from schemas.turn import Message

Said = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """An event of `key` may say that `names` is the same person's; after this share of the load's time."""

    key: str
    names: str
    after: float

    def said(self) -> Said:
        """What the event says."""
        kind, colon, value = self.names.partition(":")
        return {"links": [{"kind": kind, "id": value}]} if colon else {"anonymous": self.names}


@dataclass(frozen=True)
class Person:
    """One person; or two, or more, who share a device."""

    ids: tuple[str, ...]
    claims: tuple[Claim, ...] = ()
    fickle: bool = False
    """Links are taken back now and then."""


def devices(rnd: random.Random, name: str) -> Person:
    """A phone and a laptop at once; the past moves at each log-in."""
    own = [f"{name}~phone", f"{name}~laptop"]
    return Person((name, *own), tuple(Claim(name, one, rnd.uniform(0.1, 0.7)) for one in own))


def card(rnd: random.Random, name: str) -> Person:
    """A card shown at the till, and one day in the app."""
    own = f"card:{name}"
    return Person((name, own), (Claim(name, own, rnd.uniform(0.1, 0.7)),))


def chain(rnd: random.Random, name: str) -> Person:
    """A phone becomes the card's, the card the user's, in either order."""
    middle, phone = f"card:{name}", f"{name}~phone"
    first, second = rnd.uniform(0.1, 0.6), rnd.uniform(0.1, 0.6)
    return Person((name, middle, phone), (Claim(middle, phone, first), Claim(name, middle, second)))


def tablet(rnd: random.Random, name: str) -> Person:
    """A device of two: the first logs in, later the second."""
    own, other, first = f"{name}~tablet", f"{name}-spouse", rnd.uniform(0.1, 0.5)
    return Person((name, other, own, own), (Claim(name, own, first), Claim(other, own, first + 0.2)))


def kiosk(name: str, users: int = 4) -> Person:
    """A device of too many: it links nobody."""
    own, all_ = f"{name}~kiosk", [f"{name}-{number}" for number in range(users)]
    return Person((own, *all_), tuple(Claim(one, own, 0.1 + 0.1 * number) for number, one in enumerate(all_)))


def people(rnd: random.Random, count: int) -> list[Person]:
    """Five of twelve have one id; one of three persons of several has links taken back."""
    kinds = [*[None] * 5, devices, devices, devices, card, chain, chain, tablet]
    found = []
    for number in range(count):
        kind, name = kinds[number % len(kinds)], f"c{number}"
        one = kind(rnd, name) if kind else Person((name,))
        found.append(Person(one.ids, one.claims, number // len(kinds) % 3 == 0))
    return [*found, kiosk("k")]


def busy(rnd: random.Random, count: int) -> list[Person]:
    """Who does so much that caps must stop what they would get: by one id, or by several."""
    kinds = [None, devices, chain]
    names = [f"capped-{number}" for number in range(count)]
    return [
        kind(rnd, name) if (kind := kinds[number % len(kinds)]) else Person((name,))
        for number, name in enumerate(names)
    ]


def split(claim: Claim, cause: str, time: float) -> list[Message]:
    """What `kairos customer split` puts into the logs: the link is taken back."""
    marker = Marker("split", claim.key, "kairos customer split", by="harness", why="a test")
    return [message for _, message in markers(claim.names, marker, cause, time)]


def erasure(id: str, cause: str, time: float) -> list[Message]:
    """What the profile API puts into the logs of one id."""
    marker = Marker("erase", id, by="harness", why="a test")
    return [message for _, message in markers(id, marker, cause, time)]


def spoken(key: str, event: Said) -> Said:
    """How an SDK says whose it is."""
    ids = [{"type": link["kind"], "id": link["id"]} for link in event.get("links", ())]
    said: Said = {}
    kind, colon, value = key.partition(":")
    if colon:
        ids.append({"type": kind, "id": value})
    else:
        said["anonymousId" if "~" in key else "userId"] = key
    if "anonymous" in event:
        said["anonymousId"] = event["anonymous"]
    return said | ({"context": {"externalIds": ids}} if ids else {})
