"""Real shops, whole: the books must balance to the last record.

The files are not part of the project: they lie in KAIROS_TEST_DATA, else in `shared/data` beside the checkout.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from streams.tools.init import shipped_playbook
from tests.live.conftest import Rivers
from tests.live.process import ROOT, Served
from tests.live.proof import prove
from tests.live.river import River

DATA = Path(os.environ.get("KAIROS_TEST_DATA", ROOT.parent / "shared" / "data"))
SHOP, TILLS = DATA / "rees46-2019-10-head.csv.gz", DATA / "online-retail.csv.gz"
SECONDS = 180.0
"""Longest time for one replay."""

lacking = [path.name for path in (SHOP, TILLS) if not path.exists()]


async def replay(river: River, form: str, path: Path, via: str) -> dict[str, Any]:
    """The books of this replay."""
    arguments = ("--format", form, str(path), "--via", via, "--speed", "max", "--json")
    told: dict[str, Any] = await river.told("replay", *arguments, seconds=SECONDS)
    assert told["read"] == told["accepted"] + told["rejected"]
    return told


async def books(river: River) -> dict[str, Any]:
    """Balanced, or the command ends with 1 and the test fails."""
    found: dict[str, Any] = await river.told("books", "--json", "--settle", "60s", seconds=SECONDS)
    assert found["balanced"] and found["outbox"] == 0
    assert all(topic["lag"] == 0 for topic in found["topics"].values())
    return found


async def stop(river: River, worker: Served) -> None:
    """For good, with nothing left to send: silences go on ending as long as somebody is there to hear them."""
    assert await worker.stop() == 0
    while await river.outbox():
        await worker.start().ready()
        await river.rest()
        await worker.stop()


@pytest.mark.timeout(600)
@pytest.mark.parts("real")
@pytest.mark.skipif(bool(lacking), reason=f"{', '.join(lacking)} not in KAIROS_TEST_DATA or shared/data")
async def test_the_books_of_two_shops_balance(rivers: Rivers) -> None:
    """The shop's clicks come over HTTP, the receipts of the tills straight from Kafka."""
    river = rivers(shipped_playbook().read_text())
    await river.init()
    worker, collector = river.worker(), river.collector()
    await worker.ready()
    await collector.ready()
    clicks = await replay(river, "rees46", SHOP, "http")
    receipts = await replay(river, "online-retail", TILLS, "kafka")
    first = await books(river)
    assert first["accepted"] == clicks["accepted"] + receipts["accepted"] > 40_000
    assert sum(topic["applied"] + topic["duplicate"] for topic in first["topics"].values()) == first["accepted"]

    again = await replay(river, "rees46", SHOP, "http")
    assert again["accepted"] == clicks["accepted"]
    second = await books(river)
    assert second["accepted"] == first["accepted"] + again["accepted"]
    for name, topic in second["topics"].items():
        assert topic["applied"] == first["topics"][name]["applied"]

    await stop(river, worker)
    triggers = await prove(river)
    assert triggers
    for trigger in triggers:
        assert trigger.why and trigger.why.on and trigger.why.checks
    counts = await river.counts()
    for customer in (await river.customers()).values():
        for refusal in customer.decisions.refused if customer.decisions else ():
            assert counts[f"refused:{refusal.play}:{refusal.reason}"] and refusal.detail
