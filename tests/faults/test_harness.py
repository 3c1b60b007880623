"""A short selection of the grid; all of it by `make faults`.

What happens inside a run is as random as a machine is, so a run whose fault left no trace is played again with another
seed; a run that breaks a promise never is.
"""

from pathlib import Path

import pytest

from tests.faults.harness.arena import Arena, Kafka
from tests.faults.harness.run import perform
from tests.faults.harness.scenarios import SCENARIOS
from tests.faults.harness.wrong import CAUGHT
from tests.parts import Parts

pytestmark = pytest.mark.timeout(600)
SELECTION = (
    *("kill", "points", "zombie", "redis-cut", "redis-shard", "redis-emptied", "revived"),
    *("erased", "storm", "collector"),
)
SEEDS = (1, 2, 3)


@pytest.mark.parts("real")
@pytest.mark.parametrize("name", SELECTION)
async def test_no_promise_is_broken(parts: Parts, tmp_path: Path, name: str) -> None:
    async with Arena(Kafka([parts.kafka])) as arena:
        for seed in SEEDS:
            result = await perform(arena, SCENARIOS[name], seed, tmp_path / str(seed))
            assert result.good, result.line()
            if not result.vacuous:
                return
    raise AssertionError(result.line())


@pytest.mark.parts("real")
@pytest.mark.parametrize("wrong", CAUGHT)
async def test_a_wrong_engine_is_caught(parts: Parts, tmp_path: Path, wrong: str) -> None:
    scenario, violation = CAUGHT[wrong]
    async with Arena(Kafka([parts.kafka])) as arena:
        for seed in SEEDS:
            result = await perform(arena, SCENARIOS[scenario], seed, tmp_path / str(seed), wrong)
            if violation in result.violations:
                return
    raise AssertionError(result.line())
