"""The API's process: routes, keys, and one place that answers what goes wrong."""

import asyncio
import gc
import signal
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import structlog
from aiohttp import web

from schemas.identity import KINDS, key_of
from schemas.wire.links import hashed
from streams import kafka
from streams.api import erasure, reading
from streams.api.document import MOST, ROUTES, WHY_MOST, document
from streams.api.reasons import Reasons
from streams.api.shapes import Decisions, Problem
from streams.collector.keys import Key, Keyring, named_key
from streams.metrics import API, Metrics
from streams.settings import Settings
from streams.state import open_store
from streams.state.people import Person, follow
from streams.state.store import Store, Unavailable, Unfit

PATIENCE: Final = 2.0
"""Seconds to wait for Redis before 503."""
RETRY: Final = "2"
JSON: Final = "application/json"
Answer = tuple[int, Any]
Work = Callable[[web.Request, Key], Awaitable[Answer]]


class Wrong(Exception):
    """There is no answer. `code` is short and stable, `message` for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.problem = status, Problem(code, message)


class Api:
    """Routes, and what they share."""

    def __init__(self, settings: Settings, store: Store, metrics: Metrics) -> None:
        self._settings, self._store, self._metrics = settings, store, metrics
        self._keyring = Keyring(settings.keys(), 0)
        self._playbooks = reading.Playbooks(store, settings.playbook_seconds)
        self._reasons = Reasons(settings)
        self._document = msgspec.json.encode(document())
        self._log = structlog.get_logger()

    def app(self) -> web.Application:
        app = web.Application()
        works = {"profile": self.profile, "timeline": self.timeline, "decisions": self.decisions, "erase": self.erase}
        for route in ROUTES:
            app.router.add_route(route.method.upper(), route.path, self._answering(route.name, works[route.name]))
        app.add_routes([web.get("/openapi.json", self._describe), web.get("/livez", self._livez)])
        app.add_routes([web.get("/readyz", self._readyz), web.get("/metrics", self._expose)])
        app.router.add_route("*", "/{tail:.*}", self._other)
        return app

    async def close(self) -> None:
        await self._reasons.close()

    # -- what is asked

    async def profile(self, request: web.Request, _: Key) -> Answer:
        parts = [part for part in request.query.get("parts", "").split(",") if part]
        if unknown := [part for part in parts if part not in reading.PARTS]:
            raise Wrong(400, "parts", f"wanted parts of {', '.join(reading.PARTS)}; got {', '.join(unknown)}"[:200])
        person = await self._person(request)
        return 200, reading.profile(person, parts, *await self._playbooks.current())

    async def timeline(self, request: web.Request, _: Key) -> Answer:
        most = most_of(request)
        person, (_playbook, kept) = await self._person(request), await self._playbooks.current()
        return 200, reading.timeline(person, most, kept)

    async def decisions(self, request: web.Request, _: Key) -> Answer:
        most = most_of(request)
        person = await self._person(request)
        decided = reading.decided(person)
        ids = [person.id, *reading.known(person.customer, person.path)]
        reasons = await self._reasons.of(ids, decided.sent[:most])
        return 200, Decisions(person.id, decided, reasons)

    async def erase(self, request: web.Request, key: Key) -> Answer:
        why, by = request.query.get("why", ""), request.query.get("by", "")
        if not 1 <= len(why) <= WHY_MOST or len(by) > 64:
            raise Wrong(400, "why", f"wanted why=, the reason, in 1 to {WHY_MOST} characters, and by= in at most 64")
        person = await self._person(request)
        asked = await erasure.erase(self._settings, person, f"{key.source}: {by}" if by else key.source, why)
        self._metrics("erasures_total").inc()
        self._log.info("erasure asked for", request=asked.request, by=asked.by)
        return 202, asked

    async def _person(self, request: web.Request) -> Person:
        """Whom the path names."""
        kind, value = request.match_info["kind"], request.match_info["id"]
        if kind not in KINDS:
            raise Wrong(400, "kind", f"wanted a kind of {', '.join(KINDS)}; got {kind[:40]}")
        value = hashed(kind, value) if kind in ("email", "phone") else value
        key = key_of(kind, value)
        if not value or not key.isprintable() or len(key.encode("utf-8", "surrogatepass")) > 128:
            raise Wrong(400, "id", "wanted an id of 1 to 128 bytes without control characters")
        person = await follow(self._store, self._settings.partitions, key)
        if person is None:
            raise Wrong(404, "unknown", "nothing was ever heard of this id")
        if person.erased:
            raise Wrong(410, "erased", "this customer was erased")
        return person

    # -- how it is answered

    def _answering(self, name: str, work: Work) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            began = time.perf_counter()
            try:
                status, told = await work(request, self._allowed(request))
            except Wrong as wrong:
                status, told = wrong.status, wrong.problem
            except (Unavailable, Unfit, kafka.Unavailable) as away:
                self._log.warning("api: no answer", why=str(away))
                status, told = 503, Problem("unavailable", "the store or the log gives no answer; ask again")
            except Exception:
                self._log.error("api: a bug", route=name, trace=traceback.format_exc(limit=-6))
                status, told = 500, Problem("internal", "this is our fault")
            self._metrics("api_request_seconds", name, str(status)).observe(time.perf_counter() - began)
            return answer(status, told)

        return handle

    def _allowed(self, request: web.Request) -> Key:
        """Only a server key reads customers. Not from the query: URLs are logged."""
        secret = named_key(request.headers, {})
        key = self._keyring.find(secret) if secret else None
        if key is None:
            raise Wrong(401, "key", "wanted a known server key, as Basic user name or X-Write-Key")
        if not key.server:
            raise Wrong(403, "forbidden", "wanted a server key, got one of a browser")
        return key

    async def _describe(self, _: web.Request) -> web.Response:
        return web.Response(body=self._document, content_type=JSON)

    async def _livez(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _readyz(self, _: web.Request) -> web.Response:
        try:
            await self._store.current()
        except (Unavailable, Unfit) as away:
            return web.json_response({"ready": False, "why": str(away)}, status=503)
        return web.json_response({"ready": True})

    async def _expose(self, _: web.Request) -> web.Response:
        body, content_type = self._metrics.expose()
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _other(self, request: web.Request) -> web.Response:
        return answer(404, Problem("not_found", "no such route; /openapi.json has them all"))


def most_of(request: web.Request) -> int:
    """How many, as asked for. Raises Wrong."""
    said = request.query.get("most", str(MOST))
    most = int(said) if said.isascii() and said.isdigit() and len(said) < 4 else 0
    if not 1 <= most <= MOST:
        raise Wrong(400, "most", f"wanted a number from 1 to {MOST}, got {said[:20]}")
    return most


def answer(status: int, told: Any) -> web.Response:
    """What a customer did is nobody's to keep on the way."""
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": RETRY} if status == 503 else {})
    return web.Response(status=status, body=msgspec.json.encode(told), content_type=JSON, headers=headers)


async def serve(settings: Settings) -> None:
    """Answer until SIGTERM or SIGINT. Raises OSError when the port is taken."""
    store, stop = open_store(settings, PATIENCE), asyncio.Event()
    api = Api(settings, store, Metrics(API))
    runner = web.AppRunner(api.app(), access_log=None)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.api_host, settings.api_port).start()
        gc.collect()  # pauses are few when what stays for good is not looked at
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        structlog.get_logger().info("api listens", address=runner.addresses[0][:2])
        await stop.wait()
    finally:
        await runner.cleanup()
        await api.close()
        await store.close()
