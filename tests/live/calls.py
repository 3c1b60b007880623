"""A client of the collector that does as SDKs do: what was answered 503 or not at all is sent again."""

import asyncio
import json
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tests.live.process import PATIENCE

AGAIN = (0, 429, 500, 503)
"""Answers after which an SDK sends again; 0: none came."""
LONGEST_WAIT = 1.0


def track(customer: str, event: str, id: str, **properties: Any) -> dict[str, Any]:
    """A call of now."""
    now = datetime.now(UTC).isoformat()
    return {
        "type": "track",
        "channel": "web",
        "userId": customer,
        "event": event,
        "messageId": id,
        "timestamp": now,
        "properties": properties,
    }


class Client:
    """Sends batches until each is answered 200; `answers` counts all that came."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._basic = url + "/v1/batch", b64encode(f"{key}:".encode()).decode()
        self.answers = Counter[int]()

    async def send(self, calls: Sequence[dict[str, Any]], seconds: float = PATIENCE * 2) -> None:
        """One batch. Fails when it is not taken in time, or refused for good."""
        give_up = time.monotonic() + seconds
        while True:
            status, wait = await asyncio.to_thread(
                self._post, {"batch": calls, "sentAt": datetime.now(UTC).isoformat()}
            )
            self.answers[status] += 1
            if status == 200:
                return
            assert status in AGAIN, f"collector: wanted 200 or one to repeat after, got {status}"
            assert time.monotonic() < give_up, f"collector: wanted 200 in {seconds:g} s, got {dict(self.answers)}"
            await asyncio.sleep(min(wait, LONGEST_WAIT))

    def _post(self, body: dict[str, Any]) -> tuple[int, float]:
        """Status, and how long to wait."""
        headers = {"Authorization": f"Basic {self._basic}"}
        try:
            with urlopen(Request(self._url, json.dumps(body).encode(), headers), timeout=15) as answer:
                return answer.status, 0.0
        except HTTPError as refused:
            with refused:
                return refused.code, float(refused.headers.get("Retry-After", LONGEST_WAIT))
        except (URLError, OSError):
            return 0, LONGEST_WAIT
