"""A slow change is seen: what an event costs the worker, in times of what it costs a bare loop in the same run.

A ratio, since no two machines are equally fast, and a wide margin, since other work on the machine spoils both.
"""

import pytest

from streams.tools.guarded import Guarded
from tests.bench.figures import ratio
from tests.bench.house import House
from tests.bench.throughput import Scale, Throughput
from tests.parts import KINDS, Parts

MOST = 25.0
"""Times the loop; about 12 when this was written."""
SMALL = Scale(events=100_000, customers=2_000)


@pytest.mark.parts("real")
@pytest.mark.timeout(90)
async def test_an_event_costs_a_bounded_multiple_of_a_bare_loop(parts: Parts) -> None:
    with Guarded() as guard:
        house = House(guard, KINDS[parts.kind], parts.kafka.address, parts.redis.address)
        work = Throughput(house, SMALL)
        settings = await work.prepare("guard")
        rounds = {"loop": [await work.loop(settings)], "kairos": [await work.kairos(settings)]}
    assert ratio(rounds, "kairos", "loop")["cpu"] < MOST, rounds
