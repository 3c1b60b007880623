"""What a worker tells those who look after it."""

import json
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.live.conftest import Rivers
from tests.live.events import AT_ONCE, shopping
from tests.live.process import Served, until


async def readiness(worker: Served) -> tuple[int, dict[str, Any]]:
    """Status of /readyz, and what it says."""
    status, body = await worker.get("/readyz")
    return status, json.loads(body) if body else {}


async def halts(worker: Served, partitions: int) -> dict[str, str]:
    """Partition -> why it stands still, once so many do."""

    async def told() -> dict[str, str]:
        _, said = await readiness(worker)
        halted = {number: why for number, why in said.get("partitions", {}).items() if why.startswith("halted: ")}
        return halted if len(halted) == partitions else {}

    return await until(told, f"{partitions} partitions halted")


async def metrics(worker: Served) -> dict[str, float]:
    """Name and values of the labels, by the labels' names -> value: `kairos_events_total applied cart`."""
    _, body = await worker.get("/metrics")
    found = {}
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            found[" ".join([sample.name, *(value for _, value in sorted(sample.labels.items()))])] = sample.value
    return found


async def test_a_worker_tells_what_it_does(rivers: Rivers) -> None:
    river, seen = rivers(AT_ONCE), shopping(1_000)
    await river.init()
    worker = await river.worker().ready()
    assert await worker.get("/livez") == (200, '{"alive": true}')
    assert await readiness(worker) == (200, {"ready": True, "partitions": dict.fromkeys("0123", "ready")})
    await river.send(seen.records)
    await river.rest()
    told, counts = await metrics(worker), await river.counts()
    for topic in ("clickstream", "cart", "pos"):
        for what in ("applied", "duplicate"):
            assert told.get(f"kairos_events_total {what} {topic}", 0) == counts[f"{what}:{topic}"]
        assert told[f"kairos_lag_records {topic}"] == 0
    assert told["kairos_triggers_total added"] == counts["trigger:added"] > 0
    assert told["kairos_faults_total undecodable clickstream"] == seen.bad
    assert told["kairos_partitions ready"] == told["kairos_partitions assigned"] == 4
    assert told["kairos_terms_total"] >= 4
    assert told["kairos_outbox_waiting"] == told["kairos_partitions halted"] == 0


@pytest.mark.parts("embedded")
async def test_a_wrong_number_of_partitions_halts_with_the_reason(rivers: Rivers) -> None:
    river = rivers(AT_ONCE)
    await river.init()
    worker = river.worker(partitions=8)
    for why in (await halts(worker, 4)).values():
        assert "made for 4 partitions, KAIROS_PARTITIONS says 8" in why
    assert (await readiness(worker))[0] == 503
    assert (await worker.get("/livez"))[0] == 200
    assert (await metrics(worker))["kairos_partitions halted"] == 4


@pytest.mark.parts("embedded")
async def test_a_partition_without_a_state_halts_and_the_others_go_on(rivers: Rivers) -> None:
    river, seen = rivers(AT_ONCE), shopping(1_000, bad=0)
    await river.init()
    await river.forget(partition=2)
    worker = river.worker()
    halted = await halts(worker, 1)
    assert "wanted a state in Redis, found none" in halted["2"]
    await river.send(seen.records)
    left = [record for record in seen.records if river.partition(record.key) != 2]
    await river.reaches(len({record.value for record in left}))
    status, said = await readiness(worker)
    assert status == 503 and [n for n, state in said["partitions"].items() if state == "ready"] == ["0", "1", "3"]
