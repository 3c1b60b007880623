"""`kairos replay`: a file of real events, sent as if they happened now."""

import asyncio
import json
import math
import signal
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from streams.settings import Settings
from streams.tools.asking import Wrong, ask
from streams.tools.replay import file, online_retail, otto, rees46, retailrocket, segment
from streams.tools.replay.over_http import OverHttp
from streams.tools.replay.over_kafka import OverKafka
from streams.tools.replay.pace import Pace, paced
from streams.tools.replay.rows import Bad, Item, Read
from streams.tools.replay.sender import Sender, Stopped, Tally

GRACE = 5.0
"""Seconds that what is under way may still take after Ctrl-C."""


class Format(NamedTuple):
    """How a file is read."""

    read: Read
    headed: bool
    """The first line names the columns."""
    ordered: bool
    """Rows come in order of time; else the whole file is put in order in memory first."""


FORMATS = {
    "rees46": Format(rees46.read, True, True),
    "otto": Format(otto.read, False, False),
    "online-retail": Format(online_retail.read, True, True),
    "retailrocket": Format(retailrocket.read, True, False),
    "segment": Format(segment.read, False, True),
}
Name = StrEnum("Name", {name.replace("-", "_"): name for name in FORMATS})  # type: ignore[misc]


class Way(StrEnum):
    """How events get in."""

    http = "http"
    kafka = "kafka"


def speed(text: str | float) -> float:
    """`60`, `60x` or `max`."""
    if text in ("max", math.inf):
        return math.inf
    try:
        times = float(str(text).removesuffix("x"))
    except ValueError:
        times = 0.0
    if not times > 0:
        raise typer.BadParameter(f"wanted a multiple of the file's own pace, as 60, or max; got {text!r}")
    return times


def replay(
    path: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="plain or gzipped")],
    name: Annotated[Name, typer.Option("--format", help="what the file is")],
    pace: Annotated[
        float, typer.Option("--speed", parser=speed, metavar="N|max", help="times its own pace")
    ] = math.inf,
    via: Annotated[Way, typer.Option(help="to the collector, or straight to the topics")] = Way.http,
    keep_times: Annotated[
        bool, typer.Option("--keep-times", help="leave event times; else the last one is now")
    ] = False,
    url: Annotated[str, typer.Option(help="the collector; default: of this folder's `kairos dev`, or KAIROS_*")] = "",
    key: Annotated[str, typer.Option(help="a server write key; default: as above")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="the books as one JSON line")] = False,
) -> None:
    """Replay a file of events. A second replay of the same file is all duplicates.

    Times are moved so that the stream ends now: plays see it as today. Ends with the books of this replay.
    """

    async def work(settings: Settings) -> int:
        way = Out(settings, via, url or f"http://{settings.host}:{settings.port}", key or _server_key(settings))
        return await _Replay(path, FORMATS[name], pace, keep_times, way, as_json).run()

    raise typer.Exit(ask(work))


def _server_key(settings: Settings) -> str:
    keys = settings.keys()
    return next((key.key for key in keys if key.kind == "server"), "")


class Out(NamedTuple):
    """Where events go."""

    settings: Settings
    via: Way
    url: str
    key: str

    async def open(self, tally: Tally) -> Sender:
        """Connect. Raises Wrong, Stopped, kafka.Unavailable."""
        if self.via is Way.kafka:
            return await OverKafka.open(self.settings, tally)
        if not self.key:
            raise Wrong("wanted a server write key: --key, KAIROS_WRITE_KEYS, or a `kairos dev` in this folder")
        sender = OverHttp(self.settings, self.url, self.key, tally)
        try:
            await sender.greet()
        except Stopped:
            await sender.close()
            raise
        return sender


class _Replay:
    """One replay, from the first row to its books."""

    def __init__(self, path: Path, form: Format, speed: float, keep_times: bool, out: Out, as_json: bool) -> None:
        self._path, self._format, self._speed, self._keep_times, self._out = path, form, speed, keep_times, out
        self._told, self._as_json = Console(stderr=True, highlight=False), as_json
        self._tally, self._stop = Tally(), asyncio.Event()

    async def run(self) -> int:
        """The exit code."""
        began, failure = time.monotonic(), ""
        try:
            sender = await self._out.open(self._tally)
        except Stopped as exc:
            self._tell(f"replay: {exc}", "red")
            return 1
        try:
            with _stopping(self._stop):
                await self._send(sender)
        except Stopped as exc:
            failure = str(exc)
        finally:
            await sender.close()
        self._report(time.monotonic() - began, failure)
        return 130 if self._stop.is_set() else int(bool(failure) or self._tally.unanswered != 0)

    async def _send(self, sender: Sender) -> None:
        with file.File(self._path) as source, self._progress(source.size) as bar:
            task = bar.add_task(self._path.name, total=source.size, rate="")
            shown = began = time.monotonic()
            async for item in self._items(source):
                self._tally.read += 1
                await sender.put(item) if not isinstance(item, Bad) else self._tally.reject(item)
                if (now := time.monotonic()) - shown > 0.1:
                    shown = now
                    rate = f"{self._tally.read / (now - began):,.0f} events/s"
                    bar.update(task, completed=source.position(), rate=rate)
            await sender.finish(GRACE if self._stop.is_set() else None)

    def _items(self, source: file.File) -> AsyncIterator[Item]:
        """Rows in order of time, at their pace."""
        rows: Iterable[Item] = file.items(source, self._format.read)
        if self._format.ordered:
            first, last = file.span(self._path, self._format.read, self._format.headed)
        else:
            rows = sorted(rows, key=file.time_of)
            first, last = file.ends(rows)
        return paced(rows, Pace(time.time(), first, last, self._speed, self._keep_times), self._stop)

    def _progress(self, size: int) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TextColumn("{task.fields[rate]}"))
        shown = self._told.is_terminal and not self._as_json
        return Progress(*columns, TimeElapsedColumn(), console=self._told, disable=not shown, transient=True)

    def _report(self, seconds: float, failure: str) -> None:
        tally = self._tally
        for bad in tally.reasons:
            self._tell(f"{self._path.name}, line {bad.line}: {bad.reason}", "yellow")
        if tally.rejected > len(tally.reasons):
            self._tell(f"... and {tally.rejected - len(tally.reasons):,} more rejected", "yellow")
        if failure:
            self._tell(f"replay: {failure}", "red")
        if tally.unanswered:
            again = "send the file again, duplicates are dropped"
            self._tell(f"replay: {tally.unanswered:,} sent without an answer; {again}", "red")
        books = tally.books(seconds)
        print(json.dumps(books) if self._as_json else _line(books), flush=True)

    def _tell(self, text: str, style: str) -> None:
        self._told.print(text, style=style, markup=False, soft_wrap=True)


def _line(books: dict[str, int | float]) -> str:
    return (
        f"read {books['read']:,} = accepted {books['accepted']:,} + rejected {books['rejected']:,}; "
        f"{books['seconds']:.1f} s, {books['per_second']:,.0f} events/s"
    )


@contextmanager
def _stopping(stop: asyncio.Event) -> Iterator[None]:
    """The first Ctrl-C asks us to stop, the second is as always."""
    loop = asyncio.get_running_loop()

    def ask() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, ask)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
