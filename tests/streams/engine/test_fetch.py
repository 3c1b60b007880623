"""When a broker is asked."""

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import cycle, pairwise
from typing import Any

import pytest
from aiokafka.consumer import fetcher

from streams.engine.fetch import Fetcher


class Request:
    """A fetch of nothing."""

    topics = ()


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Asks brokers one after another, each when the one before has answered, and says when they were asked. `brings`:
    whether there are records in the answers."""
    monkeypatch.setattr("streams.engine.fetch.Fetching", Request)

    async def ask(pause: float, brings: Sequence[bool], nodes: Sequence[int] = (1,)) -> list[float]:
        asked = []

        async def answer(self: Any, assignment: Any, node_id: int, request: Any) -> bool:
            asked.append(time.monotonic())
            return brings[len(asked) - 1]

        monkeypatch.setattr(fetcher.Fetcher, "_proc_fetch_request", answer)
        ours: Any = Fetcher.__new__(Fetcher)  # aiokafka's own beginning would want a client
        ours.pause, ours.answered, ours.ends, ours.names = pause, {}, {}, {}
        for node, brought in zip(cycle(nodes), brings, strict=False):
            assert await ours._proc_fetch_request(None, node, Request()) is brought
        return asked

    return ask


async def test_after_records_a_broker_has_a_pause(ask: Any) -> None:
    asked = await ask(0.1, [True, True, True, False])
    assert all(later - earlier > 0.09 for earlier, later in pairwise(asked))


async def test_after_a_rest_nothing_waits(ask: Any) -> None:
    """An idle system answers at once."""
    asked = await ask(60.0, [False, False, False, True])
    assert asked[-1] - asked[0] < 30


async def test_other_brokers_do_not_wait(ask: Any) -> None:
    asked = await ask(60.0, [True, True, True], nodes=[1, 2, 3])
    assert asked[-1] - asked[0] < 30


async def test_who_is_not_wanted_any_more_leaves_the_pause(ask: Any) -> None:
    asking = asyncio.create_task(ask(60.0, [True, False]))
    await asyncio.sleep(0.05)
    asking.cancel()
    assert len(await asyncio.wait_for(asking, 30)) == 1
