"""The collector: routes, health, and the life of its process.

It listens from the start, also while Kafka is away: then it answers 503, which SDKs repeat. SIGTERM: not ready any
more, what is in flight is finished, Kafka gets what waits, exit.
"""

import asyncio
import gc
import signal
import time
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog
from aiohttp import web
from aiohttp.hdrs import EXPECT

from schemas.wire.compiled import COMPILED
from streams.collector import answers
from streams.collector.front import Server
from streams.collector.heads import Route
from streams.collector.intake import Intake
from streams.collector.keys import Keyring
from streams.collector.producer import Producer
from streams.metrics import COLLECTOR, Metrics
from streams.settings import Settings
from streams.vault import open_vault

if TYPE_CHECKING:
    from streams.vault.vault import Vault

CALLS: Final = {
    **{name: name for name in ("track", "identify", "page", "screen", "group", "alias")},
    **{name[0]: name for name in ("track", "identify", "page", "screen", "group", "alias")},
}
"""Last part of the path -> type of the call."""
BATCHES: Final = ("/v1/batch", "/v1/b", "/beacon/v1/batch")
IMPORT: Final = "/v1/import"
KEEPALIVE_SECONDS: Final = 75.0

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Collector:
    """Routes to the intake, and what watches over it."""

    def __init__(self, settings: Settings, producer: Producer, metrics: Metrics, vault: "Vault | None" = None) -> None:
        self._settings, self._producer, self._metrics = settings, producer, metrics
        keyring = Keyring(settings.keys(), settings.rate_per_key)
        self._intake = Intake(settings, keyring, producer, metrics, vault)
        self._log = structlog.get_logger()
        self.draining = False
        self._routes = self._all()

    def runner(self) -> web.ServerRunner:
        """What listens and serves: a front for the plainest requests, and behind it aiohttp without its router, which
        costs more than a look into a table. Bodies are unpacked by their bytes, within bounds, so not by aiohttp."""
        server = Server(
            self._serve,
            self._intake,
            self._plain(),
            KEEPALIVE_SECONDS,
            request_factory=self._request,
            access_log=None,
            auto_decompress=False,
        )
        return web.ServerRunner(server, shutdown_timeout=self._settings.ack_seconds + 1)

    def _plain(self) -> dict[bytes, Route]:
        """First line of a plain request -> what takes it."""
        routes = {f"/v1/{path}": (type, f"/v1/{type}", False) for path, type in CALLS.items()}
        routes |= {path: ("", "/v1/batch", False) for path in BATCHES} | {IMPORT: ("", IMPORT, True)}
        return {
            f"POST {path} HTTP/1.1".encode(): Route(
                type, historical, partial(self._metrics, "http_request_seconds", route)
            )
            for path, (type, route, historical) in routes.items()
        }

    def _all(self) -> dict[tuple[str, str], Handler]:
        """Method and path -> what answers."""
        taking = {f"/v1/{path}": self._taking(f"/v1/{type}", type) for path, type in CALLS.items()}
        taking |= {path: self._taking("/v1/batch", "") for path in BATCHES}
        taking[IMPORT] = self._taking(IMPORT, "", historical=True)
        telling = {"/livez": self._livez, "/readyz": self._readyz, "/metrics": self._expose}
        return {("POST", path): handler for path, handler in taking.items()} | {
            (method, path): handler for path, handler in telling.items() for method in ("GET", "HEAD")
        }

    def _request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        """aiohttp's own size limit guards bodies that say nothing of their length."""
        loop, most = asyncio.get_running_loop(), self._settings.batch_bytes
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=most)

    def _serve(self, request: web.BaseRequest) -> Awaitable[web.Response]:
        if EXPECT in request.headers and request.transport:
            request.transport.write(CONTINUE)
        return self._routes.get((request.method, request.path), self._other)(request)

    def _taking(self, route: str, type: str, historical: bool = False) -> Handler:
        """A handler for one kind of call. An error nobody foresaw is 500, which SDKs repeat, and a loud line."""
        take, metrics, clock = self._intake.take, self._metrics, time.perf_counter
        taken = metrics("http_request_seconds", route, "200")

        async def handle(request: web.BaseRequest) -> web.Response:
            began = clock()
            try:
                await take(request, type, historical)
                taken.observe(clock() - began)
                return answers.success()
            except answers.Refused as refused:
                metrics("requests_refused_total", refused.code).inc()
                response = answers.refusal(refused)
            except Exception:
                # As text: a log that prints local variables would print what customers did.
                self._log.error("collector: a bug", route=route, trace=traceback.format_exc(limit=-6))
                metrics("requests_refused_total", "bug").inc()
                response = answers.refusal(answers.Refused(500, "internal", "this is our fault"))
            metrics("http_request_seconds", route, str(response.status)).observe(clock() - began)
            return response

        return handle

    async def _livez(self, _: web.BaseRequest) -> web.Response:
        return _told(200, {"alive": True})

    async def _readyz(self, _: web.BaseRequest) -> web.Response:
        why = "draining" if self.draining else self._producer.trouble
        ready = not why and self._producer.ready
        return _told(200 if ready else 503, {"ready": ready, "why": why if why or ready else "kafka: no answer lately"})

    async def _expose(self, _: web.BaseRequest) -> web.Response:
        body, content_type = self._metrics.expose()
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _other(self, request: web.BaseRequest) -> web.Response:
        """Preflights; then what is not there, or not for this method."""
        known = request.path in KNOWN
        if request.method == "OPTIONS" and known:
            return answers.preflight()
        status, code = (405, "method") if known else (404, "not_found")
        return answers.refusal(answers.Refused(status, code, f"no {request.method} here" if known else "no such route"))


KNOWN: Final = frozenset((*(f"/v1/{path}" for path in CALLS), *BATCHES, IMPORT, "/livez", "/readyz", "/metrics"))


def _told(status: int, what: dict[str, object]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(what), content_type="application/json")


async def serve(settings: Settings, listening: Callable[[str], None] | None = None) -> None:
    """Run a collector until SIGTERM or SIGINT. `listening` is told the URL. Raises OSError when the port is taken."""
    metrics = Metrics(COLLECTOR)
    producer = Producer(settings, metrics)
    vault = open_vault(settings, lambda what, many: metrics("data_keys_total", what).inc(many))
    collector = Collector(settings, producer, metrics, vault if settings.encrypt else None)
    runner = collector.runner()
    stop = _stopped()
    await runner.setup()
    sending = asyncio.create_task(producer.run())
    try:
        url = await listen(runner, settings)
        structlog.get_logger().info("collector listens", url=url, wire="compiled" if COMPILED else "Python")
        if listening:
            listening(url)
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((stopping, sending), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
    finally:
        collector.draining = True
        await runner.cleanup()
        await producer.close(sending)
        if vault:
            await vault.close()


async def listen(runner: web.ServerRunner, settings: Settings) -> str:
    """Open the port and answer the URL; port 0 takes a free one."""
    await web.TCPSite(runner, settings.host, settings.port, backlog=1024).start()
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _stopped() -> asyncio.Event:
    """Set by SIGTERM or SIGINT."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
