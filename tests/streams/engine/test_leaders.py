"""Only a leader that knows how far its log is committed is believed."""

import asyncio
from collections.abc import Collection

from streams.engine.leaders import Leaders
from streams.kafka import Place, Unavailable

CART, POS = ("cart", 0), ("pos", 0)


class Brokers:
    """Who leads, and whether they answer."""

    def __init__(self) -> None:
        self.leads = {CART: 1, POS: 1}
        self.knows = asyncio.Event()
        self.knows.set()
        self.away = 0
        self.asked: list[set[Place]] = []
        self.leaders = Leaders(self.prove, self.leads.get)

    async def prove(self, places: Collection[Place]) -> None:
        self.asked.append(set(places))
        if self.away:
            self.away -= 1
            raise Unavailable("nobody answers")
        await self.knows.wait()


async def quiet() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_nobody_is_believed_before_they_are_proven() -> None:
    brokers = Brokers()
    assert not brokers.leaders.knows(CART, 1)
    brokers.leaders.doubt(CART)
    brokers.leaders.doubt(POS)
    await quiet()
    assert set().union(*brokers.asked) == {CART, POS}
    assert brokers.leaders.knows(CART, 1)
    assert not brokers.leaders.knows(CART, 2)


async def test_a_doubt_while_they_are_asked_is_asked_again() -> None:
    brokers = Brokers()
    brokers.knows.clear()
    brokers.leaders.doubt(CART)
    await quiet()
    brokers.leads[CART] = 2
    brokers.leaders.doubt(CART)
    brokers.knows.set()
    await quiet()
    assert brokers.asked == [{CART}, {CART}]
    assert brokers.leaders.knows(CART, 2)
    assert not brokers.leaders.knows(CART, 1)


async def test_who_wants_it_again_while_they_are_asked_has_to_wait_for_no_other_answer() -> None:
    brokers = Brokers()
    brokers.knows.clear()
    brokers.leaders.want(CART)
    await quiet()
    brokers.leaders.want(CART)
    brokers.knows.set()
    await quiet()
    assert brokers.asked == [{CART}]
    assert brokers.leaders.knows(CART, 1)


async def test_who_gives_no_answer_is_asked_until_they_do() -> None:
    brokers = Brokers()
    brokers.away = 2
    brokers.leaders.doubt(CART)
    await asyncio.sleep(0.5)
    assert len(brokers.asked) == 3
    assert brokers.leaders.knows(CART, 1)


async def test_nobody_is_asked_any_more_once_it_stops() -> None:
    brokers = Brokers()
    brokers.knows.clear()
    brokers.leaders.doubt(CART)
    await quiet()
    await brokers.leaders.stop()
    brokers.knows.set()
    await quiet()
    assert not brokers.leaders.knows(CART, 1)
