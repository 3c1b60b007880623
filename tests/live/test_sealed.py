"""Sealed logs on real servers: what customers do is nowhere to be read, nothing is lost, and DELETE shreds."""

import base64
import json
import secrets
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from redis.asyncio import Redis

from processors.markers import HEADERS as MARKER
from schemas.datakey import KID, decode_key
from schemas.event import ORDERED
from schemas.topics import CART, CLICKSTREAM, DEAD_LETTERS, KEYS, PARTS, POS
from streams import kafka
from streams.vault import vault_of
from tests.live.calls import Client, track
from tests.live.conftest import Rivers
from tests.live.events import added, at_the_till
from tests.live.process import until
from tests.live.proof import prove
from tests.live.river import SERVER_KEY, River
from tests.live.test_erasure import ask
from tests.live.test_identity import CARD, JACKET, PLAYBOOK, call, left

SEALED = (CLICKSTREAM, CART, POS, PARTS, DEAD_LETTERS)
SECRETS = (b"Zircon", b"jacket", b"4b227777d4dd1fc61c6f884f48641d02")
"""The product's name and id, and what the hash of an address begins with."""
ZIRCON = JACKET | {"name": "Zircon"}


def sealed(rivers: Rivers) -> River:
    masters = base64.b64encode(secrets.token_bytes(32)).decode()
    return rivers(PLAYBOOK, encrypt=True, encryption_keys=masters, ack_seconds=1.0, partitions=2)


async def said(river: River, topic: str, *customers: bytes) -> list[bytes | None]:
    """What the sealed records of these customers say to somebody who has all keys there are; None: nothing any more."""
    records = [record for record in await river.log(topic) if record.key in customers and KID in dict(record.headers)]
    async with vault_of(river.settings) as vault:
        assert vault
        return await vault.values(topic, records)


async def plain(river: River) -> list[bytes]:
    """Values of all that customers did which anybody can read."""
    records = [record for topic in SEALED for record in await river.log(topic)]
    return [r.value or b"" for r in records if KID not in dict(r.headers) and MARKER[0] not in r.headers]


async def hashes(river: River) -> dict[bytes, bytes]:
    """All that Redis knows of keys."""
    async with Redis.from_url(river.settings.redis) as client:
        found: dict[bytes, bytes] = {}
        for partition in range(river.settings.partitions):
            held: Any = await client.hgetall(f"{{{river.app}:{partition:03}}}:keys")
            found |= held
        return found


async def forget_keys(river: River) -> None:
    async with Redis.from_url(river.settings.redis) as client:
        for partition in range(river.settings.partitions):
            await client.delete(f"{{{river.app}:{partition:03}}}:keys")


async def keys_of(river: River, *customers: bytes) -> list[bytes]:
    """Names of keys of these customers that still are somewhere."""
    last = {r.key: r.value for r in await river.log(KEYS)} | await hashes(river)
    words = {name: word for name, word in last.items() if name and name.partition(b"\x00")[0] in customers and word}
    return sorted(name for name, word in words.items() if word[:1] == b"{" and decode_key(word).wrapped)


async def live(river: River, client: Client) -> None:
    """A person with a phone, an address and a card; and somebody else."""
    mail = {"externalIds": [*CARD["externalIds"], {"type": "email", "id": "4"}]}
    seen = track("", "Product Viewed", "1", **ZIRCON) | {"userId": None, "anonymousId": "phone"}
    await client.send([seen, call("identify", "2", userId="ann", anonymousId="phone", context=mail)])
    await river.rest()
    await client.send([track("ann", "Product Added", "3", cart_id="c", **ZIRCON)])
    receipt = track("", ORDERED, "4", order_id="r", total=120.0, products=[ZIRCON])
    await client.send([receipt | {"userId": None, "context": CARD}])
    await client.send([track("bob", ORDERED, "5", order_id="s", total=120.0, products=[ZIRCON])])
    await client.send([track("ann", "Product Viewed", "6", price="Zircon", product_id="jacket")])
    await river.send([at_the_till("carl", "u")])  # a producer of its own, who seals nothing
    await river.silence()


