"""OTTO: sessions of an anonymous web shop, one JSON object a line. No prices, no customers: a session is a browser."""

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from schemas.event import ADDED, ORDERED, PRODUCT_VIEWED, Event, Product
from streams.tools.replay.rows import Bad, Item, Row, message_id

NAMES = {"clicks": PRODUCT_VIEWED, "carts": ADDED, "orders": ORDERED}


class Deed(Struct):
    """An entry of a session; `ts` is in milliseconds."""

    aid: int
    ts: int
    type: Literal["clicks", "carts", "orders"]


class Session(Struct):
    """A line of the file."""

    session: int
    events: list[Deed]


def read(lines: Iterable[str]) -> Iterator[Item]:
    """A line that cannot be read counts once, however many events were in it."""
    decode = Decoder(Session).decode
    for number, line in enumerate(lines, 1):
        try:
            session = decode(line)
        except DecodeError as exc:
            yield Bad(number, str(exc))
            continue
        yield from (_row(number, session.session, place, deed) for place, deed in enumerate(session.events))


def _row(line: int, session: int, place: int, deed: Deed) -> Row:
    name, visit = NAMES[deed.type], f"otto-{session}"
    event = Event(
        id=message_id("otto", line, f"{place} {session} {deed.aid} {deed.ts} {deed.type}"),
        name=name,
        time=deed.ts / 1000,
        channel="web",
        source="replay",
        products=[Product(str(deed.aid))],
        # what is ordered in one moment is one order, as its rows come with one time
        order=f"{visit}-{deed.ts}" if name == ORDERED else "",
        cart="" if name == PRODUCT_VIEWED else visit,
        session=visit,
    )
    return Row(line, visit, event, known=False)
