"""A short selection of the grid, by `pytest -m grid`; all of it by `make faults`."""

from pathlib import Path

import pytest

from tests.faults.harness.arena import Arena, Kafka
from tests.faults.harness.run import perform
from tests.faults.harness.scenarios import SCENARIOS
from tests.faults.harness.wrong import CAUGHT
from tests.parts import Parts

pytestmark = pytest.mark.grid
SELECTION = ("kill", "points", "zombie", "redis-cut", "redis-emptied", "revived", "storm", "collector")


@pytest.mark.parts("real")
@pytest.mark.parametrize("name", SELECTION)
async def test_no_promise_is_broken(parts: Parts, tmp_path: Path, name: str) -> None:
    async with Arena(Kafka([parts.kafka])) as arena:
        result = await perform(arena, SCENARIOS[name], 1, tmp_path)
    assert result.good, result.line()
    assert not result.vacuous, result.line()


@pytest.mark.parts("real")
@pytest.mark.parametrize("wrong", CAUGHT)
async def test_a_wrong_engine_is_caught(parts: Parts, tmp_path: Path, wrong: str) -> None:
    """Within three runs: what happens inside is as random as a machine is."""
    scenario, violation = CAUGHT[wrong]
    async with Arena(Kafka([parts.kafka])) as arena:
        for seed in (1, 2, 3):
            result = await perform(arena, SCENARIOS[scenario], seed, tmp_path / str(seed), wrong)
            if violation in result.violations:
                return
    raise AssertionError(result.line())
