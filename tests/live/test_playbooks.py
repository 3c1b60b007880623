"""A changed playbook comes into force while events flow, between two turns of each partition."""

from collections.abc import Iterable

import pytest

from processors.playbook import read_playbook
from schemas.trigger import Trigger
from schemas.turn import TurnRecord
from tests.live.conftest import Rivers
from tests.live.events import AT_ONCE
from tests.live.process import until
from tests.live.proof import prove, turns
from tests.live.river import River

CHANGED = AT_ONCE.replace("id: added", "id: noticed")


@pytest.mark.parts("real")
async def test_workers_take_up_a_changed_playbook(rivers: Rivers) -> None:
    river = rivers(AT_ONCE, playbook_seconds=0.2)
    await river.init()
    workers = [river.worker(), river.worker()]
    for worker in workers:
        await worker.ready()
    file = river.folder / "changed.yaml"
    file.write_text(CHANGED)
    before, after = river.version, read_playbook(CHANGED).version

    async def taken_up() -> bool:
        return all(worker.said("playbook")[-1]["version"] == after for worker in workers)

    async with river.flow():
        await river.reaches(500)
        said = await river.told("playbook", "publish", str(file), "--json")
        assert said["version"] == after != before
        await until(taken_up, "both workers with the new playbook")
        await river.reaches(await river.applied() + 500)
    await river.rest()
    triggers = await prove(river)
    for partition, records in enumerate(await turns(river)):
        versions = [record.playbook for record in records]
        assert versions == sorted(versions, key=[before, after].index), "a partition went back to the old one"
        assert set(versions) == {before, after}
        assert_of_their_turns(records, (t for t in triggers if lives_in(river, t) == partition))
    assert {(t.play, t.version) for t in triggers} == {("added", before), ("noticed", after)}
    assert all(worker.runs and len(worker.said("crashed")) == 0 for worker in workers)


def assert_of_their_turns(records: Iterable[TurnRecord], triggers: Iterable[Trigger]) -> None:
    """Each trigger has the version of the turn that decided it: the one of the same `now`."""
    versions = {record.now: record.playbook for record in records}
    for trigger in triggers:
        assert trigger.version == versions[trigger.decided]


def lives_in(river: River, trigger: Trigger) -> int:
    return river.partition(trigger.customer.encode())
