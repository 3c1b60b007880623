"""The collector, where what it takes in leaves sealed."""

from tests.streams.collecting import batch, site, track
from tests.streams.vault.memory import House


async def test_each_customer_has_a_key_before_anything_is_sent() -> None:
    house = House()
    async with site(house.vault()) as collector:
        bad = track(userId="eve", messageId="m3", event=7)
        assert (await collector.post("/v1/batch", batch(track(), track(userId="bob", messageId="m2"), bad)))[0] == 200
        assert collector.kafka.pens and set(collector.kafka.pens) == {b"ann", b"bob", b"eve"}
    assert house.counts["made"] == len(house.ledger.words[0]) == 3


async def test_without_a_key_it_is_503_and_nothing_is_sent() -> None:
    house = House()
    house.ledger.away = True
    async with site(house.vault()) as collector:
        status, headers, answer = await collector.post("/v1/track", track())
        assert (status, answer["code"]) == (503, "unavailable") and int(headers["retry-after"]) >= 1
        assert not collector.kafka.records
        house.ledger.away = False
        assert (await collector.post("/v1/track", track()))[0] == 200


async def test_no_key_is_made_while_kafka_is_away() -> None:
    house = House()
    async with site(house.vault()) as collector:
        collector.kafka.trouble = "kafka: away"
        assert (await collector.post("/v1/track", track()))[0] == 503
    assert not house.ledger.words


async def test_a_redis_that_is_away_costs_a_key_and_no_event() -> None:
    house = House()
    house.shelf.away = True
    async with site(house.vault()) as collector:
        assert (await collector.post("/v1/track", track()))[0] == 200
        assert collector.kafka.pens and len(collector.kafka.records) == 1
