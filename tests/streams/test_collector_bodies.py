"""Bodies as they come, and as somebody who means harm would send them."""

import gzip
import io
import json
import zlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from streams.collector.answers import Refused
from streams.collector.body import inflate
from tests.streams.collecting import SERVER, Site, batch, site, track

BODY = json.dumps(batch(track(), track(messageId="m2"), writeKey=SERVER)).encode()


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Site]:
    async with site() as running:
        yield running


@pytest.mark.parametrize("content", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", ""])
@pytest.mark.parametrize("packed", [True, False])
async def test_labels_are_not_believed(collector: Site, content: str, encoding: str, packed: bool) -> None:
    labels = {name: v for name, v in (("Content_Type", content), ("Content_Encoding", encoding)) if v}
    status, _, _ = await collector.post("/v1/batch", gzip.compress(BODY) if packed else BODY, "", **labels)
    assert (status, len(collector.kafka.records)) == (200, 2)


@pytest.mark.parametrize("packed", [True, False])
async def test_chunked(collector: Site, packed: bool) -> None:
    body = gzip.compress(BODY) if packed else BODY
    pieces = [body[i : i + 50] for i in range(0, len(body), 50)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    head = b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (await collector.raw(head + chunks))[0] == 200
    assert len(collector.kafka.records) == 2


@pytest.mark.parametrize(
    "lie",
    [
        b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 4294967296000\r\n\r\n{}",
    ],
)
async def test_lies_about_the_length(collector: Site, lie: bytes) -> None:
    status, _, _ = await collector.raw(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\n" + lie)
    assert status in (400, 413)
    assert not collector.kafka.records


async def test_a_body_cut_short_is_nothing(collector: Site) -> None:
    head = b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nX-Write-Key: %b\r\nContent-Length: 9999\r\n\r\n" % SERVER.encode()
    with pytest.raises(EOFError):
        await collector.raw(head + BODY, end=True)
    assert not collector.kafka.records and not collector.kafka.letters
    assert (await collector.post("/v1/batch", BODY))[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b'{"batch": 5}',
        b'{"batch": [{"userId": NaN}]}',
        b'{"batch": [{"userId": Infinity}]}',
        b'{"batch": [{"userId": "\\ud800"}]}',
        b'{"batch": ' + b"[" * 100_000,
        b'{"batch": [' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"]}",
        gzip.compress(BODY)[:-9],
        gzip.compress(BODY)[:40],
        gzip.compress(BODY) + b"rest",
        gzip.compress(gzip.compress(BODY)),
        zlib.compress(BODY),
        b"\x28\xb5\x2f\xfd" + BODY,
        b"\x1f\x8b",
        gzip.compress(b"") * 17,
    ],
    ids=range(17),
)
async def test_what_cannot_be_read_is_400_and_a_dead_letter(collector: Site, body: bytes) -> None:
    status, _, answer = await collector.post("/v1/batch", body)
    assert (status, answer["code"]) == (400, "unparsable") and "Traceback" not in answer["message"]
    assert not collector.kafka.records and set(collector.kafka.reasons) <= {b"unparsable"}


async def test_of_an_unreadable_body_the_first_64_kilobytes_are_kept(collector: Site) -> None:
    body = b"{" + b"x" * 100_000
    assert (await collector.post("/v1/batch", body))[0] == 400
    assert [letter[:2] for letter in collector.kafka.letters] == [(None, body[:65_536])]


async def test_without_a_key_nothing_is_kept(collector: Site) -> None:
    assert (await collector.post("/v1/batch", b"{broken", key=""))[0] == 400
    assert not collector.kafka.letters


@pytest.mark.parametrize("value", ["1e999", "-1e999", "9007199254740993", "1" * 5_000])
async def test_numbers_nobody_can_keep(collector: Site, value: str) -> None:
    body = b'{"batch":[{"type":"track","event":"X","userId":"u","properties":{"n":%b}}]}' % value.encode()
    assert (await collector.post("/v1/batch", body))[0] == 200
    assert (collector.kafka.records, collector.kafka.reasons) == ([], [b"invalid"])


async def test_concatenated_gzip_is_gzip(collector: Site) -> None:
    body = gzip.compress(BODY[:50]) + gzip.compress(BODY[50:])
    assert (await collector.post("/v1/batch", body))[0] == 200


def bomb(size: int) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as packing:
        for _ in range(size // 1_000_000):
            packing.write(b" " * 1_000_000)
    return out.getvalue()


async def test_a_bomb_does_not_go_off(collector: Site) -> None:
    body = bomb(100_000_000)
    assert len(body) < 100_000
    for declared in ({}, {"Content_Encoding": "gzip"}):
        status, _, answer = await collector.post("/v1/batch", body, **declared)
        assert (status, answer["code"]) == (413, "oversize")


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(Refused) as caught:
        inflate(bomb(50_000_000), 1_000)
    assert caught.value.status == 413


@pytest.mark.parametrize("size", [-1, 0, 1])
def test_the_limit_is_exact(size: int) -> None:
    packed = gzip.compress(b"x" * (1_000 + size))
    if size > 0:
        with pytest.raises(Refused):
            inflate(packed, 1_000)
    else:
        assert len(inflate(packed, 1_000)) == 1_000 + size


async def test_oversize(collector: Site) -> None:
    large = track(properties={"x": "y" * 40_000})
    assert (await collector.post("/v1/batch", b" " * 512_001))[0] == 413
    assert (await collector.post("/v1/batch", b"{}" + b" " * 511_998))[0] == 400
    assert (await collector.post("/v1/track", large))[0] == 413
    assert (await collector.post("/v1/batch", batch(*[track()] * 2_501)))[0] == 413
    assert collector.kafka.reasons == [b"unparsable", b"oversize", b"oversize"]
    assert (await collector.post("/v1/batch", batch(track(), large)))[0] == 200
    assert len(collector.kafka.records) == 1 and collector.kafka.reasons[-1] == b"oversize"


async def test_oversize_chunks_are_cut_off(collector: Site) -> None:
    head = b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (await collector.raw(head + b"10000\r\n%b\r\n" % (b" " * 65_536) * 9))[0] == 413
