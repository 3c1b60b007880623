"""`kairos dead-letters`: what it tells, and what it sends again."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner, Result

from schemas.topics import DEAD_LETTERS, partition_of
from streams.cli import app
from streams.tools import dead_letters
from streams.vault.vault import Vault
from tests.streams.tools.test_books import FakeKafka, Logged
from tests.streams.vault.memory import House, Sealed


def letter(offset: int, place: str, reason: str, key: bytes | None, value: bytes | None) -> Logged:
    made = Logged(DEAD_LETTERS, value, None, 1, offset, 5000 + offset, key)
    made.headers = [("reason", reason.encode()), ("detail", b"wanted better"), ("place", place.encode())]
    return made


LETTERS = (
    letter(0, "cart/0/7", "invalid", b"ann", b'{"id": "a"}'),
    letter(1, "pos/1/9", "undecodable", b"bob", b"\xff{"),
    letter(2, "cart/0/7", "invalid", b"ann", b'{"id": "a"}'),
    letter(3, "http", "unparsable", None, b"[1, 2"),
    letter(4, "http", "forbidden", b"cid", b"{}"),
    letter(5, "clickstream/0/3", "keyless", None, b"{}"),
)


class Sent:
    """Kafka's producer, as far as a redrive sees it."""

    sent: ClassVar[list[tuple[str, dict[str, Any]]]] = []

    def __init__(self, **_: Any) -> None: ...

    async def start(self) -> None:
        self.sent.clear()

    async def send(self, topic: str, value: bytes, **more: Any) -> None:
        self.sent.append((topic, {"value": value} | more))

    async def flush(self) -> None: ...

    async def stop(self) -> None: ...


@pytest.fixture(autouse=True)
def house(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeKafka(monkeypatch, *LETTERS)
    monkeypatch.setattr(dead_letters, "AIOKafkaProducer", Sent)
    monkeypatch.setattr("streams.tools.here.settings_here", lambda: {"partitions": 2, "topic_prefix": "x-"})


async def run(*arguments: str, said: str = "") -> Result:
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["dead-letters", *arguments], input=said))


async def told(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await run("list", "--json", *arguments)).stdout.splitlines()]


async def test_each_record_is_listed_once() -> None:
    assert [one["place"] for one in await told()] == ["cart/0/7", "pos/1/9", "http", "http", "clickstream/0/3"]


async def test_filters() -> None:
    assert [one["place"] for one in await told("--reason", "invalid")] == ["cart/0/7"]
    assert [one["place"] for one in await told("--topic", "pos")] == ["pos/1/9"]
    assert [one["at"] for one in await told("--place", "dead-letters/1/4", "--place", "pos/1/9")] == [
        "dead-letters/1/1",
        "dead-letters/1/4",
    ]


async def test_a_line_for_machines() -> None:
    first, second, *_ = await told()
    assert first == {
        "at": "dead-letters/1/0",
        "place": "cart/0/7",
        "topic": "cart",
        "reason": "invalid",
        "detail": "wanted better",
        "time": 5.0,
        "key": "ann",
        "value": '{"id": "a"}',
    }
    assert second["value_base64"] == "/3s="


async def test_a_list_for_people() -> None:
    said = (await run("list")).stdout
    assert "cart/0/7 invalid wanted better ann" in said
    assert said.splitlines()[-1] == "invalid 1, undecodable 1, unparsable 1, forbidden 1, keyless 1"


async def test_show() -> None:
    assert 'value: {"id": "a"}' in (await run("show", "cart/0/7")).stdout
    nobody = await run("show", "cart/0/8")
    assert nobody.exit_code == 1


async def test_redrive_sends_each_once_as_it_was_to_where_it_belongs() -> None:
    result = await run("redrive", "--yes", "--json")
    assert json.loads(result.stdout) == {
        "redriven": 2,
        "left": {
            "came over HTTP and never got to a topic: mend it and post it again": 2,
            "has no key: nobody knows whose it is": 1,
        },
    }
    assert Sent.sent == [
        (
            "x-cart",
            {
                "value": b'{"id": "a"}',
                "key": b"ann",
                "partition": partition_of(b"ann", 2),
                "headers": [("redrive_of", b"cart/0/7")],
            },
        ),
        (
            "x-pos",
            {
                "value": b"\xff{",
                "key": b"bob",
                "partition": partition_of(b"bob", 2),
                "headers": [("redrive_of", b"pos/1/9")],
            },
        ),
    ]


async def test_redrive_asks_first() -> None:
    Sent.sent.clear()
    assert (await run("redrive", "--topic", "cart", said="n\n")).exit_code == 1
    assert Sent.sent == []
    assert "sent again: 1" in (await run("redrive", "--topic", "cart", said="y\n")).stdout


async def test_sealed_letters_are_opened_and_sealed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a customer who was erased meanwhile, one nobody could ever open, and two that can be read."""
    house = House(partitions=2)
    vault = house.vault()
    pens = await vault.pens([b"ann", b"bob", b"eve"])
    sealed = [
        letter(at, f"cart/0/{at}", "invalid", pen.customer, pen.seal(DEAD_LETTERS, b'{"of": "%b"}' % pen.customer))
        for at, pen in enumerate(pens.values())
    ]
    for one, pen in zip(sealed, pens.values(), strict=True):
        one.headers += pen.headers
    odd = letter(3, "pos/1/1", "unopened", b"ann", b"\x00\x01")
    odd.headers.append(("sealed", b"0123456789abcdef"))
    await vault.shred(partition_of(b"eve", 2), [b"eve"])
    FakeKafka(monkeypatch, *sealed, odd)

    @asynccontextmanager
    async def of(_: Any) -> AsyncIterator[Vault]:
        yield house.vault()

    monkeypatch.setattr(dead_letters, "vault_of", of)
    shown = {one["key"]: one for one in await told("--reason", "invalid")}
    assert shown["ann"]["value"] == '{"of": "ann"}' and shown["bob"]["value"] == '{"of": "bob"}'
    assert shown["eve"]["value"] == "" and "erased with its customer" in shown["eve"]["detail"]

    result = json.loads((await run("redrive", "--yes", "--json")).stdout)
    assert result == {"redriven": 3, "left": {"was erased with its customer": 1}}
    assert not any(b"of" in item["value"] for _, item in Sent.sent)
    again = [Sealed(item["key"], item["value"], item["headers"]) for topic, item in Sent.sent if topic == "x-cart"]
    assert sorted(v or b"" for v in await house.vault().values("cart", again)) == [b'{"of": "ann"}', b'{"of": "bob"}']
    (as_it_was,) = [item for topic, item in Sent.sent if topic == "x-pos"]
    assert as_it_was["value"] == b"\x00\x01" and ("kid", b"0123456789abcdef") in as_it_was["headers"]
