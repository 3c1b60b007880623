"""All scenarios, and what must be seen of each."""

from tests.faults.harness import of_redis, of_workers
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
        Scenario("redis-restart", of_redis.restarted),
        Scenario("redis-cut", of_redis.cut, ("lost turns", "refused tokens")),
        Scenario("redis-replica", of_redis.replica, ("lost turns", "refused tokens")),
        Scenario("redis-emptied", of_redis.emptied, ("halts", "partitions rebuilt")),
        Scenario("redis-full", of_redis.full, ("writes refused",)),
        Scenario("redis-away", of_redis.away, ("calls that waited",)),
        Scenario("redis-line", of_redis.line_cut, ("calls that waited",)),
        Scenario("revived", of_redis.revived, ("revoked triggers", "lost turns")),
    )
}
