"""Plain requests never reach aiohttp, and nobody can tell; all else does."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from streams.collector import app, front, heads
from streams.collector.round import NotTaken
from tests.streams.collecting import BROWSER, SERVER, Site, batch, site, track
from tests.streams.test_collector_connections import connected, ended, post

ROUTES: dict[bytes, Any] = {b"POST /v1/batch HTTP/1.1": "batch"}
PLAIN = json.dumps(batch(track(), track(messageId="m2"), sentAt="2026-11-22T14:00:00Z")).encode()
KEY = f"X-Write-Key: {SERVER}"


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Site]:
    async with site() as running:
        yield running


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is behind the front."""
    monkeypatch.setattr(front.Server, "behind", None)


@pytest.mark.parametrize(
    "line",
    [
        "Transfer-Encoding: chunked",
        "Content-Length: 5",
        "content-length:5",
        "Expect: 100-continue",
        "Connection: close",
        "Connection: keep-alive, Upgrade",
        "Upgrade: h2c",
        "Host: y",
        "X-Write-Key: a\r\nx-write-key: b",
        "X-Folded: a\r\n b",
        "X-Control: a\x01",
        "X-Bare: a\nb",
        "X-Bare: a\rb",
        "X-Wide: é",
        "No colon",
        "Space : a",
        ": a",
    ],
)
def test_heads_that_are_not_plain(line: str) -> None:
    assert heads.read_lines(f"POST /v1/batch HTTP/1.1\r\nHost: x\r\n{line}".encode(), ROUTES) is None


@pytest.mark.parametrize(
    "first",
    [
        "GET /v1/batch HTTP/1.1",
        "POST /v1/batch HTTP/1.0",
        "POST /v1/batch?writeKey=k HTTP/1.1",
        "POST  /v1/batch HTTP/1.1",
        "post /v1/batch HTTP/1.1",
        "",
    ],
)
def test_requests_that_are_not_plain(first: str) -> None:
    assert heads.read_lines(f"{first}\r\nHost: x".encode(), ROUTES) is None
    assert heads.read_lines(first.encode(), ROUTES) is None


def test_a_plain_head() -> None:
    lines = "POST /v1/batch HTTP/1.1\r\nHost: x\r\nauthorization: Basic azo=\r\nConnection: Keep-Alive\r\nSentAt:  s "
    head = heads.read_lines(lines.encode(), ROUTES)
    assert head and (head.secret, head.sent) == ("k", "s")


def test_heads_are_forgotten_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEADS_MOST", 10)
    known = heads.Heads(ROUTES)
    for number in range(25):
        assert known[b"POST /v1/batch HTTP/1.1\r\nHost: %d" % number]
        assert len(known) <= 10


