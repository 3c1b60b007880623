"""The profile API over a store in memory: who may ask, what is answered, and that its document tells the truth."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from schemas.customer import Sent, decode_customer
from schemas.event import ADDED, PRODUCT_VIEWED
from schemas.identity import ERASED, Link
from schemas.topics import EVENTS, PARTS, TRIGGERS
from schemas.trigger import Why, decode_trigger
from schemas.turn import Message
from streams import kafka
from streams.api import erasure
from streams.api.app import Api
from streams.api.document import document
from streams.metrics import API, Metrics
from streams.settings import Settings
from streams.state.memory import Content, MemoryStore
from streams.state.store import Unavailable
from tests.processors.builders import Logged, added, decider, ordered, play, viewed
from tests.processors.estate import Estate
from tests.processors.test_identity import log_in, settled

SERVER, BROWSER = "server-key-123", "browser-key-123"
ANN = "/v1/customers/user/ann"


class Desk:
    """An API, the state it reads, and what it put into the logs."""

    def __init__(self, estate: Estate) -> None:
        self.estate, self.store = estate, MemoryStore()
        keys = f"server:crm:{SERVER},browser:web:{BROWSER}"
        given: dict[str, Any] = {"partitions": estate.partitions, "write_keys": keys}
        self.settings = Settings(**given)
        self.put: list[Message] = []
        self.api = Api(self.settings, self.store, Metrics(API))
        self.client: Any = None
        self.show()

    def show(self, facts: bytes = b"") -> None:
        """The store holds what the estate came to. `facts`: the families it keeps; empty: it does not say."""
        meta = {"token": b""} | ({"facts": facts} if facts else {})
        for number, kept in enumerate(self.estate.kept):
            self.store.slot(number).restore(Content(dict(meta), dict(kept.customers)))

    async def ask(self, path: str, wanted: int = 200, method: str = "GET", key: str = SERVER) -> Any:
        headers = {"X-Write-Key": key} if key else {}
        async with self.client.request(method, path, headers=headers) as answer:
            told = await answer.json()
            assert answer.status == wanted, told
            check(method, path, answer.status, told)
            return told

    async def send(self, _: Settings, messages: list[Message]) -> None:
        self.put += messages

    async def of(self, ids: list[str], sent: list[Sent]) -> dict[str, Why]:
        """What a log would tell."""
        left = [decode_trigger(message.value or b"") for message in self.estate.left if message.topic == TRIGGERS]
        wanted = {one.id for one in sent}
        return {one.id: one.why for one in left if one.customer in ids and one.id in wanted and one.why}


def check(method: str, path: str, status: int, told: Any) -> None:
    """The answer is what the document says."""
    described = document()
    _, _, rest = path.partition("?")[0].partition("/v1/customers/")
    route = "/v1/customers/{kind}/{id}" + "".join(f"/{word}" for word in rest.split("/")[2:])
    schema = described["paths"][route][method.lower()]["responses"][str(status)]["content"]["application/json"]
    Draft202012Validator({**schema["schema"], "components": described["components"]}).validate(told)


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """Ann with a phone and a card; two triggers, one refusal, one silence."""
    now = play("now", on=[PRODUCT_VIEWED], channels=["web"])
    later = play("later", on=[ADDED], after="45m", channels=["web"])
    cap: dict[str, Any] = {"policies": {"caps": [{"per": "customer", "most": 1, "within": "1h"}]}}
    fold = decider(now, later, occurrence={"now": lambda view: view.event.id}, **cap)
    records: list[Logged] = [
        log_in("ann", "x", Link("card", "1"), at=1),
        viewed("x", "boots", at=2),
        viewed("ann", "hat", at=3),
        added("ann", "boots", at=4),
        ordered("card:1", "scarf", at=5, till=True),
    ]
    made = Desk(settled(*records, world=Estate(fold)))
    monkeypatch.setattr(erasure, "send", made.send)
    monkeypatch.setattr(made.api, "_reasons", made)
    made.client = TestClient(TestServer(made.api.app()))
    await made.client.start_server()
    yield made
    await made.client.close()


def test_the_document_is_openapi_and_names_every_shape() -> None:
    told = json.loads(json.dumps(document()))
    validate(told)
    assert told["openapi"].startswith("3.1")
    assert {"Profile", "Timeline", "Asked", "Problem", "ClickFacts"} <= told["components"]["schemas"].keys()


async def test_the_document_is_served_and_needs_no_key(desk: Desk) -> None:
    async with desk.client.get("/openapi.json") as answer:
        assert await answer.json() == json.loads(json.dumps(document()))


async def test_what_is_not_kept_is_said(desk: Desk) -> None:
    assert "not_kept" not in await desk.ask(f"{ANN}?parts=view") and (await desk.ask(f"{ANN}/timeline"))["kept"]
    fold = decider(kept=frozenset({"likes"}))
    desk.estate = settled(viewed("ann", "hat", at=3), added("ann", "boots", at=4), world=Estate(fold))
    desk.api._playbooks._looked = float("-inf")
    desk.show(b"likes")
    told = await desk.ask(f"{ANN}?parts=facts,view,decisions")
    assert told["not_kept"] == ["windows", "timeline", "habits", "viewed"]
    assert "minutes" not in told["facts"]["clickstream"] and "likes" in told["facts"]["clickstream"]
    assert told["view"]["events"]["ever"] == 2 and told["view"]["events"]["week"] == 0
    assert await desk.ask(f"{ANN}/timeline") == {"customer": "ann", "touches": [], "kept": False}


@pytest.mark.parametrize("id", ["user/ann", "anonymous/x", "card/1"])
async def test_whichever_id_is_asked_for_it_is_one_person(desk: Desk, id: str) -> None:
    told = await desk.ask(f"/v1/customers/{id}?parts=facts")
    assert (told["customer"], told["ids"]) == ("ann", ["card:1", "x"])
    assert sorted(one[0] for one in told["facts"]["clickstream"]["viewed"]) == ["boots", "hat"]
    assert told["facts"]["pos"]["tills"] == 1
    assert not told["facts"]["cart"].get("seen") and "next" not in told["facts"]["cart"]


async def test_only_the_parts_asked_for(desk: Desk) -> None:
    assert (await desk.ask(ANN)).keys() == {"customer", "ids"}
    assert (await desk.ask(ANN + "?parts=view,decisions")).keys() == {"customer", "ids", "view", "decisions"}
    view = (await desk.ask(ANN + "?parts=view"))["view"]
    assert (view["cart"]["items"][0]["id"], view["orders"]["receipts"]) == ("boots", 1)
    assert (await desk.ask(ANN + "?parts=facts,secrets", 400))["code"] == "parts"


async def test_decisions_say_what_was_sent_refused_and_waits(desk: Desk) -> None:
    answer = await desk.ask(ANN + "/decisions")
    told = answer["decisions"]
    assert [one["play"] for one in told["sent"]] == ["now"]
    assert answer["reasons"][told["sent"][0]["id"]]["on"] == PRODUCT_VIEWED
    assert [(one["play"], one["reason"]) for one in told["refused"]] == [("now", "cap")]
    assert list(told["waiting"]) == ["later"] and "cap" in told["remembered"]["sent"]


async def test_the_timeline_is_newest_first(desk: Desk) -> None:
    touches = (await desk.ask(ANN + "/timeline"))["touches"]
    assert [touch["name"] for touch in touches[:2]] == ["Order Completed", "Product Added"]
    assert [touch["time"] for touch in touches] == sorted((t["time"] for t in touches), reverse=True)
    assert len((await desk.ask(ANN + "/timeline?most=1"))["touches"]) == 1
    for most in ("0", "101", "x", "-1"):
        await desk.ask(ANN + f"/timeline?most={most}", 400)


@pytest.mark.parametrize(("key", "status"), [("", 401), ("a-wrong-key-1", 401), (BROWSER, 403)])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_only_a_server_key_may_ask(desk: Desk, method: str, key: str, status: int) -> None:
    await desk.ask(ANN + "?why=x", status, method, key)
    assert not desk.put


async def test_a_key_in_the_address_is_no_key(desk: Desk) -> None:
    await desk.ask(f"{ANN}?writeKey={SERVER}", 401, key="")


async def test_who_is_not_there(desk: Desk) -> None:
    assert (await desk.ask("/v1/customers/user/nobody", 404))["code"] == "unknown"
    assert (await desk.ask("/v1/customers/shoe/ann", 400))["code"] == "kind"
    assert (await desk.ask("/v1/customers/user/" + "x" * 129, 400))["code"] == "id"
    assert (await desk.ask("/v1/customers/user/a%00b", 400))["code"] == "id"


async def test_addresses_are_asked_for_by_their_hash(desk: Desk) -> None:
    settled(log_in("ann", "", Link("email", "a" * 64), at=9), world=desk.estate)
    settled(viewed(f"email:{'a' * 64}", "tent", at=9), world=desk.estate)
    desk.show()
    assert (await desk.ask(f"/v1/customers/email/{'a' * 64}"))["customer"] == "ann"
    assert (await desk.ask("/v1/customers/email/ann@example.com", 404))["code"] == "unknown"


async def test_an_erasure_goes_into_the_logs_and_then_it_is_gone(desk: Desk) -> None:
    told = await desk.ask("/v1/customers/anonymous/x?why=she%20asked&by=pat", 202, "DELETE")
    assert (told["customer"], told["ids"]) == ("ann", ["ann", "card:1", "x"])
    assert (told["by"], told["why"]) == ("crm: pat", "she asked")
    assert {(m.topic, m.key) for m in desk.put} == {(t, k) for t in (*EVENTS, PARTS) for k in (b"ann", b"x")}
    assert all(ERASED.encode() in (m.value or b"") for m in desk.put if m.topic in EVENTS)
    await desk.ask(ANN)  # nobody has read it yet
    desk.estate.send(desk.put)
    desk.estate.settle()
    desk.show()
    for id in ("user/ann", "anonymous/x", "card/1"):
        assert (await desk.ask(f"/v1/customers/{id}?parts=facts", 410))["code"] == "erased"
        await desk.ask(f"/v1/customers/{id}?why=again", 410, "DELETE")
    erased = decode_customer(desk.estate.kept[desk.estate.place(b"ann")].customers[b"ann"]).erased
    assert erased and (erased.by, erased.why) == ("crm: pat", "she asked")


async def test_an_erasure_needs_a_reason(desk: Desk) -> None:
    for query in ("", "?why=", "?why=" + "x" * 513, "?why=x&by=" + "x" * 65):
        assert (await desk.ask(ANN + query, 400, "DELETE"))["code"] == "why"
    assert not desk.put


async def test_away_is_503_with_retry_after(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any) -> None:
        raise kafka.Unavailable("kafka: away")

    monkeypatch.setattr(erasure, "send", away)
    assert (await desk.ask(ANN + "?why=x", 503, "DELETE"))["code"] == "unavailable"

    def gone(_: int) -> Any:
        raise Unavailable("redis: away")

    monkeypatch.setattr(desk.store, "slot", gone)
    async with desk.client.get(ANN, headers={"X-Write-Key": SERVER}) as answer:
        assert answer.status == 503 and answer.headers["Retry-After"] == "2"


async def test_a_bug_tells_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> Any:
        raise RuntimeError("a secret")

    monkeypatch.setattr(desk.store, "slot", broken)
    async with desk.client.get(ANN, headers={"X-Write-Key": SERVER}) as answer:
        assert answer.status == 500 and "secret" not in await answer.text()


async def test_no_such_route(desk: Desk) -> None:
    async with desk.client.post(ANN, headers={"X-Write-Key": SERVER}) as answer:
        assert answer.status == 404 and (await answer.json())["code"] == "not_found"
