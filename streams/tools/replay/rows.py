"""What a reader makes of a file: rows that say what a customer did, and rows it could not read.

A message id is made from the format, the row's number and its content, never from the moved time: the second replay of
a file is all duplicates.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from msgspec import Struct
from xxhash import xxh3_64_hexdigest

from schemas.event import MICROS, Event
from streams.tools.asking import Wrong


class Row(Struct):
    """One event of the file."""

    line: int
    customer: str
    event: Event
    known: bool = True
    """False: the customer is an anonymous id."""

    @property
    def time(self) -> float:
        return self.event.time


class Call(Struct):
    """A Segment call, sent as it stands in the file."""

    line: int
    customer: str
    time: float
    body: bytes


class Bad(Struct):
    """A row that says nothing we understand."""

    line: int
    reason: str


Item = Row | Call | Bad
Read = Callable[[Iterable[str]], Iterator[Item]]
"""A reader: lines of text, each with its end, to items."""


class Unreadable(Wrong):
    """The file is not of the format it was said to be."""


def message_id(name: str, line: int, content: str) -> str:
    """The same for the same row of the same file, whenever it is replayed."""
    return f"{name}-{line}-{xxh3_64_hexdigest(content.encode())}"


def micros(text: str) -> int:
    """Money as whole micros."""
    return round(float(text) * MICROS)


def utc(text: str) -> float:
    """`2019-10-01 00:00:00`, with or without ` UTC`, in seconds since the epoch."""
    return datetime.fromisoformat(text.removesuffix(" UTC")).replace(tzinfo=UTC).timestamp()


def table(lines: Iterable[str], columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]] | Bad]:
    """Rows of a CSV file with these columns, each with its line number. Raises Unreadable when others head it."""
    reader = csv.reader(lines)
    heading = next(reader, [])
    if tuple(heading) != columns:
        raise Unreadable(f"line 1: wanted columns {','.join(columns)}; got {','.join(heading)[:200]!r}")
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield Bad(reader.line_num, f"wanted a CSV row; got {exc}")
            continue
        if len(row) == len(columns):
            yield reader.line_num, row
        elif row:
            yield Bad(reader.line_num, f"wanted {len(columns)} columns, got {len(row)}")


def each(rows: Iterable[tuple[int, list[str]] | Bad], read: Callable[[int, list[str]], Item]) -> Iterator[Item]:
    """Read one row at a time; what cannot be read is bad, with the reason."""
    for row in rows:
        if isinstance(row, Bad):
            yield row
            continue
        try:
            yield read(*row)
        except (ValueError, OverflowError, KeyError) as exc:
            yield Bad(row[0], f"{type(exc).__name__}: {exc}")