@pytest.mark.timeout(400)
async def test_sealed_logs_from_the_first_event_to_the_shredded_key(rivers: Rivers) -> None:
    river = sealed(rivers)
    await river.init()
    worker = await river.worker().ready()
    collector = await river.collector().ready()
    await river.api().ready()
    client = Client(f"http://127.0.0.1:{river.settings.port}", SERVER_KEY)
    await live(river, client)
    assert await left(river) == [("thanks", "ann"), ("thanks", "bob"), ("thanks", "carl")]
    assert len(await plain(river)) == 1, "carl's producer seals nothing"
    for topic in SEALED:
        values = [record.value or b"" for record in await river.log(topic)]
        assert not [word for word in SECRETS for value in values if word in value], topic
    assert any(b"Zircon" in (value or b"") for value in await said(river, CLICKSTREAM, b"phone"))
    (letter,) = [one for one in (await river.run("dead-letters", "list", "--json")).splitlines() if one[:1] == "{"]
    assert "Zircon" in json.loads(letter)["value"]
    await prove(river)

    # Redis forgets all keys while nobody reads: each record is opened all the same, and is there once
    await worker.kill()
    await client.send([track("bob", "Product Viewed", "7", **ZIRCON)])
    await collector.kill()
    await forget_keys(river)
    collector.start()
    worker.start()
    await collector.ready()
    await client.send([track("bob", "Product Viewed", "8", **ZIRCON), track("eve", "Product Viewed", "9", **ZIRCON)])
    await worker.ready()
    await river.rest()
    bob = (await river.customers())[b"bob"]
    assert bob.clickstream and bob.clickstream.events == 2
    assert len({dict(r.headers)[KID] for r in await river.log(CLICKSTREAM) if r.key == b"bob"}) == 2, (
        "one was forgotten"
    )
    await prove(river)

    # DELETE: every id's keys go, the person's own at once
    ann = b"ann", b"phone", b"card:4711"
    assert len(await keys_of(river, *ann)) >= 3
    status, told = await ask(river, "user/ann?why=gdpr", "DELETE")
    assert status == 202 and "card:4711" in told["ids"]
    await until(lambda: gone(river, b"ann"), "ann's keys shredded")
    await river.rest(120)
    assert await keys_of(river, *ann) == [] and len(await keys_of(river, b"bob")) == 2
    hers = {topic: await said(river, topic, *ann) for topic in SEALED}
    assert all(hers.values()) and not any(any(values) for values in hers.values())
    assert all(await said(river, CLICKSTREAM, b"bob"))
    assert "erased with its customer" in await river.run("dead-letters", "list")

    # what still comes of her is sealed for nobody, and her card is not dead
    before = await river.counts()
    await client.send([track("ann", "Product Viewed", "10", **ZIRCON)])
    await river.rest()
    assert (await river.counts())["erased:clickstream"] == before["erased:clickstream"] + 1
    assert await keys_of(river, b"ann") == []

    # the logs say the same without her keys
    facts = {key: (one.clickstream, one.cart, one.pos) for key, one in (await river.customers()).items()}
    await worker.kill()
    for partition in range(river.settings.partitions):
        await river.forget(partition)  # with all it knew of keys
    await river.run("rebuild", "--yes")
    worker.start()
    await worker.ready()
    await river.silence(120)
    again = await river.customers()
    assert again[b"ann"].erased and again[b"ann"].clickstream is None
    for key in (b"bob", b"carl", b"eve"):
        assert (again[key].clickstream, again[key].cart, again[key].pos) == facts[key]
    for key in ann[1:]:
        held = [one for one in (again[key].clickstream, again[key].cart, again[key].pos) if one and one.events]
        assert not held
    books = await river.told("books", "--json", "--settle", "30s")
    assert books["balanced"], books["differences"]
    assert await left(river) == [("thanks", "ann"), ("thanks", "bob"), ("thanks", "carl")]
    await prove(river)


async def gone(river: River, customer: bytes) -> bool:
    return not await keys_of(river, customer)


async def test_a_river_becomes_sealed_while_it_runs_and_can_be_read_when_sealing_ends(rivers: Rivers) -> None:
    """`kairos init` makes the topic that is missing; who has the keys reads what was sealed, sealing or not."""
    river = rivers(PLAYBOOK)
    await river.init()
    await river.send([added("ann", "c1", id="a")])
    masters: dict[str, Any] = {"encryption_keys": base64.b64encode(secrets.token_bytes(32)).decode()}
    river.settings = river.settings.model_copy(update=masters | {"encrypt": True})
    collector = river.collector()
    client = Client(f"http://127.0.0.1:{river.settings.port}", SERVER_KEY)
    await until(lambda: says(collector, "topics missing"), "a collector that misses its topic")
    await river.init()
    await collector.ready()
    await client.send([track("ann", "Product Added", "b", cart_id="c2", **ZIRCON)])
    await collector.kill()
    river.settings = river.settings.model_copy(update={"encrypt": False})
    await river.worker().ready()
    await river.collector().ready()
    await client.send([track("ann", "Product Added", "c", cart_id="c3", **ZIRCON)])
    await river.rest()
    assert [KID in dict(record.headers) for record in await river.log(CART)] == [False, True, False]
    ann = (await river.customers())[b"ann"]
    assert ann.cart and ann.cart.events == 3
    await prove(river)


async def says(collector: Any, word: str) -> bool:
    return word in collector.text()


@pytest.mark.parts("real")
async def test_the_topic_of_keys_is_compacted(rivers: Rivers) -> None:
    river = sealed(rivers)
    await kafka.create_topics(river.settings)
    admin = AIOKafkaAdminClient(**kafka.connect(river.settings))
    await admin.start()
    try:
        name = river.settings.topic(KEYS)
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    finally:
        await admin.close()
    entries = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    assert entries["cleanup.policy"] == "compact" and entries["max.compaction.lag.ms"] == "86400000"
