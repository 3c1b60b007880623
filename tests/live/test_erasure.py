"""A customer asks to be forgotten, on real servers: over HTTP in, and gone from state, timers and outbox."""

import asyncio
import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from schemas.event import ORDERED
from schemas.identity import Link
from schemas.topics import EVENTS, PARTS
from tests.live.conftest import Rivers
from tests.live.events import added, at_the_till, happened
from tests.live.proof import prove
from tests.live.river import SERVER_KEY, River
from tests.live.test_identity import PLAYBOOK


async def ask(river: River, id: str, method: str = "GET") -> tuple[int, Any]:
    """Status and answer of the profile API."""
    url = f"http://127.0.0.1:{river.settings.api_port}/v1/customers/{id}"
    request = Request(url, method=method, headers={"X-Write-Key": SERVER_KEY})

    def call() -> tuple[int, Any]:
        try:
            with urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

    return await asyncio.to_thread(call)


async def test_a_customer_is_erased_and_stays_so(rivers: Rivers) -> None:
    river = rivers(PLAYBOOK)
    await river.init()
    worker = await river.worker().ready()
    await river.api().ready()
    await river.send([added("phone", "p"), at_the_till("card:1", "r"), at_the_till("bob", "s")])
    await river.send([happened("ann", "Customer Identified", anonymous="phone", links=[Link("card", "1")])])
    await river.rest()
    await river.send([added("ann", "c")])
    await river.rest()
    status, told = await ask(river, "anonymous/phone?parts=facts,decisions")
    assert status == 200 and told["customer"] == "ann" and told["decisions"]["waiting"]

    status, told = await ask(river, "user/ann/decisions")
    (thanks,) = told["decisions"]["sent"]
    assert status == 200 and told["reasons"][thanks["id"]]["on"] == ORDERED
    assert {check["policy"] for check in told["reasons"][thanks["id"]]["checks"]} >= {"cap", "consent"}

    status, told = await ask(river, "card/1?why=she%20asked", "DELETE")
    assert status == 202 and told["ids"] == ["ann", "card:1", "phone"]
    await river.rest()
    for id in ("user/ann", "card/1", "anonymous/phone"):
        assert (await ask(river, id))[0] == 410
    before = await river.counts()
    await river.send([added("ann", "c"), added("phone", "q"), at_the_till("card:1", "t", id="t")])
    await worker.kill()
    worker.start()
    await river.silence()
    counts = await river.counts()
    erased = {name: counts[f"erased:{name}"] - before[f"erased:{name}"] for name in EVENTS}
    assert erased["cart"] == 2 and erased["pos"] == 1
    assert sorted((t.play, t.customer) for t in await river.triggers()) == [("thanks", "bob"), ("thanks", "card:1")]
    assert counts["timer:armed"] == counts["timer:cancelled"], "the reminder's silence went with its customer"
    left = {key: customer for key, customer in (await river.customers()).items() if key != b"bob"}
    facts = [getattr(one, topic) for one in left.values() for topic in EVENTS]
    assert not [one for one in facts if one and one.events] and not any(one.decisions for one in left.values())
    assert (await ask(river, "user/bob"))[0] == 200
    books = await river.told("books", "--json", "--settle", "30s")
    assert books["balanced"], books["differences"]
    assert any(b"she asked" in (record.value or b"") for record in await river.log(PARTS))
    assert "erased" in await river.run("customer", "ann")
    await prove(river)
