"""Connections as most of them are: one whole POST after another, each answered 200. All else is aiohttp's.

How it works. What comes over a new connection is looked at here first. Is it a whole request of the plainest form, with
a key we know and nothing but good events, it is put to Kafka there and then, and answered when Kafka has it: without a
task, a request and a response for it. At the first request that is anything else, before anything of it was done, the
connection goes to aiohttp with all bytes that are not answered yet, for good. So here nothing is ever refused but what
Kafka does not acknowledge, and what HTTP allows is nobody's worry here: a form that is not known is not plain.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Final

from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE

from streams.collector import answers
from streams.collector.heads import Heads, Route
from streams.collector.intake import Begun, Intake

HEAD_MOST: Final = 8_190
"""Bytes of a head; aiohttp takes as many a line."""
HELD_MOST: Final = 65_536
"""Bytes that may wait for their rest, or for the answer to those before them. What is larger is aiohttp's."""
WHOLE_SECONDS: Final = 1.0
"""How long a request may take to be whole, until it is aiohttp's."""
END: Final = b"\r\n\r\n"
SIZE: Final = re.compile(rb"\r\ncontent-length: ?([1-9][0-9]{0,8})(?=\r\n|\Z)", re.IGNORECASE)
"""The line of a head that tells the length of the body."""


class Server(web.Server):
    """aiohttp's, behind the fronts of connections. `routes`: the first line of a request -> what takes it."""

    def __init__(
        self, handler: Any, intake: Intake, routes: Mapping[bytes, Route], keepalive: float, **given: Any
    ) -> None:
        super().__init__(handler, keepalive_timeout=keepalive, **given)
        self.intake, self.heads, self.keepalive = intake, Heads(routes), keepalive
        self.fronts: set[Front] = set()

    def __call__(self) -> Any:
        """A connection's protocol."""
        return Front(self)

    def behind(self) -> web.RequestHandler:
        """What serves a connection that is not plain."""
        return super().__call__()

    def pre_shutdown(self) -> None:
        """Who waits for nothing goes."""
        for front in [*self.fronts]:
            front.end()
        super().pre_shutdown()

    async def shutdown(self, timeout: float | None = None) -> None:
        """Answer what is in flight."""
        await asyncio.gather(self._fronts_gone(timeout), super().shutdown(timeout))

    async def _fronts_gone(self, timeout: float | None) -> None:
        waiting = [front.gone for front in self.fronts]
        if waiting:
            await asyncio.wait(waiting, timeout=timeout)
        for front in [*self.fronts]:
            front.cut()


class Front(asyncio.Protocol):
    """One connection, until it is aiohttp's."""

    __slots__ = (
        "_begun",
        "_closing",
        "_full",
        "_held",
        "_idle",
        "_loop",
        "_rest",
        "_server",
        "_since",
        "_transport",
        "gone",
    )

    def __init__(self, server: Server) -> None:
        self._server, self._loop = server, asyncio.get_running_loop()
        self._transport: Any = None
        self._held = b""
        """Bytes of requests that have not begun."""
        self._begun: tuple[Begun, Route, float] | None = None
        """What is on its way to Kafka."""
        self._since = 0.0
        """When it was of use last."""
        self._idle: asyncio.TimerHandle | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._closing = self._full = False
        self.gone: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._since = transport, self._loop.time()
        self._server.fronts.add(self)
        self._idle = self._loop.call_later(self._server.keepalive, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def data_received(self, data: bytes) -> None:
        self._held = self._held + data if self._held else data
        if self._begun is None and not self._full:
            self._next()
        elif len(self._held) > HELD_MOST:
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """What is not whole yet will never be: aiohttp says so."""
        if self._held and self._begun is None:
            self._hand_over().eof_received()

    def pause_writing(self) -> None:
        """The sender does not read its answers: nothing more is taken of it."""
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._begun is None:
            self._go_on()

    # -- one request after another

    def _next(self) -> None:
        """Begin the next request, or wait for its rest, or give all to aiohttp."""
        began, held, intake = time.perf_counter(), self._held, self._server.intake
        end = held.find(END, 0, HEAD_MOST)
        sized = SIZE.search(held, 0, end) if end > 0 else None
        head = self._server.heads[held[: sized.start()] + held[sized.end() : end]] if sized else None
        begun = None
        if head and sized:
            start, whole = end + len(END), end + len(END) + int(sized[1])
            if len(held) < whole <= HELD_MOST and intake.may(head.secret):
                self._rest = self._rest or self._loop.call_later(WHOLE_SECONDS, self._hand_over)
                return
            if len(held) >= whole:
                route = head.route
                begun = intake.begin(head.secret, head.sent, held[start:whole], route.type, route.historical)
        if head is None or begun is None:
            self._hand_over()
            return
        if self._rest:
            self._rest.cancel()
            self._rest = None
        self._held, self._begun = held[whole:], (begun, head.route, began)
        begun.future.add_done_callback(self._done)

    def _done(self, future: "asyncio.Future[None]") -> None:
        """Kafka has it, or not: answer, and go on."""
        assert self._begun
        (begun, route, began), self._begun = self._begun, None
        fault = self._server.intake.end(begun)
        answer = yes(int(time.time())) if fault is None else no(fault)
        route.seconds(str(fault.status) if fault else "200").observe(time.perf_counter() - began)
        if self._transport is None:
            return
        self._transport.write(answer)
        self._since = self._loop.time()
        if self._closing:
            self._transport.close()
        elif not self._full:
            self._go_on()

    def _go_on(self) -> None:
        if self._held:
            if len(self._held) > HELD_MOST:
                self._transport.resume_reading()
            self._next()

    def _look(self) -> None:
        """Whether the connection has been of no use for too long."""
        spare = self._since + self._server.keepalive - self._loop.time()
        if spare <= 0 and self._begun is None:
            self._transport.close()
        else:
            self._idle = self._loop.call_later(max(spare, 1.0), self._look)

    def _hand_over(self) -> Any:
        """The connection to aiohttp, with what is not answered."""
        transport, held = self._transport, self._held
        self._leave()
        if len(held) > HELD_MOST:
            transport.resume_reading()
        behind = self._server.behind()
        transport.set_protocol(behind)
        behind.connection_made(transport)
        behind.data_received(held)
        return behind

    # -- the end

    def end(self) -> None:
        """Go as soon as what is in flight is answered."""
        self._closing = True
        if self._begun is None:
            self._hand_over() if self._held else self._transport.close()

    def cut(self) -> None:
        """Go now."""
        self._transport.abort()

    def _leave(self) -> None:
        self._server.fronts.discard(self)
        self._transport, self._held = None, b""
        for timer in filter(None, (self._idle, self._rest)):
            timer.cancel()
        if not self.gone.done():
            self.gone.set_result(None)


@lru_cache(1)
def yes(second: int) -> bytes:
    """Kafka has every event, at this second."""
    return _told("200 OK", answers.YES, answers.SUCCESS, second)


def no(refused: answers.Refused) -> bytes:
    """Kafka has not."""
    answer = answers.refusal(refused)
    assert isinstance(answer.body, bytes)
    return _told(f"{answer.status} {answer.reason}", answer.headers, answer.body, int(time.time()))


def _told(status: str, headers: Mapping[str, str], body: bytes, second: int) -> bytes:
    own = {"Content-Length": str(len(body)), "Date": formatdate(second, usegmt=True), "Server": SERVER_SOFTWARE}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in {**headers, **own}.items())]
    return "\r\n".join(lines).encode() + END + body
