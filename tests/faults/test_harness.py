"""A short selection of the grid; all of it by `make faults`."""

from pathlib import Path

import pytest

from tests.faults.harness.arena import Arena, Kafka
from tests.faults.harness.run import perform
from tests.faults.harness.scenarios import SCENARIOS
from tests.parts import Parts

SELECTION = ("kill", "points", "zombie", "redis-cut", "redis-emptied", "revived", "storm", "collector")


@pytest.mark.parts("real")
@pytest.mark.parametrize("name", SELECTION)
async def test_no_promise_is_broken(parts: Parts, tmp_path: Path, name: str) -> None:
    async with Arena(Kafka([parts.kafka])) as arena:
        result = await perform(arena, SCENARIOS[name], 1, tmp_path)
    assert result.good, result.line()
    assert not result.vacuous, result.line()
