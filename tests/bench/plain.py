"""The least one can do with a POST: read and parse it, answer 200. What the collector is compared with.

Run as a process: `python -m tests.bench.plain PORT`.
"""

import sys

import orjson
import uvloop
from aiohttp import web

ANSWER = b'{"success": true}'


async def take(request: web.Request) -> web.Response:
    """Parse, and forget."""
    orjson.loads(await request.read())
    return web.Response(body=ANSWER, content_type="application/json")


async def ready(_: web.Request) -> web.Response:
    return web.Response()


def main() -> None:
    """Serve until a signal."""
    uvloop.install()
    app = web.Application()
    app.add_routes([web.post("/v1/batch", take), web.get("/readyz", ready)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, backlog=1024)


if __name__ == "__main__":
    main()
