"""From HTTP to triggers on the parts that come with Python wheels: no Java, no transactions."""

import pytest

from schemas.trigger import trigger_id
from tests.live.calls import Client, track
from tests.live.conftest import Rivers
from tests.live.proof import prove
from tests.live.river import SERVER_KEY

CUSTOMERS = [f"ann{number}" for number in range(20)]


@pytest.mark.parts("embedded")
async def test_from_a_call_to_a_trigger(rivers: Rivers) -> None:
    river = rivers(linger_ms=20)
    await river.init()
    worker, collector = river.worker(), river.collector()
    await worker.ready()
    await collector.ready()
    assert worker.said("no fence"), "a relay without transactions says so"
    client = Client(collector.url, SERVER_KEY)
    cart = {"cart_id": "cart", "product_id": "boots", "price": 40}
    await client.send([track(name, "Product Added", f"add-{name}", **cart) for name in CUSTOMERS])
    await river.reaches(len(CUSTOMERS))
    await worker.kill()
    await client.send([track(name, "Product Added", f"add-{name}", **cart) for name in CUSTOMERS])  # all of it again
    bought = [track(name, "Order Completed", f"buy-{name}", order_id="o", total=40) for name in CUSTOMERS[::2]]
    await client.send([*bought, {"type": "track", "userId": "eve"}])
    await worker.start().ready()
    await river.silence()

    triggers = await prove(river)
    wanted = {trigger_id(river.app, "added", name.encode(), f"add-{name}") for name in CUSTOMERS}
    assert {trigger.id for trigger in triggers if trigger.play == "added"} == wanted
    assert {trigger.customer for trigger in triggers if trigger.play == "cart-abandoned"} == {*CUSTOMERS[1::2]}
    books = await river.told("books", "--json")
    assert books["balanced"] and books["rejected"] == 1
    assert books["topics"]["cart"]["duplicate"] == len(CUSTOMERS)
