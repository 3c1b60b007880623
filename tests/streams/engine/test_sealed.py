"""Sealed records in the engine: opened between fetch and fold, passed over when their key is gone, and never lost."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from processors.turn import OfCustomer, Turn
from schemas.datakey import kid_of
from schemas.topics import CART, CLICKSTREAM, INPUTS
from schemas.turn import Message
from streams.engine import shredder
from streams.engine.sealing import seal, secret
from streams.vault.vault import Vault
from tests.streams.engine.twin import Rig, Row, TallyFold, each
from tests.streams.vault.memory import House

ANN, BOB = b"ann", b"bob"


class ErasingFold(TallyFold):
    """A record `erase` erases its customer for good, `spent` says that the id was an erased person's, `back` that it is
    somebody's again. What comes of who was erased is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.forever: set[bytes] = set()

    def absorb(self, turn: Turn[Any], key: bytes, records: OfCustomer) -> None:
        customer = turn.customers[key]
        for topic, record in each(records):
            if record.value in (b"erase", b"spent"):
                customer.erased = True
                turn.shred[key] = record.value == b"erase"
                if turn.shred[key]:
                    self.forever.add(key)
                turn.changed.add(key)
            elif record.value == b"back":
                customer.erased = False
                turn.changed.add(key)
            elif customer.erased:
                turn.late |= {key} & self.forever
                turn.counts[f"erased:{topic}"] += 1
            else:
                super().absorb(turn, key, {topic: [record]})


class SealedRig(Rig):
    """With keys, and a writer beside the workers."""

    def __init__(self, house: House, **settings: Any) -> None:
        super().__init__(ErasingFold(), ack_seconds=0.05, **settings)
        self.house, self.writer = house, house.vault(fresh=0.05)
        self.vault: Vault = house.vault(fresh=0.05)

    async def put(self, topic: str, *pairs: tuple[bytes, bytes]) -> list[Row]:
        """As the collector would."""
        pens = await self.writer.pens([key for key, _ in pairs])
        for key, value in pairs:
            pen = pens[key]
            self.broker.append(topic, (key, pen.seal(topic, value)), headers=pen.headers)
        return self.broker.logs[topic][-len(pairs) :]

    async def counted(self, name: str) -> int:
        return int((await self.store.slot(0).meta()).get(f"count:{name}", b"0"))

    async def rebuild(self) -> None:
        """The state is made anew, and the logs are read from their beginning by who knows no key."""
        self.stop()
        self.served.clear()
        await self.store.slot(0).remove()
        await self.store.slot(0).create(1, dict.fromkeys(INPUTS, 0))
        self.vault = self.house.vault(fresh=0.05)
        self.serve()


@pytest.fixture
async def r(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SealedRig]:
    monkeypatch.setattr(shredder, "MARGIN", 0.0)
    rig = SealedRig(House())
    await rig.create()
    yield rig
    rig.stop()


async def test_sealed_and_plain_records_are_folded_alike(r: SealedRig) -> None:
    r.serve()
    await r.put(CLICKSTREAM, (ANN, b"x"), (BOB, b"x"), (ANN, b"x"))
    r.broker.append(CLICKSTREAM, (ANN, b"x"))
    await r.run(0.2)
    assert ((await r.customer(ANN)).n, (await r.customer(BOB)).n) == (3, 1)
    assert r.broker.visible() == ["ann-2"]
    assert await r.counted("applied:clickstream") == 4


async def test_keys_out_of_reach_are_waited_for(r: SealedRig) -> None:
    partition = r.serve()
    await r.put(CLICKSTREAM, (ANN, b"x"))
    r.house.shelf.words.clear()
    r.house.ledger.away = True
    await r.run(0.3)
    assert (await r.customer(ANN)).n == 0 and r.notes.ends and not partition.halted
    r.house.ledger.away = False
    await r.run(1.5)
    assert (await r.customer(ANN)).n == 1
    assert not r.broker.dead


async def test_keys_that_are_nowhere_halt_the_partition(r: SealedRig) -> None:
    partition = r.serve()
    await r.put(CLICKSTREAM, (ANN, b"x"))
    r.house.shelf.words.clear()
    r.house.ledger.words.clear()
    await r.run(0.2)
    assert "neither in the topic `keys` nor shredded" in partition.halted
    assert await r.counted("applied:clickstream") == 0


async def test_what_does_not_open_is_a_dead_letter_as_it_came(r: SealedRig) -> None:
    r.serve()
    (row,) = await r.put(CLICKSTREAM, (ANN, b"x"))
    r.broker.append(CART, (ANN, row.value or b""), headers=row.headers)  # from another topic
    await r.run(0.2)
    (letter,) = r.broker.dead
    assert (letter.key, letter.value) == (ANN, row.value) and not secret(letter)
    assert dict(letter.headers)["reason"] == b"unopened" and dict(letter.headers)["sealed"] == kid_of(row)
    assert await r.counted("dead_lettered:cart") == 1 and (await r.customer(ANN)).n == 1


