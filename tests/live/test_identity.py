"""One person, many ids, on real servers.

A jacket is looked at on the phone, put into the cart at the laptop after a login, and bought at the till by a card."""

from typing import Any

import pytest

from schemas.codes import KEY_OF
from schemas.event import ORDERED, PRODUCT_VIEWED
from schemas.identity import Link
from schemas.topics import CART, CLICKSTREAM, PARTS, POS
from tests.live.calls import Client, track
from tests.live.conftest import Rivers
from tests.live.events import added, at_the_till, happened
from tests.live.proof import prove
from tests.live.river import SERVER_KEY, River

PLAYBOOK = """
policies:
  consent: {unknown: allow}
plays:
  - id: cart-abandoned
    on: [Product Added]
    after: 6s
    unless: [Order Completed]
    when: cart.open
    occurrence: cart.id
    channels: [web, email]
    expires: 6h
  - id: thanks
    on: [Order Completed]
    occurrence: event.order
    channels: [web, email]
    expires: 6h
"""
JACKET = {"product_id": "jacket", "name": "Jacket", "price": 120.0, "quantity": 1}
CARD = {"externalIds": [{"type": "card", "id": "4711"}]}


def call(type: str, id: str, **fields: Any) -> dict[str, Any]:
    return track("", "", id) | {"userId": None, "type": type} | fields


async def left(river: River) -> list[tuple[str, str]]:
    return sorted((trigger.play, trigger.customer) for trigger in await river.triggers())


async def test_the_jacket(rivers: Rivers) -> None:
    river = rivers(PLAYBOOK)
    await river.init()
    await river.worker().ready()
    await river.collector().ready()
    client = Client(f"http://127.0.0.1:{river.settings.port}", SERVER_KEY)
    seen = track("", PRODUCT_VIEWED, "1", **JACKET) | {"userId": None, "anonymousId": "phone"}
    await client.send([seen, call("identify", "2", userId="ann", anonymousId="phone", context=CARD)])
    await river.rest()
    await client.send([call("identify", "3", userId="ann", anonymousId="laptop")])
    await client.send([track("ann", "Product Added", "4", cart_id="c", **JACKET)])
    receipt = track("", ORDERED, "5", order_id="r", total=120.0, products=[JACKET])
    await client.send([receipt | {"userId": None, "channel": "store", "context": CARD}])
    await river.silence()

    assert await left(river) == [("thanks", "ann")], "one thanks, and no word of a cart"
    for id in ("ann", "phone", "card:4711"):
        person = await river.told("customer", id, "--json")
        assert (person["id"], person["ids"]) == ("ann", ["card:4711", "phone"])
        facts = person["facts"]
        assert [product for product, *_ in facts[CLICKSTREAM]["viewed"]] == ["jacket"]
        assert (facts[CART]["events"], facts[POS]["tills"], facts[POS]["spent"]) == (1, 1, 120_000_000)
    books = await river.told("books", "--json", "--settle", "30s")
    assert books["balanced"] and books["accepted"] == 5
    await prove(river)


async def test_a_link_that_comes_after_the_receipt_ends_the_silence(rivers: Rivers) -> None:
    river = rivers(PLAYBOOK)
    await river.init()
    await river.worker().ready()
    await river.send([added("ann", "c"), added("phone", "p"), at_the_till("card:1", "r")])
    await river.reaches(3)
    await river.send([happened("ann", "Customer Identified", anonymous="phone", links=[Link("card", "1")])])
    await river.silence()
    assert await left(river) == [("thanks", "card:1")], "the card said thanks; both carts were paid for"
    counts = await river.counts()
    assert counts["timer:armed"] == counts["timer:cancelled"] and counts["timer:fired"] == 0
    await prove(river)


@pytest.mark.parts("embedded")
async def test_a_link_is_taken_back(rivers: Rivers) -> None:
    river = rivers(PLAYBOOK)
    await river.init()
    await river.worker().ready()
    await river.send([at_the_till("card:1", "r"), happened("ann", "Customer Identified", links=[Link("card", "1")])])
    await river.rest()
    assert (await river.told("customer", "card:1", "--json"))["id"] == "ann"
    assert "wanted a link" in await river.run("customer", "split", "card:1", "bob", "--why", "x", code=1)
    await river.run("customer", "split", "card:1", "ann", "--why", "lent to a friend")
    await river.rest()
    ann, card = [await river.told("customer", id, "--json") for id in ("ann", "card:1")]
    assert POS not in ann["facts"] and (card["id"], card["facts"][POS]["orders"]) == ("card:1", 1)
    assert any(b"lent to a friend" in (record.value or b"") for record in await river.log(PARTS))
    await prove(river)


@pytest.mark.parts("real")
async def test_a_worker_killed_between_link_and_part_loses_nothing(rivers: Rivers) -> None:
    river = rivers(PLAYBOOK, turn_records=3)
    await river.init()
    worker = await river.worker().ready()
    people = [f"u{n}" for n in range(40)]
    await river.send(happened(f"x{who}", PRODUCT_VIEWED, id=f"v{who}") for who in people)
    await river.send(happened(who, "Customer Identified", anonymous=f"x{who}") for who in people)
    for number in range(4):
        await river.reaches(60 + 60 * number)
        await worker.kill()
        await river.send(happened(f"x{who}", PRODUCT_VIEWED, id=f"w{number}{who}") for who in people)
        worker.start()
    await river.rest()
    for who in people[::8]:
        person = await river.told("customer", f"x{who}", "--json")
        assert (person["id"], person["facts"][CLICKSTREAM]["did"][KEY_OF[PRODUCT_VIEWED]][0]) == (who, 5)
    await prove(river)
