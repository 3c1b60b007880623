"""Which playbook workers take up."""

from processors.decide import Decider
from streams.engine.playbooks import Playbooks
from streams.settings import read_settings
from streams.state.memory import MemoryStore

WEEKLY = b"segments: {levels: [{level: busy, leaves: [{id: busy, when: events.week >= 3}]}]}"
EVER = WEEKLY.replace(b"week", b"ever")


async def test_a_playbook_that_asks_for_what_is_not_kept_is_not_taken_up() -> None:
    store = MemoryStore()
    playbooks = Playbooks(read_settings(facts="likes"), store)
    await store.publish("v1", EVER)
    await playbooks.first()
    await store.publish("v2", WEEKLY)
    await playbooks._look()
    fold = playbooks.fold()
    assert isinstance(fold, Decider) and fold.version == "v1" and fold.kept == {"likes"}
    everything = Playbooks(read_settings(), store)
    await everything.first()
    assert everything.fold().version == "v2"