async def test_an_erasure_shreds_and_a_rebuild_comes_to_the_same(r: SealedRig) -> None:
    r.serve()
    await r.put(CLICKSTREAM, (ANN, b"x"), (ANN, b"x"), (BOB, b"x"))
    await r.run(0.1)
    r.broker.append(CLICKSTREAM, (ANN, b"erase"))
    await r.run(0.3)
    assert r.house.counts["shredded"] == 1 and await r.store.slot(0).outbox_size() == 0
    assert (await r.customer(ANN)).erased
    await r.rebuild()
    await r.run(0.3)
    ann, bob = await r.customer(ANN), await r.customer(BOB)
    assert (ann.n, ann.erased, bob.n) == (0, True, 1)
    assert await r.counted("erased:clickstream") == 2 and await r.counted("applied:clickstream") == 1
    assert not r.broker.dead


async def test_a_wish_outlives_its_worker(r: SealedRig) -> None:
    first = r.serve()
    await r.put(CLICKSTREAM, (ANN, b"x"))
    r.house.ledger.away = True
    r.broker.append(CLICKSTREAM, (ANN, b"erase"))
    await r.run(0.2)
    assert await r.store.slot(0).outbox_size() == 1
    first.stop()
    r.house.ledger.away = False
    r.serve()
    await r.run(0.3)
    assert r.house.counts["shredded"] == 1 and await r.store.slot(0).outbox_size() == 0


async def test_what_came_late_under_another_key_is_shredded_too(r: SealedRig) -> None:
    r.serve()
    await r.put(CLICKSTREAM, (ANN, b"x"))
    r.broker.append(CLICKSTREAM, (ANN, b"erase"))
    await r.run(0.2)
    r.house.shelf.words.clear()
    r.house.clock += 1
    late = await r.put(CLICKSTREAM, (ANN, b"late"))
    await r.run(0.3)
    assert r.house.counts["shredded"] == 2 and await r.counted("erased:clickstream") == 1
    (read,) = await r.house.vault().read([(CLICKSTREAM, late)])
    assert len(read.lost) == 1


async def test_an_id_that_was_only_the_erased_persons_loses_its_keys_a_little_later(r: SealedRig) -> None:
    r.serve()
    old = await r.put(CLICKSTREAM, (ANN, b"x"))
    await r.run(0.1)
    r.broker.append(CLICKSTREAM, (ANN, b"spent"))
    await r.run(0.05)
    r.house.clock += 1  # the writer looks again
    new = await r.put(CLICKSTREAM, (ANN, b"y"))
    await r.run(1.5)
    reads = await r.house.vault().read([(CLICKSTREAM, old), (CLICKSTREAM, new)])
    assert [(len(read.lost), len(read.plain)) for read in reads] == [(1, 0), (0, 1)]
    assert await r.store.slot(0).outbox_size() == 0


async def test_an_id_that_is_anothers_by_then_keeps_its_keys(r: SealedRig) -> None:
    """The next owner's first records are sealed with the old key: it was all there was."""
    r.serve()
    await r.put(CLICKSTREAM, (ANN, b"x"))
    r.broker.append(CLICKSTREAM, (ANN, b"spent"), (ANN, b"back"))
    his = await r.put(CLICKSTREAM, (ANN, b"his"))
    await r.run(1.5)
    (read,) = await r.house.vault().read([(CLICKSTREAM, his)])
    assert [record.value for record in read.plain] == [b"his"]
    assert await r.store.slot(0).outbox_size() == 0 and r.house.counts["shredded"] == 0


async def test_what_leaves_sealed_says_of_a_part_only_who_sent_it() -> None:
    vault = House().vault()
    pen = (await vault.pens([ANN]))[ANN]
    told = Message("parts", ANN, b'{"path":["x","card:1"],"cart":{"secret":1}}', [])
    value, headers = seal(told, pen)
    assert b"secret" not in value and headers == [("kid", pen.kid), ("from", b"card:1")]
    nothing = Message("parts", ANN, b'{"path":["x"],"topic":"cart","version":[1,2]}', [])
    assert seal(nothing, pen)[1] == [("kid", pen.kid)]


@pytest.mark.parametrize(
    ("message", "yes"),
    [
        (Message("parts", ANN, b"{}", []), True),
        (Message("dead-letters", ANN, b"{}", [("reason", b"invalid")]), True),
        (Message("dead-letters", None, b"{}", []), False),
        (Message("dead-letters", b"a\nb", b"{}", []), False),
        (Message("parts", ANN, b"{}", [("kairos", b"marker")]), False),
        (Message("triggers", ANN, b"{}", []), False),
        (Message("cart", ANN, b"{}", [("kairos", b"marker")]), False),
    ],
)
def test_what_leaves_sealed(message: Message, yes: bool) -> None:
    assert secret(message) == yes
