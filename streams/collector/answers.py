"""What the collector answers. SDKs resend after 429 and 503, drop the data after other 4xx, take only 200 for a yes.

Refusals are exceptions: whoever finds out raises, one place answers.
"""

import math
import random
from typing import Final

import orjson
from aiohttp import web

CORS: Final = {"Access-Control-Allow-Origin": "*"}
PREFLIGHT: Final = CORS | {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    # A star would not cover Authorization, so they are named.
    "Access-Control-Allow-Headers": "authorization, content-type, x-retry-count, x-write-key, anonymousid, sentat",
    "Access-Control-Max-Age": "86400",
}
JSON: Final = "application/json"
SUCCESS: Final = b'{"success": true}'
YES: Final = {"Content-Type": JSON, **CORS}


class Refused(Exception):
    """The request is not taken. `code` is short and stable, `message` for people; `retry`: seconds to wait."""

    def __init__(self, status: int, code: str, message: str, retry: float | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry = status, code, message, retry


def success() -> web.Response:
    """Kafka has every event."""
    return web.Response(body=SUCCESS, headers=YES)


def refusal(refused: Refused) -> web.Response:
    """The error as SDKs read it."""
    body = orjson.dumps({"code": refused.code, "message": refused.message})
    headers = {"Content-Type": JSON, "Access-Control-Expose-Headers": "retry-after", **CORS}
    if refused.retry is not None:
        headers["Retry-After"] = str(max(1, math.ceil(refused.retry)))
    return web.Response(status=refused.status, body=body, headers=headers)


def preflight() -> web.Response:
    """What browsers ask before they send."""
    return web.Response(status=204, headers=PREFLIGHT)


def unavailable(code: str, message: str) -> Refused:
    """Try again in a moment; not all in the same one."""
    return Refused(503, code, message, random.uniform(1.0, 4.0))


def oversize(message: str) -> Refused:
    """Too large to be taken, now or later."""
    return Refused(413, "oversize", message)


def unauthorized() -> Refused:
    """No key, or one we do not know."""
    return Refused(401, "invalid_write_key", "wanted a known write key")
