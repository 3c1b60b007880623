"""A collector over a Kafka that is only pretended, for what is HTTP's alone."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from schemas.event import Event, decode_event
from schemas.wire import Record
from streams.collector.app import Collector, listen
from streams.collector.round import Letter, NotTaken
from streams.metrics import COLLECTOR, Metrics
from streams.settings import Settings
from streams.vault.cipher import Pen
from streams.vault.vault import Vault

SERVER, BROWSER = "server-key-123", "browser-key-123"
KEYS = f"server:shop:{SERVER},browser:web:{BROWSER}"


class Kafka:
    """Takes everything at once; `trouble` and `gate` make it refuse or wait."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.letters: list[Letter] = []
        self.trouble = ""
        self.ready = True
        self.gate: asyncio.Event | None = None
        self.pens: dict[bytes, Pen] | None = None
        """What the latest records are to be sealed with."""

    def put(
        self, records: Sequence[Record], letters: Sequence[Letter] = (), pens: dict[bytes, Pen] | None = None
    ) -> asyncio.Future[None]:
        if self.trouble:
            raise NotTaken(self.trouble)
        self.pens = pens
        return asyncio.ensure_future(self._take(records, letters))

    async def _take(self, records: Sequence[Record], letters: Sequence[Letter]) -> None:
        if self.gate:
            await self.gate.wait()
        self.records += records
        self.letters += letters

    @property
    def events(self) -> list[Event]:
        return [decode_event(value) for _, _, value in self.records]

    @property
    def reasons(self) -> list[bytes]:
        return [dict(headers)["reason"] for _, _, headers in self.letters]


class Site:
    """The running collector, and what to ask it with."""

    def __init__(
        self,
        url: str,
        kafka: Kafka,
        collector: Collector,
        metrics: Metrics,
        close: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self.url, self.kafka, self.collector, self.metrics, self.close = url, kafka, collector, metrics, close

    async def post(self, path: str, body: Any, key: str = SERVER, **headers: str) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of the answer. `body` is sent as it is when it is bytes."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Length": str(len(raw)), **{name.replace("_", "-"): v for name, v in headers.items()}}
        if key:
            given["Authorization"] = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        return await self.raw((head + "".join(f"{n}: {v}\r\n" for n, v in given.items()) + "\r\n").encode() + raw)

    async def raw(self, request: bytes, *, end: bool = False) -> tuple[int, dict[str, str], Any]:
        """These very bytes, and what came back. `end`: nothing more will be sent."""
        host, port = self.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(request)
            if end:
                writer.write_eof()
            async with asyncio.timeout(10):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = head.split("\r\n")
                headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines[1:]) if n}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
        finally:
            writer.close()
        is_json = headers.get("content-type") == "application/json"
        return int(lines[0].split()[1]), headers, json.loads(body) if is_json else body


@asynccontextmanager
async def site(vault: Vault | None = None, **given: Any) -> AsyncIterator[Site]:
    """A collector on a free port."""
    settings = Settings(**{"write_keys": KEYS, "port": 0, **given})
    kafka, metrics = Kafka(), Metrics(COLLECTOR)
    collector = Collector(settings, kafka, metrics, vault)  # type: ignore[arg-type]
    runner = collector.runner()
    await runner.setup()
    try:
        yield Site(await listen(runner, settings), kafka, collector, metrics, runner.cleanup)
    finally:
        await runner.cleanup()


def track(**fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "userId": "ann", "messageId": "m1", **fields}


def batch(*events: Any, **root: Any) -> dict[str, Any]:
    return {"batch": list(events), **root}
