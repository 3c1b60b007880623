"""REES46: a web shop's views, carts and purchases, one product a row. Rows are in order of time."""

from collections.abc import Iterable, Iterator

from schemas.event import ADDED, ORDERED, PRODUCT_VIEWED, Event, Product
from streams.tools.replay.rows import Item, Row, each, message_id, micros, table, utc

COLUMNS = (
    "event_time",
    "event_type",
    "product_id",
    "category_id",
    "category_code",
    "brand",
    "price",
    "user_id",
    "user_session",
)
NAMES = {"view": PRODUCT_VIEWED, "cart": ADDED, "purchase": ORDERED}


def read(lines: Iterable[str]) -> Iterator[Item]:
    """The session is also the cart and the order: the file names neither."""
    return each(table(lines, COLUMNS), _row)


def _row(line: int, row: list[str]) -> Item:
    time, kind, product, _, category, brand, price, customer, session = row
    if kind not in NAMES:
        raise ValueError(f"wanted event_type {', '.join(NAMES)}; got {kind!r}")
    name = NAMES[kind]
    paid = micros(price)
    return Row(
        line,
        customer,
        Event(
            id=message_id("rees46", line, "\x1f".join(row)),
            name=name,
            time=utc(time),
            channel="web",
            source="replay",
            products=[Product(product, category=category, brand=brand, price=paid)],
            total=paid if name == ORDERED else 0,
            order=session if name == ORDERED else "",
            cart="" if name == PRODUCT_VIEWED else session,
            session=session,
        ),
    )
