"""To the collector's `/v1/import`, which keeps old times for a server key.

How it works. Customers are dealt to lanes; a lane has one request under way, so the order of each customer holds. What
waits in a lane becomes its next batch: batches grow by themselves when the collector is slower than the file. A lane
has little room, so a slow collector slows the reading.
"""

import asyncio
import random
from collections.abc import Awaitable, Sequence
from zlib import crc32

import aiohttp
from msgspec import Struct

from streams.settings import Settings
from streams.tools.replay.calls import call
from streams.tools.replay.rows import Bad, Call, Row
from streams.tools.replay.sender import Stopped, Tally

LANES = 8
ROOM = 500
"""Events waiting in a lane."""
PATIENCE = 60.0
"""Seconds without any answer before we give up."""
LONGEST_PAUSE = 5.0


class Waiting(Struct):
    """A call on its way."""

    line: int
    body: bytes


class OverHttp:
    """A sender; see the protocol."""

    def __init__(self, settings: Settings, url: str, key: str, tally: Tally) -> None:
        self._settings, self._tally = settings, tally
        self._base = url.rstrip("/")
        self._url = self._base + "/v1/import"
        self._session = aiohttp.ClientSession(headers={"X-Write-Key": key})
        self._lanes: list[asyncio.Queue[Waiting]] = [asyncio.Queue(ROOM) for _ in range(LANES)]
        self._tasks = [asyncio.create_task(self._serve(lane)) for lane in self._lanes]

    async def greet(self) -> None:
        """Is anybody there? Later silence is waited out, but a wrong address shall be told at once. Raises Stopped."""
        try:
            async with self._session.get(self._base + "/livez"):
                pass
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise Stopped(f"http: wanted a collector at {self._base}; got {exc}") from exc

    async def put(self, item: Row | Call) -> None:
        body = item.body if isinstance(item, Call) else call(item)
        if len(body) > self._settings.event_bytes:
            wanted = f"wanted at most {self._settings.event_bytes} (KAIROS_EVENT_BYTES)"
            return self._tally.reject(Bad(item.line, f"an event of {len(body)} bytes; {wanted}"))
        lane = self._lanes[crc32(item.customer.encode()) % LANES]
        if lane.full() or any(task.done() for task in self._tasks):
            return await self._or_fail(lane.put(Waiting(item.line, body)))
        lane.put_nowait(Waiting(item.line, body))

    async def finish(self, patience: float | None = None) -> None:
        all_answered = asyncio.gather(*(lane.join() for lane in self._lanes))
        try:
            await asyncio.wait_for(self._or_fail(all_answered), patience)
        except TimeoutError:
            return

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    async def _or_fail(self, waiting: Awaitable[object]) -> None:
        """Wait for something the lanes will do, unless one of them failed."""
        wanted = asyncio.ensure_future(waiting)
        try:
            await asyncio.wait([wanted, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in self._tasks:
                if task.done():
                    task.result()
        finally:
            if not wanted.done():
                wanted.cancel()

    async def _serve(self, lane: "asyncio.Queue[Waiting]") -> None:
        """One lane: take what waits, send it, for ever."""
        kept: Waiting | None = None
        while True:
            batch, size = [kept or await lane.get()], 0
            kept, size = None, len(batch[0].body)
            while not lane.empty() and len(batch) < self._settings.batch_events:
                one = lane.get_nowait()
                size += len(one.body) + 1
                if size > self._settings.batch_bytes - 100:
                    kept = one
                    break
                batch.append(one)
            await self._post(batch)
            for _ in batch:
                lane.task_done()

    async def _post(self, batch: Sequence[Waiting]) -> None:
        """Until the collector gave a definite answer."""
        data = b'{"batch":[' + b",".join(one.body for one in batch) + b"]}"
        pause, give_up = 0.1, asyncio.get_running_loop().time() + PATIENCE
        while True:
            status, text, after = await self._ask(data)
            if status == 200:
                self._tally.accepted += len(batch)
                return
            if status not in (0, 429) and status < 500:
                return await self._refused(batch, status, text)
            if asyncio.get_running_loop().time() > give_up:
                raise Stopped(
                    f"http: wanted 200 from {self._url}; got {status or 'no answer'} {text} for {PATIENCE:g} s"
                )
            await asyncio.sleep(after or pause * random.uniform(0.5, 1.0))
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _ask(self, data: bytes) -> tuple[int, str, float]:
        """Status (0: no answer), what was said, seconds to wait."""
        try:
            async with self._session.post(self._url, data=data) as reply:
                after = reply.headers.get("Retry-After", "")
                return reply.status, (await reply.text())[:300], float(after) if after.isdigit() else 0.0
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            return 0, str(exc), 0.0

    async def _refused(self, batch: Sequence[Waiting], status: int, text: str) -> None:
        """Too large: halve it. A wrong key: nothing will ever pass. Else these events are rejected."""
        if status in (401, 403):
            raise Stopped(f"http: wanted a server key that {self._url} knows; got {status} {text}")
        if status == 413 and len(batch) > 1:
            middle = len(batch) // 2
            await self._post(batch[:middle])
            return await self._post(batch[middle:])
        for one in batch:
            self._tally.reject(Bad(one.line, f"the collector answered {status} {text}"))
