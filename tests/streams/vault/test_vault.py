"""Data keys from their making to their end, with several processes, and a topic and a hash that come and go."""

import asyncio
import secrets

import pytest

from processors.turn import Record
from schemas.datakey import GONE, decode_key, kid_of
from schemas.topics import CART, CLICKSTREAM
from streams.kafka import Unavailable
from streams.vault import NoKey
from streams.vault.cipher import Pen
from streams.vault.vault import Vault
from tests.streams.vault.memory import House, Sealed, sealed

ANN, BOB = b"ann", b"bob"


async def opened(vault: Vault, records: list[Record], topic: str = CART) -> list[bytes | None]:
    (read,) = await vault.read([(topic, records)])
    assert not read.odd
    return [record.value for record in read.plain]


async def lost(vault: Vault, records: list[Record]) -> int:
    """How many are passed over; the others can be opened."""
    (read,) = await vault.read([(CART, records)])
    assert len(read.plain) + len(read.lost) == len(records)
    return len(read.lost)


async def test_what_one_seals_another_opens_and_nobody_sees() -> None:
    house = House()
    records = await sealed(house.vault(), CART, ANN, b"boots", b"boots")
    assert await opened(house.vault(), records) == [b"boots", b"boots"]
    assert not any(b"boots" in (record.value or b"") for record in records)
    assert records[0].value != records[1].value, "each has a nonce of its own"


async def test_what_was_never_sealed_stays_as_it_is() -> None:
    plain = [Sealed(ANN, b"boots"), Sealed(ANN, b"marker", [("kairos", b"marker")])]
    (read,) = await House().vault().read([(CART, plain)])
    assert read.plain == plain and not read.lost


@pytest.mark.parametrize("what", ["topic", "customer", "byte", "short"])
async def test_what_is_moved_or_bent_does_not_open(what: str) -> None:
    house, topic = House(), CART
    (record,) = await sealed(house.vault(), CART, ANN, b"boots")
    assert isinstance(record, Sealed)
    if what == "topic":
        topic = CLICKSTREAM
    elif what == "customer":  # her word under his name: nobody has wrapped that
        house.ledger.words[0] += [(name.replace(ANN, BOB), word) for name, word in house.ledger.words[0]]
        record.key = BOB
        with pytest.raises(NoKey, match="bob"):
            await house.vault().read([(topic, [record])])
        return
    elif what == "byte":
        record.value = bytes([record.value[0] ^ 1]) + record.value[1:]
    else:
        record.value = record.value[:10]
    (read,) = await house.vault().read([(topic, [record])])
    assert not read.plain and not read.lost and read.odd[0][0] is record


async def test_a_customer_has_one_key_however_many_ask() -> None:
    house = House()
    vault = house.vault()
    pens = await asyncio.gather(*(vault.pens([ANN, BOB]) for _ in range(5)))
    other = await house.vault().pens([ANN])
    assert {pen[ANN].kid for pen in pens} == {other[ANN].kid} and house.counts["made"] == 2


async def test_two_who_make_one_at_once_have_both_made_one() -> None:
    house = House()
    one, two = house.vault(), house.vault()
    house.shelf.away = True  # neither sees what the other does
    records = [*await sealed(one, CART, ANN, b"a"), *await sealed(two, CART, ANN, b"b")]
    house.shelf.away = False
    assert kid_of(records[0]) != kid_of(records[1])
    assert await opened(house.vault(), records) == [b"a", b"b"]
    house.clock += 30  # both look again, and come to one key
    assert len({(await vault.pens([ANN]))[ANN].kid for vault in (one, two, house.vault())}) == 1


async def test_no_key_is_used_that_the_topic_has_not_got() -> None:
    house = House()
    vault = house.vault()
    house.ledger.away = True
    with pytest.raises(Unavailable):
        await vault.pens([ANN])
    assert not house.shelf.words[0]
    house.ledger.away = False
    assert await opened(house.vault(), await sealed(vault, CART, ANN, b"a")) == [b"a"]


async def test_a_request_that_is_cancelled_takes_the_key_from_nobody() -> None:
    vault = House().vault()
    first, second = asyncio.create_task(vault.pens([ANN])), asyncio.create_task(vault.pens([ANN]))
    await asyncio.sleep(0)
    first.cancel()
    assert ANN in await second


async def test_a_hash_that_was_lost_comes_back_from_the_topic_at_once() -> None:
    house = House()
    writer, reader = house.vault(), house.vault()
    records = [*await sealed(writer, CART, ANN, b"a"), *await sealed(writer, CART, BOB, b"b")]
    house.shelf.words.clear()
    assert await opened(reader, records[:1]) == [b"a"]
    assert await opened(house.vault(), records) == [b"a", b"b"] and house.ledger.reads == 1


async def test_a_key_nobody_has_heard_of_is_no_reason_to_guess() -> None:
    house = House()
    records = await sealed(house.vault(), CART, ANN, b"a")
    house.shelf.words.clear()
    house.ledger.away = True
    with pytest.raises(Unavailable):
        await house.vault().read([(CART, records)])
    house.ledger.away = False
    house.ledger.words.clear()
    with pytest.raises(NoKey, match="neither in the topic `keys` nor shredded"):
        await house.vault().read([(CART, records)])