BODIES = [
    PLAIN,
    gzip.compress(PLAIN),
    json.dumps(batch(track(), writeKey=BROWSER)).encode(),
    b'{"batch": []}',
    json.dumps(batch(track(), track(userId="a\nb"))).encode(),
    b"{",
    gzip.compress(PLAIN)[:-9],
    json.dumps(batch(*[track()] * 2_501)).encode(),
    b"x" * 500_001,
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("lines", [[KEY], [], ["X-Write-Key: wrong-key-123"], [KEY, "SentAt: 2026-11-22T14:00:00Z"]])
async def test_nobody_can_tell(body: bytes, lines: list[str]) -> None:
    """The same request as it is, and so that it is aiohttp's."""
    told = []
    for more in ([], ["TE: trailers"]):
        async with site() as collector, connected(collector) as (writer, read, _):
            writer.write(post(body, *lines, *more))
            status, headers, answer = await read()
            exposed = (await collector.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"))[2].decode().splitlines()
        for header in ("date", "retry-after"):
            headers.pop(header, None)
        ours = [line for line in exposed if line.startswith("kairos") and "_created" not in line]
        counted = sorted(line for line in ours if "_seconds_" not in line or "_seconds_count" in line)
        told.append((status, headers, answer, counted, len(collector.kafka.records), collector.kafka.letters))
    assert told[0] == told[1]


async def test_plain_requests_need_nobody_behind(alone: None, collector: Site) -> None:
    async with connected(collector) as (writer, read, _):
        for body in BODIES[:3]:
            writer.write(post(body, *([] if b"writeKey" in body else [KEY])))
            assert (await read())[0] == 200
        for path in ("/v1/track", "/v1/t", "/v1/page"):
            writer.write(post(json.dumps(track()).encode(), KEY, path=path))
            assert (await read())[0] == 200
    assert [event.id for event in collector.kafka.events] == ["m1", "m2", "m1", "m2", "m1", "m1", "m1", "m1"]


async def test_the_rest_of_a_request_may_come_later(alone: None, collector: Site) -> None:
    request = post(PLAIN, KEY)
    async with connected(collector) as (writer, read, _):
        for cut in (len(request) - len(PLAIN), len(request) - 1):
            writer.write(request[:cut])
            await asyncio.sleep(0.02)
            writer.write(request[cut:])
            assert (await read())[0] == 200


async def test_what_is_slow_to_be_whole_is_watched_by_aiohttp(collector: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "WHOLE_SECONDS", 0.05)
    monkeypatch.setattr("streams.collector.body.READ_SECONDS", 0.05)
    async with connected(collector) as (writer, read, _):
        writer.write(post(PLAIN, KEY)[:-1])
        assert (await read())[0] == 408


async def test_half_a_request_and_an_end(collector: Site) -> None:
    async with connected(collector) as (writer, _, reader):
        writer.write(post(PLAIN, KEY)[:-1])
        writer.write_eof()
        assert await ended(reader)
    assert not collector.kafka.records


async def test_requests_wait_for_the_one_before(alone: None, collector: Site) -> None:
    """However many; none is lost where reading had to stop."""
    collector.kafka.gate = asyncio.Event()
    body = json.dumps(batch(track(properties={"x": "y" * 8_000}))).encode()
    async with connected(collector) as (writer, read, reader):
        writer.write(post(body, KEY) * 100)
        await asyncio.sleep(0.1)
        assert not reader._buffer  # type: ignore[attr-defined]
        collector.kafka.gate.set()
        assert [(await read())[0] for _ in range(100)] == [200] * 100
    assert len(collector.kafka.records) == 100


async def test_what_kafka_does_not_take_is_503(alone: None, collector: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(records: Any, letters: Any) -> None:
        raise NotTaken("kafka: slow")

    monkeypatch.setattr(collector.kafka, "_take", refuse)
    async with connected(collector) as (writer, read, _):
        writer.write(post(PLAIN, KEY) * 2)
        for _ in range(2):
            status, headers, body = await read()
            assert (status, json.loads(body)) == (503, {"code": "unavailable", "message": "kafka: slow"})
            assert 1 <= int(headers["retry-after"]) <= 4 and headers["access-control-allow-origin"] == "*"
    exposed = collector.metrics.expose()[0].decode()
    assert 'requests_refused_total{reason="unavailable"} 2.0' in exposed and "inflight_bytes 0.0" in exposed
    assert 'http_request_seconds_count{code="503",route="/v1/batch"} 2.0' in exposed


async def test_a_connection_of_no_use_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "KEEPALIVE_SECONDS", 0.1)
    async with site() as collector:
        async with connected(collector) as (_, _, reader):
            assert await ended(reader)
        async with connected(collector) as (writer, read, reader):
            writer.write(post(PLAIN, KEY))
            assert (await read())[0] == 200
            assert await ended(reader)


@pytest.mark.parametrize("more", [[], ["TE: trailers"]])
async def test_who_waits_is_answered_before_the_end(more: list[str]) -> None:
    async with site() as collector:
        gate = collector.kafka.gate = asyncio.Event()
        async with connected(collector) as (writer, read, reader), connected(collector) as (_, _, idle):
            writer.write(post(PLAIN, KEY, *more))
            await asyncio.sleep(0.05)
            closing = asyncio.create_task(collector.close())
            assert await ended(idle)
            assert not reader._buffer and not closing.done()  # type: ignore[attr-defined]
            gate.set()
            assert (await read())[0] == 200
            await closing
            assert await ended(reader)


async def test_who_has_gone_gives_the_room_back(collector: Site) -> None:
    collector.kafka.gate = asyncio.Event()
    async with connected(collector) as (writer, _, _):
        writer.write(post(PLAIN, KEY))
        await asyncio.sleep(0.05)
    collector.kafka.gate.set()
    await asyncio.sleep(0.05)
    assert len(collector.kafka.records) == 2
    assert "kairos_inflight_bytes 0.0" in collector.metrics.expose()[0].decode()
