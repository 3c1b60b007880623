"""Markers on their way: one into every log of the lesser id, so each log tells by itself whose it is."""

from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from schemas.event import Event, encode_event
from schemas.identity import ERASED, LINKED, SPLIT, TOMB, Marker
from schemas.part import Part, encode_part
from schemas.topics import EVENTS, PARTS
from schemas.trigger import frame
from schemas.turn import Message

NAMES: Final = {"link": LINKED, "split": SPLIT, "erase": ERASED}
HEADERS: Final = [("kairos", b"marker")]
"""Who counts what came in from outside need not open the record."""


def markers(lesser: str, marker: Marker, cause: str, time: float) -> list[tuple[str, Message]]:
    """(id, record) of each. `cause` makes the id, the same in every history: of a claim its message id."""
    id = digest(cause, lesser, marker.to)
    part = encode_part(Part(marker=marker, id=id, time=time))
    others = [] if marker.again else onward(lesser, marker, id, time)
    return [*others, (f"mark:{PARTS}:{id}", Message(PARTS, lesser.encode(), part, HEADERS))]


def onward(lesser: str, marker: Marker, id: str, time: float) -> list[tuple[str, Message]]:
    """A link claimed again, for the logs of events."""
    value = encode_event(Event(id, NAMES[marker.what], time, marker=replace(marker, again=False)))
    return [(f"mark:{topic}:{id}", Message(topic, lesser.encode(), value, HEADERS)) for topic in EVENTS]


def tomb(id: str) -> str:
    """The name of an owner who was erased."""
    return TOMB + digest(id)


def digest(*words: str) -> str:
    """24 hexadecimal digits."""
    framed = b"".join([frame(word.encode()) for word in words])
    return blake2b(framed, digest_size=12).hexdigest()
