"""One connection to Redis that is held for long: calls go out as they come, answers come back in their order.

How it works. redis-py opens the connection: name, TLS, login, database. Its transport is then given another protocol,
this one. A call through redis-py's pool costs twice the CPU and more: for taking a connection out and putting it back,
for time limits around each read and write, and for what it tells about itself.

Nobody is asked twice from here. When the connection ends, or the eldest call has waited too long, all calls under way
fail, whoever asks next opens it anew, and `Server` asks again. A caller who goes away leaves his place: the answer
still comes, and is dropped. Touched inside of redis-py 8.1 is `_writer`; tests fail when an upgrade moves it.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any

import hiredis
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError, InvalidResponse, TimeoutError

MORE = object()
"""What hiredis says when an answer is not whole yet."""


class Wire(asyncio.Protocol):
    """A connection that is open; afterwards it is closed for ever."""

    def __init__(self, transport: Any, timeout: float) -> None:
        self.open = True
        self._transport, self._timeout = transport, timeout
        self._before = transport.get_protocol()
        self._loop = asyncio.get_running_loop()
        self._replies = hiredis.Reader(
            protocolError=InvalidResponse, replyError=BaseParser.parse_error, notEnoughData=MORE
        )
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        """Calls without an answer, eldest first, and when each was sent."""
        self._looking: asyncio.TimerHandle | None = None
        transport.set_protocol(self)

    def call(self, command: tuple[Any, ...]) -> "asyncio.Future[Any]":
        """Send a command. The future raises redis-py's errors."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._transport.write(hiredis.pack_command(command))
        self._waiting.append((future, self._loop.time()))
        if self._looking is None:
            self._looking = self._loop.call_later(self._timeout, self._look)
        return future

    def end(self, why: Exception) -> None:
        """Close it; calls under way raise `why`."""
        self.open = False
        if self._looking:
            self._looking.cancel()
        self._transport.abort()
        while self._waiting:
            self._answer(why)

    def data_received(self, data: bytes) -> None:
        """Answers, or a piece of one."""
        try:
            self._replies.feed(data)
            while self._waiting and (reply := self._replies.gets()) is not MORE:
                self._answer(reply)
        except Exception as broken:
            self.end(broken)

    def connection_lost(self, exc: Exception | None) -> None:
        """Told also to redis-py's own protocol, by which it waits for the end of a connection."""
        self.end(ConnectionError("the connection was closed"))
        self._before.connection_lost(exc)

    def _answer(self, reply: Any) -> None:
        future, _ = self._waiting.popleft()
        if future.done():
            return  # who asked is gone
        if isinstance(reply, Exception):
            future.set_exception(reply)
        else:
            future.set_result(reply)

    def _look(self) -> None:
        """Is the eldest too old? One timer for all calls: it looks again when the eldest of now will be."""
        self._looking = None
        if not self._waiting:
            return
        left = self._waiting[0][1] + self._timeout - self._loop.time()
        if left > 0:
            self._looking = self._loop.call_later(left, self._look)
        else:
            self.end(TimeoutError(f"no answer in {self._timeout:g} s"))


class Line:
    """A wire, and another one when it ended. `pool`: redis-py's, of which a connection is made."""

    def __init__(self, pool: Any, timeout: float) -> None:
        self._pool, self._timeout = pool, timeout
        self._connection: Any = None
        self._wire: Wire | None = None
        self._opening: asyncio.Task[Wire] | None = None

    async def ask(self, command: tuple[Any, ...]) -> Any:
        """The answer. Raises redis-py's errors."""
        wire = self._wire
        if wire is None or not wire.open:
            wire = await self._open()
        return await wire.call(command)

    def hang_up(self) -> None:
        """Open it anew before the next call: its name may lead elsewhere by now."""
        if self._wire:
            self._wire.end(ConnectionError("the connection was closed"))

    async def close(self) -> None:
        if self._opening:
            self._opening.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._opening
        self.hang_up()
        if self._connection:
            await self._connection.disconnect()

    async def _open(self) -> Wire:
        """One task opens it for all who ask meanwhile, also when the first of them goes away."""
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._connect())
        wire = await asyncio.shield(self._opening)
        if not wire.open:
            raise ConnectionError("the connection was closed")
        return wire

    async def _connect(self) -> Wire:
        if self._connection is None:
            self._connection = self._pool.make_connection()
        await self._connection.disconnect(nowait=True)
        await self._connection.connect()
        transport = self._connection._writer.transport
        if transport.is_closing():  # its end was told to redis-py's protocol, and will not be to ours
            raise ConnectionError("the connection was closed")
        self._wire = Wire(transport, self._timeout)
        return self._wire
