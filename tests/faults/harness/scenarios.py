"""All scenarios, and what must be seen of each."""

from tests.faults.harness import of_workers
from tests.faults.harness.run import Scenario

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("calm", of_workers.calm),
        Scenario("kill", of_workers.kill),
        Scenario("points", of_workers.points, ("crash points",)),
        Scenario("rebalance", of_workers.rebalance),
        Scenario("zombie", of_workers.zombie, ("refused tokens",)),
        Scenario("scale", of_workers.scale),
        Scenario("rolling", of_workers.rolling),
    )
}
