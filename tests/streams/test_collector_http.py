"""What SDKs rely on: routes, keys, answers, CORS."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from streams.collector.app import CALLS
from streams.collector.keys import Keyring
from streams.settings import WriteKey
from tests.streams.collecting import BROWSER, SERVER, Site, batch, site, track

YES = {"success": True}


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Site]:
    async with site() as running:
        yield running


@pytest.mark.parametrize("path", sorted(CALLS))
async def test_each_route_of_one_call(collector: Site, path: str) -> None:
    body = track(previousId="old", type="ignored")
    status, headers, answer = await collector.post(f"/v1/{path}", body)
    assert (status, answer, headers["content-type"]) == (200, YES, "application/json")
    assert [event.id for event in collector.kafka.events] == ["m1"]


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"])
async def test_each_route_of_batches(collector: Site, path: str) -> None:
    assert (await collector.post(path, batch(track(), track(messageId="m2"))))[::2] == (200, YES)
    assert [event.id for event in collector.kafka.events] == ["m1", "m2"]


async def test_an_empty_batch_is_a_success(collector: Site) -> None:
    assert (await collector.post("/v1/batch", batch()))[0] == 200


@pytest.mark.parametrize(
    ("headers", "query", "body"),
    [
        ({"Authorization": "Basic " + base64.b64encode(f"{SERVER}:".encode()).decode()}, "", {}),
        ({"Authorization": "basic " + base64.b64encode(SERVER.encode()).decode()}, "", {}),
        ({"Authorization": "Bearer token"}, "", {"writeKey": SERVER}),
        ({"X_Write_Key": SERVER}, "", {"writeKey": "wk:***"}),
        ({}, f"?writeKey={SERVER}", {}),
        ({}, "", {"writeKey": SERVER}),
        ({}, "", {"batch": [track(writeKey=SERVER)]}),
    ],
)
async def test_the_write_key_comes_in_many_ways(
    collector: Site, headers: dict[str, str], query: str, body: dict[str, Any]
) -> None:
    assert (await collector.post("/v1/batch" + query, batch(track()) | body, "", **headers))[0] == 200
    assert collector.kafka.events[0].source == "shop"


@pytest.mark.parametrize(
    ("headers", "query", "body"),
    [
        ({}, "", {}),
        ({}, "", {"writeKey": "wrong-key-123"}),
        ({}, "", {"writeKey": None}),
        ({}, "", {"writeKey": 5}),
        ({}, "?writeKey=", {"writeKey": ""}),
        ({}, "?writeKey=wrong", {"writeKey": SERVER}),
        ({"X_Write_Key": "nö"}, "", {}),
        ({"Authorization": "Basic !!!"}, "", {}),
        ({"Authorization": "Basic " + base64.b64encode(b"server-key-12:").decode()}, "", {"writeKey": SERVER}),
        ({"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:").decode()}, "", {}),
        ({"Authorization": "Basic " + base64.b64encode(f"{SERVER}x:".encode()).decode()}, "", {}),
    ],
)
async def test_a_bad_key_is_401(collector: Site, headers: dict[str, str], query: str, body: dict[str, Any]) -> None:
    status, _, answer = await collector.post("/v1/batch" + query, batch(track()) | body, "", **headers)
    assert (status, answer["code"]) == (401, "invalid_write_key") and answer["message"]
    assert not collector.kafka.records and not collector.kafka.letters


async def test_what_a_browser_key_may_not_goes_to_the_dead_letters(collector: Site) -> None:
    events = track(), track(event="Order Completed", messageId="m2")
    assert (await collector.post("/v1/batch", batch(*events), BROWSER))[0] == 200
    assert len(collector.kafka.records) == 1
    key, raw, headers = collector.kafka.letters[0]
    assert key == b"ann" and b'"m2"' in raw
    assert dict(headers) | {"detail": b""} == {
        "reason": b"forbidden",
        "detail": b"",
        "place": b"http",
        "source": b"web",
    }


async def test_bad_events_are_kept_apart_and_counted(collector: Site) -> None:
    assert (await collector.post("/v1/batch", batch(track(), track(userId="a\nb"), 5)))[::2] == (200, YES)
    assert (len(collector.kafka.records), collector.kafka.reasons) == (1, [b"invalid", b"unparsable"])
    exposed = (await collector.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"))[2].decode()
    assert 'kairos_dead_letters_total{place="http",reason="invalid"} 1.0' in exposed
    assert 'kairos_events_received_total{source="shop",topic="clickstream"} 1.0' in exposed


async def test_the_answer_waits_for_kafka(collector: Site) -> None:
    collector.kafka.gate = asyncio.Event()
    asking = asyncio.create_task(collector.post("/v1/batch", batch(track())))
    await asyncio.sleep(0.2)
    assert not asking.done()
    collector.kafka.gate.set()
    assert (await asking)[0] == 200


async def test_kafka_away_is_503_with_retry_after(collector: Site) -> None:
    collector.kafka.trouble = "kafka: away"
    for body in (batch(track()), b"{broken"):
        status, headers, answer = await collector.post("/v1/batch", body)
        assert (status, answer["code"]) == (503, "unavailable") and int(headers["retry-after"]) >= 1


async def test_too_much_waiting_is_503() -> None:
    async with site(inflight_bytes=1_000_000) as collector:
        collector.kafka.gate = asyncio.Event()
        body = batch(track(properties={"x": "y" * 30_000}), *[track(properties={"x": "y" * 20_000})] * 20)
        asking = [asyncio.create_task(collector.post("/v1/batch", body)) for _ in range(4)]
        await asyncio.sleep(0.3)
        refused = [task.result() for task in asking if task.done()]
        assert len(refused) == 2 and all(r[0] == 503 and r[2]["code"] == "overload" for r in refused)
        collector.kafka.gate.set()
        assert sorted([(await task)[0] for task in asking]) == [200, 200, 503, 503]


async def test_a_key_that_sends_too_fast_is_429() -> None:
    async with site(rate_per_key=10) as collector:
        events = [track(messageId=str(i)) for i in range(25)]
        assert (await collector.post("/v1/batch", batch(*events)))[0] == 200
        status, headers, answer = await collector.post("/v1/batch", batch(track()))
        assert (status, answer["code"], int(headers["retry-after"])) == (429, "rate", 2)
        assert (await collector.post("/v1/batch", batch(track()), BROWSER))[0] == 200


def test_credit_comes_back_with_time() -> None:
    now = 0.0
    ring = Keyring([WriteKey(SERVER, "server", "s")], 10, lambda: now)
    key = ring.find(SERVER)
    assert key and ring.wait(key) == 0
    ring.charge(key, 30)
    assert ring.wait(key) == pytest.approx(2.1)
    now = 2.1
    assert ring.wait(key) == 0
    now = 1e6
    assert ring.wait(key) == 0 and key.credit == 10


@pytest.mark.parametrize("path", ["/v1/t", "/v1/batch", "/beacon/v1/batch"])
async def test_preflight(collector: Site, path: str) -> None:
    request = f"OPTIONS {path} HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.example\r\n"
    request += (
        "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,x-retry-count\r\n\r\n"
    )
    status, headers, _ = await collector.raw(request.encode())
    assert status == 204 and headers["access-control-allow-origin"] == "*"
    assert "POST" in headers["access-control-allow-methods"] and int(headers["access-control-max-age"]) > 0
    allowed = set(headers["access-control-allow-headers"].split(", "))
    assert allowed == {"authorization", "content-type", "x-retry-count", "x-write-key", "anonymousid", "sentat"}


async def test_every_answer_can_be_read_by_a_browser(collector: Site) -> None:
    for key in (SERVER, "wrong-key-123"):
        _, headers, _ = await collector.post("/v1/batch", batch(track()), key)
        assert headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("request_line", "status", "code"),
    [
        ("GET /v1/track", 405, "method"),
        ("PUT /v1/batch", 405, "method"),
        ("POST /v1/erase", 404, "not_found"),
        ("GET /", 404, "not_found"),
        ("OPTIONS /nowhere", 404, "not_found"),
    ],
)
async def test_what_is_not_there_is_json_too(collector: Site, request_line: str, status: int, code: str) -> None:
    found, _, answer = await collector.raw(f"{request_line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    assert (found, answer["code"]) == (status, code)


async def test_health(collector: Site) -> None:
    async def ask(path: str) -> tuple[int, Any]:
        status, _, answer = await collector.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return status, answer

    assert await ask("/livez") == (200, {"alive": True})
    assert await ask("/readyz") == (200, {"ready": True, "why": ""})
    collector.kafka.trouble = "kafka: topics missing: cart; run `kairos init`"
    assert await ask("/readyz") == (503, {"ready": False, "why": collector.kafka.trouble})
    collector.kafka.trouble, collector.kafka.ready = "", False
    assert (await ask("/readyz"))[0] == 503
    collector.kafka.ready, collector.collector.draining = True, True
    assert await ask("/readyz") == (503, {"ready": False, "why": "draining"})
    assert (await ask("/livez"))[0] == 200


async def test_sent_at_in_a_header_corrects_the_clock(collector: Site) -> None:
    await collector.post("/v1/t", track(timestamp="2020-01-01T00:00:00Z"), SentAt="2020-01-01T00:00:05Z")
    event = collector.kafka.events[0]
    assert event.received - event.time == pytest.approx(5, abs=0.001)


async def test_a_bug_is_500_and_tells_nothing(collector: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("streams.collector.intake.wire.convert", broken)
    status, _, answer = await collector.post("/v1/batch", batch(track()))
    assert (status, answer["code"]) == (500, "internal") and "secret" not in str(answer)
