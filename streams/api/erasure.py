"""A wish to erase: it goes into the logs, as everything that changes a customer does. The fold carries it out."""

import time
import uuid

from processors.markers import markers
from schemas.identity import Marker
from schemas.turn import Message
from streams.api.reading import known
from streams.api.shapes import Asked
from streams.sending import send
from streams.settings import Settings
from streams.state.people import Person


async def erase(settings: Settings, person: Person, by: str, why: str) -> Asked:
    """The person, and the ids on the way to it. From there the fold finds all others. Raises kafka.Unavailable."""
    asked = Asked(person.id, known(person.customer, person.path), str(uuid.uuid4()), by, why, time.time())
    await send(settings, records(asked, person.path))
    return asked


def records(asked: Asked, path: list[str]) -> list[Message]:
    """Into every log of the person's own id; and of each id on the way, whose owner is then gone."""
    owners = [*path[1:], path[-1]]
    return [
        message
        for id, owner in zip(path, owners, strict=True)
        for _, message in markers(id, Marker("erase", owner, by=asked.by, why=asked.why), asked.request, asked.time)
    ]
