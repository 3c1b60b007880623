"""A TCP door between a worker and its servers: it passes, holds (the line is there and says nothing), or is shut."""

import asyncio
from contextlib import suppress
from typing import Self


class Proxy:
    """Passes what comes to `port` on to `target`, a port of this machine."""

    def __init__(self, port: int, target: int) -> None:
        self.port, self.target = port, target
        self.trip: tuple[bytes, ...] = ()
        """Hold from the first request that has all of these in it; it is not passed on."""
        self.tripped = asyncio.Event()
        self.cuts = 0
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shut()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, reader, writer)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)

    def hold(self) -> None:
        """Pass nothing on; lose nothing."""
        self.cuts += 1
        self._open.clear()

    def heal(self) -> None:
        """Pass on again, what was held first. Where the server has gone meanwhile it is told to its next one."""
        self.trip = ()
        self._open.set()

    async def shut(self) -> None:
        """Break all lines and refuse new ones."""
        self.cuts += 1
        if self._server:
            self._server.close()
            self._server = None
        await self.drop()

    async def drop(self) -> None:
        """Break all lines."""
        for link in list(self._links):
            link.stop()
        await asyncio.sleep(0)

    async def reopen(self, target: int = 0) -> None:
        """Listen again, perhaps to another server."""
        self.target = target or self.target
        self._open.set()
        if self._server is None:
            await self._listen()

    async def passing(self, data: bytes) -> None:
        """Wait until `data` may go on."""
        if self.trip and all(word in data for word in self.trip):
            self.trip = ()
            self.hold()
            self.tripped.set()
        await self._open.wait()

    @property
    def held(self) -> bool:
        return not self._open.is_set()


class _Link:
    """One line of a client."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy, self._reader, self._writer = proxy, reader, writer
        self._upstream: asyncio.StreamWriter | None = None
        self._down: asyncio.Task[None] | None = None
        self._task = asyncio.current_task()

    def stop(self) -> None:
        if self._task:
            self._task.cancel()

    async def run(self) -> None:
        try:
            await self._connect()
            while data := await self._reader.read(1 << 20):
                await self._proxy.passing(data)
                if self._upstream is None:
                    await self._connect()
                assert self._upstream
                self._upstream.write(data)
                await self._upstream.drain()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            if self._down:
                self._down.cancel()
            for writer in (self._upstream, self._writer):
                if writer:
                    writer.transport.abort()

    async def _connect(self) -> None:
        reader, self._upstream = await asyncio.open_connection("127.0.0.1", self._proxy.target)
        self._down = asyncio.create_task(self._pass_down(reader))

    async def _pass_down(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 20):
                await self._proxy.passing(b"")
                self._writer.write(data)
                await self._writer.drain()
        if self._upstream:
            self._upstream.transport.abort()
            self._upstream = None
        if not self._proxy.held:  # else the client shall not know before it heals
            self._writer.transport.abort()
