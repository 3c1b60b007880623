"""Health and metrics of a worker over HTTP, on an address of their own: /livez, /readyz, /metrics."""

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from streams.engine.worker import Worker


async def serve_health(worker: "Worker") -> web.AppRunner:
    """Start to answer. `readyz` is 200 when every partition assigned is being served."""

    async def livez(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(_: web.Request) -> web.Response:
        told = {
            str(number): "halted: " + p.halted if p.halted and not p.ready else "ready" if p.ready else "beginning"
            for number, p in sorted(worker.partitions.items())
        }
        ready = worker.assignments > 0 and all(state == "ready" for state in told.values())
        return web.json_response({"ready": ready, "partitions": told}, status=200 if ready else 503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=worker.telemetry.expose(), content_type="text/plain", charset="utf-8")

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, worker.settings.metrics_host, worker.settings.metrics_port).start()
    return runner
