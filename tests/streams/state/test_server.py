"""A call to Redis, and what its client does to it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from streams.state.server import Server


async def late(started: asyncio.Event) -> bytes:
    """What `wait_for` of Python 3.11 does when the answer and the cancellation meet."""
    started.set()
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        return b"answer"
    raise AssertionError


async def broken(started: asyncio.Event) -> bytes:
    """A line that breaks just when its caller goes."""
    if started.is_set():
        return b"answer"
    started.set()
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        raise ConnectionError("closed") from None
    raise AssertionError


@pytest.mark.parametrize("answer", [late, broken])
async def test_a_cancellation_the_client_loses_is_not_lost(answer: Callable[[asyncio.Event], Awaitable[bytes]]) -> None:
    server, started = Server("redis://127.0.0.1:1/0", 1.0), asyncio.Event()
    client: Any = server._client
    client.execute_command = lambda *_: answer(started)
    call = asyncio.create_task(server.ask("k", "GET", "k"))
    await started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await server.close()


async def test_a_task_that_was_cancelled_before_may_still_ask() -> None:
    server = Server("redis://127.0.0.1:1/0", 1.0)
    client: Any = server._client

    async def answer(*_: object) -> bytes:
        return b"answer"

    client.execute_command = answer

    async def clean_up() -> bytes:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            found: bytes = await server.ask("k", "GET", "k")
            return found
        raise AssertionError

    call = asyncio.create_task(clean_up())
    await asyncio.sleep(0)
    call.cancel()
    assert await call == b"answer"
    await server.close()
