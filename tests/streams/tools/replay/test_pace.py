"""Times: moved so that nothing lies in the future, and events sent when they are due."""

import asyncio
import math
import time

import orjson
import pytest

from schemas.event import Event
from streams.tools.replay.pace import Pace, paced
from streams.tools.replay.rows import Bad, Call, Item, Row


def row(at: float) -> Row:
    return Row(1, "ann", Event("m", "Product Viewed", at))


def test_as_fast_as_possible_ends_now() -> None:
    pace = Pace(start=10_000.0, first=100.0, last=400.0)
    assert [pace.moved(at) for at in (100.0, 400.0)] == [9_700.0, 10_000.0]
    assert pace.due(400.0) == 0.0


@pytest.mark.parametrize("speed", [0.5, 1.0, 60.0, math.inf])
def test_no_event_happens_after_it_is_sent(speed: float) -> None:
    pace = Pace(start=10_000.0, first=100.0, last=400.0, speed=speed)
    for at in (100.0, 250.0, 400.0):
        assert pace.moved(at) <= pace.start + pace.due(at) + 1e-9
    assert pace.moved(400.0) - pace.moved(100.0) == pytest.approx(300.0)


def test_the_id_does_not_move() -> None:
    moved = Pace(start=10_000.0, first=100.0, last=400.0).move(row(100.0))
    assert isinstance(moved, Row)
    assert (moved.event.id, moved.event.time) == ("m", 9_700.0)
    assert Pace(10_000.0, 100.0, 400.0, keep_times=True).move(row(100.0)).time == 100.0


def test_a_segment_call_is_moved_without_its_skew() -> None:
    call = Call(1, "ann", 100.0, b'{"messageId":"m","timestamp":"x","sentAt":"y"}')
    moved = Pace(start=10_000.0, first=100.0, last=100.0).move(call)
    assert isinstance(moved, Call)
    assert orjson.loads(moved.body) == {"messageId": "m", "timestamp": "1970-01-01T02:46:40+00:00"}


async def test_events_are_sent_at_their_pace() -> None:
    items: list[Item] = [row(100.0), Bad(2, "bad"), row(103.0)]
    began, sent = time.monotonic(), []
    async for item in paced(items, Pace(time.time(), 100.0, 103.0, speed=10.0), asyncio.Event()):
        sent.append((type(item), round(time.monotonic() - began, 1)))
    assert sent == [(Row, 0.0), (Bad, 0.0), (Row, 0.3)]


async def test_stopping_does_not_wait_for_the_next_event() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    began = time.monotonic()
    found = [item async for item in paced([row(100.0), row(9_999.0)], Pace(0.0, 100.0, 9_999.0, speed=1.0), stop)]
    assert (len(found), time.monotonic() - began < 1.0) == (1, True)
