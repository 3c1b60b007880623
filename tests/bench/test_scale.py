"""Growth, at sizes of no account: the crowds are as they should be, the engine takes them for its own, all rows run."""

from collections import Counter

import pytest

from processors.plays import wake
from schemas.customer import decode_customer
from schemas.topics import partition_of
from streams.state import open_store
from streams.tools.guarded import Guarded
from tests.bench.crowd import DIFFERENT, SETTLED, VISIT, Crowd, known, remember
from tests.bench.house import House
from tests.bench.scale import SILENT, WITH_SILENCE, Growth, Scale
from tests.bench.shop import key
from tests.bench.w.work import ONCE, playbook
from tests.parts import KINDS, Parts

SMALL = Scale(
    events=2_000, small=100, middle=400, large=1_000, many=600, hot=50, cache=40, narrow=5, idle=1.0, live=2.0
)
BOOK = playbook(ONCE) + WITH_SILENCE
UNTIL = 1_790_000_000.0


def seen_together(customers: int, turn: int = 1_000) -> list[int]:
    """How often turns of so many events see a customer, least first, in the middle of all."""
    visits = [key for key, _ in Crowd(customers, hot=200, events=20_000).visits()]
    return sorted(count for at in range(8_000, 12_000, turn) for count in Counter(visits[at : at + turn]).values())


def test_turns_see_the_same_customers_as_often_whatever_the_crowd() -> None:
    assert seen_together(400) == seen_together(40_000)


def test_who_comes_has_as_much_behind_them_whatever_the_crowd() -> None:
    small, large = Crowd(5_000, hot=2_000, events=200_000), Crowd(5_000_000, hot=2_000, events=200_000)
    assert (small.coming, large.coming) == (5_000, 27_000)
    for crowd in (small, large):
        assert crowd.earlier + crowd.events * 0.75 / crowd.coming == pytest.approx(SETTLED, abs=0.5)


@pytest.mark.parametrize("silent", ["", SILENT])
def test_what_is_remembered_tells_of_the_timer(silent: str) -> None:
    found = known(BOOK, VISIT, UNTIL, silent)
    assert len(found) == DIFFERENT
    for one in found:
        customer = decode_customer(one.value)
        assert customer.clickstream
        assert (customer.clickstream.events, customer.clickstream.next) == (VISIT, 0)
        assert wake(customer.decisions) == one.wake
        assert (one.wake is None) == (silent == "")


@pytest.mark.parts("real")
async def test_the_store_reads_what_was_written(parts: Parts) -> None:
    with Guarded() as guard:
        house = House(guard, KINDS[parts.kind], parts.kafka.address, parts.redis.address)
        settings = await house.installation("remembered")
    found, store, token = known(BOOK, VISIT, UNTIL, SILENT), open_store(settings), b"t" * 16
    try:
        await remember(settings, range(DIFFERENT), found.__getitem__)
        waiting = 0
        for partition in range(settings.partitions):
            slot, numbers = store.slot(partition), [n for n in range(DIFFERENT) if partition_of(key(n), 4) == partition]
            await slot.acquire(token)
            assert await slot.load((token, token), [*map(key, numbers)]) == [found[n].value for n in numbers]
            waiting += await slot.timers_pending()
        assert waiting == DIFFERENT
    finally:
        await store.close()


@pytest.mark.parts("real")
@pytest.mark.timeout(240)
async def test_all_rows_are_measured(parts: Parts) -> None:
    with Guarded() as guard:
        work = Growth(House(guard, KINDS[parts.kind], parts.kafka.address, parts.redis.address), SMALL)
        settings = await work.prepare("grown")
        found = {row: await work.measure(row, settings) for row in ("5m", "1m", "1m timers", "2 workers", "quiet")}
    assert all(one.cpu_us_per_event for one in found.values())
    assert all(found[row].redis_bytes_per_customer for row in ("5m", "1m", "1m timers"))
    assert found["1m"].restart_seconds
    assert found["1m timers"].redis_bytes_per_timer
    assert found["quiet"].idle_percent is not None
