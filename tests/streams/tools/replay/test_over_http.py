"""The sender to the collector, against one that answers what a test wants."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas.event import Event, Product
from streams.settings import read_settings
from streams.tools.replay.over_http import OverHttp
from streams.tools.replay.rows import Row
from streams.tools.replay.sender import Stopped, Tally

Answer = Callable[[list[dict[str, object]]], web.Response]


class Collector:
    """Remembers what it took."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.taken, self.paths, self.keys = answer, list[dict[str, object]](), set[str](), set[str]()

    async def take(self, request: web.Request) -> web.Response:
        batch = orjson.loads(await request.read())["batch"]
        reply = self.answer(batch)
        self.paths.add(request.path)
        self.keys.add(request.headers["X-Write-Key"])
        if reply.status == 200:
            self.taken += batch
        return reply


@asynccontextmanager
async def sending(answer: Answer, tally: Tally, **settings: int) -> AsyncIterator[tuple[OverHttp, Collector]]:
    collector, app = Collector(answer), web.Application(client_max_size=2**24)
    app.router.add_post("/{tail:.*}", collector.take)
    async with TestServer(app) as server:
        sender = OverHttp(read_settings(**settings), str(server.make_url("/")), "secret-key", tally)
        try:
            yield sender, collector
        finally:
            await sender.close()


def yes(_: object) -> web.Response:
    return web.json_response({"success": True})


def row(number: int, customer: str = "ann", products: int = 1) -> Row:
    event = Event(f"m{number}", "Product Viewed", float(number), products=[Product("p")] * products)
    return Row(number, customer, event)


async def test_all_arrive_in_the_order_of_each_customer() -> None:
    tally = Tally()
    async with sending(yes, tally) as (sender, collector):
        for number in range(3_000):
            await sender.put(row(number, f"c{number % 7}"))
        await sender.finish()
    assert (tally.accepted, tally.rejected) == (3_000, 0)
    assert (collector.paths, collector.keys) == ({"/v1/import"}, {"secret-key"})
    for customer in range(7):
        ids = [int(str(one["messageId"])[1:]) for one in collector.taken if one["userId"] == f"c{customer}"]
        assert ids == list(range(customer, 3_000, 7))


async def test_an_overloaded_collector_is_asked_again() -> None:
    replies = [
        web.Response(status=503, headers={"Retry-After": "0"}),
        web.Response(status=429),
        web.Response(status=500),
    ]
    tally = Tally()
    async with sending(lambda _: replies.pop() if replies else yes(_), tally) as (sender, collector):
        await sender.put(row(1))
        await sender.finish()
    assert (tally.accepted, len(collector.taken)) == (1, 1)


async def test_a_batch_that_is_too_large_is_halved() -> None:
    tally = Tally()
    async with sending(lambda b: web.Response(status=413) if len(b) > 2 else yes(b), tally) as (sender, collector):
        for number in range(50):
            await sender.put(row(number))
        await sender.finish()
    assert tally.accepted == 50
    assert [one["messageId"] for one in collector.taken] == [f"m{number}" for number in range(50)]


async def test_what_is_refused_is_rejected_with_its_line() -> None:
    tally = Tally()
    async with sending(lambda _: web.json_response({"code": "unparsable"}, status=400), tally) as (sender, _):
        await sender.put(row(7))
        await sender.finish()
    assert (tally.rejected, tally.reasons[0].line) == (1, 7)
    assert "400" in tally.reasons[0].reason and "unparsable" in tally.reasons[0].reason


async def test_an_event_the_collector_would_not_keep_is_rejected_here() -> None:
    tally = Tally()
    async with sending(yes, tally, event_bytes=2_000) as (sender, _):
        await sender.put(row(1, products=500))
        await sender.put(row(2))
        await sender.finish()
    assert (tally.accepted, tally.rejected) == (1, 1)
    assert "KAIROS_EVENT_BYTES" in tally.reasons[0].reason


async def test_batches_keep_to_the_limits() -> None:
    sizes, tally = list[int](), Tally()

    def answer(batch: list[dict[str, object]]) -> web.Response:
        sizes.append(len(orjson.dumps({"batch": batch})))
        assert len(batch) <= 40
        return yes(batch)

    async with sending(answer, tally, batch_bytes=4_000, batch_events=40) as (sender, _):
        for number in range(400):
            await sender.put(row(number))
        await sender.finish()
    assert tally.accepted == 400 and max(sizes) <= 4_000


async def test_a_wrong_key_ends_it() -> None:
    async with sending(lambda _: web.Response(status=401), Tally()) as (sender, _):
        await sender.put(row(1))
        with pytest.raises(Stopped, match="server key"):
            await sender.finish()


async def test_a_slow_collector_slows_the_reading_and_patience_ends() -> None:
    tally = Tally()
    async with sending(lambda _: web.Response(status=503, headers={"Retry-After": "9"}), tally) as (sender, _):
        await sender.put(row(1))
        await sender.finish(patience=0.1)
    assert (tally.accepted, tally.rejected) == (0, 0)
