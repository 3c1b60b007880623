"""What connections do that SDKs never say: many requests behind each other, half a request, other forms of one."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime

import pytest
import pytest_asyncio

from tests.streams.collecting import SERVER, Site, batch, site, track

BODY = json.dumps(batch(track(), writeKey=SERVER)).encode()
Ask = Callable[[], Awaitable[tuple[int, dict[str, str], bytes]]]


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Site]:
    async with site() as running:
        yield running


def post(body: bytes = BODY, *lines: str, path: str = "/v1/batch") -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


@asynccontextmanager
async def connected(site: Site) -> AsyncIterator[tuple[asyncio.StreamWriter, Ask, asyncio.StreamReader]]:
    """A connection, and what reads one answer of it."""
    address, port = site.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(address, int(port))

    async def read() -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(10):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines[1:]) if n}
            return int(lines[0].split()[1]), headers, await reader.readexactly(int(headers.get("content-length", 0)))

    try:
        yield writer, read, reader
    finally:
        writer.close()


async def ended(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(5):
        return await reader.read() == b""


async def test_one_connection_takes_many_requests(collector: Site) -> None:
    async with connected(collector) as (writer, read, _):
        for _ in range(3):
            writer.write(post())
            status, headers, body = await read()
            assert (status, json.loads(body)) == (200, {"success": True}) and "connection" not in headers
            assert parsedate_to_datetime(headers["date"])
    assert len(collector.kafka.records) == 3


@pytest.mark.parametrize("step", [1, 7, 100])
async def test_a_request_in_pieces(collector: Site, step: int) -> None:
    request = post(gzip.compress(BODY), f"X-Write-Key: {SERVER}") * 2
    async with connected(collector) as (writer, read, _):
        for start in range(0, len(request), step):
            writer.write(request[start : start + step])
            await asyncio.sleep(0)
        assert [(await read())[0], (await read())[0]] == [200, 200]
    assert len(collector.kafka.records) == 2


async def test_requests_behind_each_other_are_answered_in_order(collector: Site) -> None:
    """The first waits for Kafka, so the others do too, whatever their answer needs."""
    collector.kafka.gate = asyncio.Event()
    asked = [
        post(),
        b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
        post(b"{"),
        post(path="/nowhere"),
        post(json.dumps(batch(*[track()] * 2_501, writeKey=SERVER)).encode()),
        post(),
    ]
    async with connected(collector) as (writer, read, reader):
        writer.write(b"".join(asked))
        await asyncio.sleep(0.1)
        assert not reader._buffer  # type: ignore[attr-defined]
        collector.kafka.gate.set()
        assert [(await read())[0] for _ in asked] == [200, 200, 400, 404, 413, 200]
    assert len(collector.kafka.records) == 2


async def test_a_thousand_requests_in_one_piece(collector: Site) -> None:
    async with connected(collector) as (writer, read, _):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 1_000 + post())
        assert {(await read())[0] for _ in range(1_001)} == {200}


async def test_an_early_refusal_leaves_the_connection_usable(collector: Site) -> None:
    """The key is looked at before the body; what then comes of the body is thrown away."""
    request = post(b" " * 300_000, "X-Write-Key: wrong-key-123")
    async with connected(collector) as (writer, read, _):
        writer.write(request[:1_000])
        assert (await read())[0] == 401
        writer.write(request[1_000:] + post())
        assert (await read())[0] == 200


async def test_continue_is_said_to_who_waits_for_it(collector: Site) -> None:
    request = post(BODY, "Expect: 100-continue", f"X-Write-Key: {SERVER}")
    async with connected(collector) as (writer, read, reader):
        writer.write(request[: -len(BODY)])
        async with asyncio.timeout(5):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(BODY)
        assert (await read())[0] == 200


async def test_an_offer_of_http_2_is_declined(collector: Site) -> None:
    offer = post(BODY, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    async with connected(collector) as (writer, read, _):
        writer.write(offer)
        assert (await read())[0] == 200


async def test_head_is_get_without_the_body(collector: Site) -> None:
    async with connected(collector) as (writer, _, reader):
        writer.write(b"HEAD /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(5):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\n")


async def test_a_percent_sign_or_a_whole_url_name_the_same_route(collector: Site) -> None:
    for path in ("/v1/%62atch", "http://shop.example/v1/batch", "/v1/batch?x=1#y"):
        async with connected(collector) as (writer, read, _):
            writer.write(post(path=path))
            assert (await read())[0] == 200


async def test_what_is_given_up_gives_its_room_back(collector: Site) -> None:
    """Senders that go away in the middle must not use up the budget for ever."""
    for _ in range(200):
        async with connected(collector) as (writer, _, _):
            writer.write(post()[:-1])
            await writer.drain()
    await asyncio.sleep(0.1)
    exposed = (await collector.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"))[2].decode()
    assert "kairos_inflight_bytes 0.0" in exposed