async def test_master_keys_rotate() -> None:
    house = House()
    old = await sealed(house.vault(), CART, ANN, b"old")
    fresh = secrets.token_bytes(32)
    both = house.vault(fresh, *house.masters)
    new = await sealed(both, CART, BOB, b"new")
    assert await opened(both, [*old, *new]) == [b"old", b"new"]
    assert await opened(house.vault(fresh), new) == [b"new"], "the first one wraps"
    with pytest.raises(NoKey, match="KAIROS_ENCRYPTION_KEYS"):
        await house.vault(fresh).read([(CART, old)])
    assert await opened(both, await sealed(house.vault(fresh), CART, ANN, b"c")) == [b"c"], "a key of its own"


@pytest.mark.parametrize("flushed", [False, True])
async def test_what_was_shredded_is_passed_over(flushed: bool) -> None:
    house = House()
    writer, reader = house.vault(), house.vault()
    hers, his = await sealed(writer, CART, ANN, b"a"), await sealed(writer, CART, BOB, b"b")
    if flushed:
        house.shelf.words.clear()
    assert await opened(reader, hers) == [b"a"]
    await reader.shred(0, [ANN])
    if flushed:
        house.shelf.words.clear()
    for vault in (reader, house.vault(), house.vault()):
        assert (await lost(vault, hers), await opened(vault, his)) == (1, [b"b"])
    assert house.counts["shredded"] == 1
    last = dict(house.ledger.words[0])
    assert not [name for name, word in last.items() if name.startswith(ANN) and decode_key(word).wrapped]
    assert not [name for name, word in house.shelf.words[0].items() if name.startswith(ANN) and b"wrapped" in word]


async def test_all_keys_go_also_those_the_hash_has_forgotten() -> None:
    house = House()
    first = await sealed(house.vault(), CART, ANN, b"a")
    house.shelf.words.clear()
    second = await sealed(house.vault(), CART, ANN, b"b")
    assert kid_of(first[0]) != kid_of(second[0])
    await house.vault().shred(0, [ANN])
    assert await lost(house.vault(), [*first, *second]) == 2


async def test_what_comes_of_who_was_erased_is_sealed_for_nobody() -> None:
    house = House()
    writer = house.vault()
    await sealed(writer, CART, ANN, b"a")
    await house.vault().shred(0, [ANN])
    house.clock += 30
    records, words = await sealed(writer, CART, ANN, b"b"), len(house.ledger.words[0])
    assert kid_of(records[0]) == GONE and await lost(house.vault(), records) == 1
    assert len(house.ledger.words[0]) == words, "no key is kept for it"


async def test_a_copy_that_comes_late_takes_no_shredding_back() -> None:
    """A maker whose key was shredded between Kafka's word and its own to Redis."""
    house = House()
    vault = house.vault()
    kept: dict[bytes, bytes] = {}
    keep = house.shelf.keep

    async def late(partition: int, items: dict[bytes, bytes], *, patient: bool) -> list[bytes]:
        if not kept:
            kept.update(items)
            await house.vault().destroy(0, list(items))
        return await keep(partition, items, patient=patient)

    house.shelf.keep = late  # type: ignore[method-assign, assignment]
    pen: Pen = (await vault.pens([ANN]))[ANN]
    assert pen.name not in kept and decode_key(house.shelf.words[0][next(iter(kept))]).shredded


async def test_a_retired_key_is_read_and_not_written_with() -> None:
    house = House()
    writer = house.vault()
    old = await sealed(writer, CART, ANN, b"old")
    names = await house.vault().retire(0, [ANN])
    assert [name for name, _ in house.ledger.words[0]] == names
    assert kid_of((await sealed(writer, CART, ANN, b"x"))[0]) == kid_of(old[0]), "known to be fresh"
    house.clock += 21
    new = await sealed(writer, CART, ANN, b"new")
    assert kid_of(new[0]) != kid_of(old[0]) and await opened(house.vault(), [*old, *new]) == [b"old", b"new"]
    await house.vault().destroy(0, names)
    assert (await lost(house.vault(), old), await opened(house.vault(), new)) == (1, [b"new"])
    house.clock += 21
    assert kid_of((await sealed(writer, CART, ANN, b"y"))[0]) == kid_of(new[0])


async def test_customers_of_several_partitions_are_found_where_they_live() -> None:
    house = House(partitions=4)
    vault, names = house.vault(), [b"c%d" % number for number in range(20)]
    pens = await vault.pens(names)
    records: list[Record] = [Sealed(name, pens[name].seal(CART, name), pens[name].headers) for name in names]
    assert await opened(house.vault(), records) == names and len(house.ledger.words) == 4


async def test_a_hash_that_goes_back_in_time_is_shredded_again_and_retires_nobody() -> None:
    house = House()
    vault = house.vault()
    records = await sealed(vault, CART, ANN, b"a")
    before = dict(house.shelf.words[0])
    names = await vault.retire(0, [ANN])
    assert await vault.retired(0, names)
    house.shelf.words[0] = dict(before)
    assert not await vault.retired(0, names)
    await vault.shred(0, [ANN])
    house.shelf.words[0] = dict(before)
    assert await lost(house.vault(), records) == 0, "until the erasure is read again"
    await house.vault().shred(0, [ANN])
    assert await lost(house.vault(), records) == 1 and house.counts["shredded"] == 1
    assert not [word for word in house.shelf.words[0].values() if b"wrapped" in word]
