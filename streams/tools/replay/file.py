"""A file, plain or gzipped, as lines of text; and how far we are in it."""

import gzip
import io
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from streams.tools.replay.rows import Bad, Item, Read

TAIL_LINES = 1_000
"""So many lines at the end are looked at for the latest time: rows of one moment may be out of order."""


class File:
    """Lines of a file. A gzip stream that is cut off or broken ends the lines and leaves a `fault`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        """Bytes on disk."""
        self.lines_read = 0
        self.fault: Bad | None = None
        self._raw = path.open("rb")
        self._text = io.TextIOWrapper(_inflated(self._raw), "utf-8", errors="replace", newline="")

    def __iter__(self) -> Iterator[str]:
        try:
            for line in self._text:
                self.lines_read += 1
                yield line
        except (EOFError, OSError, zlib.error) as exc:
            self.fault = Bad(self.lines_read + 1, f"the file ends early: {exc}")

    def position(self) -> int:
        """Bytes read from disk."""
        return self._raw.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._text.close()
        self._raw.close()


def _inflated(raw: IO[bytes]) -> IO[bytes]:
    magic = raw.read(2)
    raw.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if magic == b"\x1f\x8b" else raw


def items(file: File, read: Read) -> Iterator[Item]:
    """What the reader makes of the file, and last what is wrong with the file itself."""
    yield from read(file)
    if file.fault:
        yield file.fault


def span(path: Path, read: Read, headed: bool) -> tuple[float, float]:
    """Times of the first and the last row of a file that is in order of time. It only parses its two ends."""
    with File(path) as file:
        head: list[str] = []
        tail: deque[str] = deque(maxlen=TAIL_LINES)
        for line in file:
            (head if len(head) < TAIL_LINES else tail).append(line)
    first, last = ends(read(head))
    return first, max(last, ends(read([*head[: 1 if headed else 0], *tail]))[1])


def time_of(item: Item) -> float:
    """When it happened; 0 where it does not say."""
    return 0.0 if isinstance(item, Bad) else item.time


def ends(items: Iterable[Item]) -> tuple[float, float]:
    """The earliest and the latest time; 0 where none is said."""
    times = [time for time in map(time_of, items) if time]
    return min(times, default=0.0), max(times, default=0.0)
