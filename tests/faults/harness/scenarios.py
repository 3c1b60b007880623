"""All scenarios, and what must be seen of each."""

from streams.settings import Settings
from tests.faults.harness import of_data, of_kafka, of_redis, of_workers
from tests.faults.harness.load import Habits
from tests.faults.harness.result import Scenario

SHIPPED = Settings.model_fields["session_seconds"].default
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("calm", of_workers.calm),
        Scenario("kill", of_workers.kill),
        Scenario("erased", of_workers.kill, ("erased",), habits=Habits(leaves=True)),
        Scenario("shipped", of_workers.shipped, settings={"session_seconds": SHIPPED}),
        Scenario("points", of_workers.points, ("crash points",)),
        Scenario("rebalance", of_workers.rebalance),
        Scenario("zombie", of_workers.zombie, ("refused tokens",)),
        Scenario("scale", of_workers.scale),
        Scenario("rolling", of_workers.rolling),
        Scenario("redis-restart", of_redis.restarted),
        Scenario("redis-cut", of_redis.cut, ("lost turns", "refused tokens")),
        Scenario("redis-replica", of_redis.replica, ("lost turns", "refused tokens")),
        Scenario("redis-shard", of_redis.shard, ("lost turns", "refused tokens")),
        Scenario("redis-emptied", of_redis.emptied, ("halts", "partitions rebuilt")),
        Scenario("redis-full", of_redis.full, ("writes refused",)),
        Scenario("redis-away", of_redis.away, ("calls that waited",)),
        Scenario("redis-line", of_redis.line_cut, ("calls that waited",)),
        Scenario("broker-restart", of_kafka.restarted, ("rounds refused",)),
        Scenario("kafka-line", of_kafka.line_cut, ("refused tokens",)),
        Scenario("topic-again", of_kafka.topic_again, ("halts", "partitions rebuilt"), cut=True),
        Scenario("retention", of_kafka.retention, ("halts", "partitions rebuilt"), cut=True),
        Scenario("storm", of_data.storm, ("halts", "redriven"), habits=Habits(burst=8.0, quirks="storm")),
        Scenario("twice", of_data.plain, ("duplicates",), habits=Habits(twice=0.2)),
        Scenario("burst", of_data.plain, habits=Habits(burst=10.0)),
        Scenario("clocks", of_data.clocks, settings={"clock_bound": 1.0}),
        Scenario("collector", of_data.collector_killed, ("requests broken",)),
        Scenario("mixed", of_data.mixed),
        Scenario("one-of-three", of_kafka.one_of_three, kafka="three"),
        Scenario("two-of-three", of_kafka.two_of_three, ("refused requests",), kafka="three"),
        Scenario("revived", of_redis.revived, ("revoked triggers", "lost turns")),
    )
}
