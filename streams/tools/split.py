"""`kairos customer split`: takes a link back. The record in the log says who did it, when and why."""

import getpass
import time
import uuid

from msgspec import Struct

from processors.markers import markers
from processors.owners import gone
from schemas.customer import Customer
from schemas.identity import Marker
from schemas.topics import EVENTS
from streams.sending import send
from streams.settings import Settings


class Unlinked(Exception):
    """There is nothing to take back."""


class Split(Struct):
    """What `kairos customer split --json` prints."""

    id: str
    owner: str
    by: str
    why: str
    time: float


async def split(settings: Settings, id: str, owner: str, found: Customer, why: str) -> Split:
    """Every link from `id` to `owner` read so far is taken back. Raises Unlinked, kafka.Unavailable."""
    if owner not in owners_of(found):
        known = ", ".join(sorted(owners_of(found))) or "nobody"
        raise Unlinked(f"split: wanted a link from {id} to {owner}; {id} belongs to {known}")
    done = Split(id, owner, getpass.getuser(), why, time.time())
    marker = Marker("split", owner, "kairos customer split", by=done.by, why=why)
    await send(settings, [message for _, message in markers(id, marker, str(uuid.uuid4()), done.time)])
    return done


def owners_of(customer: Customer) -> set[str]:
    """To whom an id is linked, in any of its logs."""
    identity = customer.identity
    if identity is None:
        return set()
    sides = [side for topic in EVENTS if (side := getattr(identity, topic))]
    marks = [*identity.marks, *(mark for side in sides for mark in side.marks)]
    return {mark.to for mark in marks if not mark.dead and not gone(mark.to)}
