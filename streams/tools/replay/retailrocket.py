"""Retailrocket's events.csv: views, carts and transactions of visitors. No prices; rows are in no order of time."""

from collections.abc import Iterable, Iterator

from schemas.event import ADDED, ORDERED, PRODUCT_VIEWED, Event, Product
from streams.tools.replay.rows import Item, Row, each, message_id, table

COLUMNS = ("timestamp", "visitorid", "event", "itemid", "transactionid")
NAMES = {"view": PRODUCT_VIEWED, "addtocart": ADDED, "transaction": ORDERED}


def read(lines: Iterable[str]) -> Iterator[Item]:
    """Visitors are browsers: anonymous ids."""
    return each(table(lines, COLUMNS), _row)


def _row(line: int, row: list[str]) -> Item:
    time, visitor, kind, item, transaction = row
    if kind not in NAMES:
        raise ValueError(f"wanted event {', '.join(NAMES)}; got {kind!r}")
    event = Event(
        id=message_id("retailrocket", line, "\x1f".join(row)),
        name=NAMES[kind],
        time=int(time) / 1000,
        channel="web",
        source="replay",
        products=[Product(item)],
        order=transaction,
    )
    return Row(line, visitor, event, known=False)
