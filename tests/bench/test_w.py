"""W: written once, done alike by all."""

import asyncio

import pytest

from processors import intent
from processors.playbook import read_playbook
from schemas.customer import Intent
from streams.tools.guarded import Guarded
from tests.bench.house import House
from tests.bench.shop import Shop
from tests.bench.w import java
from tests.bench.w.bench import APART, KAIROS, Scale, W, ends_within_a_day
from tests.bench.w.outcome import Outcome, differences
from tests.bench.w.peers import PEERS
from tests.bench.w.work import ONCE, WEIGHTS, State, apply, playbook
from tests.parts import KINDS, Parts

SMALL = Scale(events=1_000, customers=40)


def test_the_fold_scores_as_the_playbook_does() -> None:
    model = read_playbook(playbook(ONCE)).playbook.intent
    state, warmth = State(), Intent()
    for number, (_, event) in enumerate(Shop(1).visits(500)):
        time = 1_000.0 + number * (7.0 if number % 5 else -3.0)  # now and then a late one
        apply(state, event.name, time, event.dwell, ONCE)
        intent.warm(warmth, intent.FEATURES[event.name], event.dwell, time, model.half_life)
        score = intent.score(warmth, model, time)
        assert state.score == pytest.approx(score, rel=1e-12)
    assert {name: getattr(state, name) for name in WEIGHTS} == pytest.approx(warmth.sums, rel=1e-12)


@pytest.mark.parametrize("hour, ends", [(12, 12 * 3600), (2.0, 2 * 3600), (1.9, -APART), (0, -APART)])
def test_a_backlog_is_of_one_day(hour: float, ends: float) -> None:
    midnight = 20_000 * 86_400.0
    assert ends_within_a_day(midnight + hour * 3600, 2 * 3600) == midnight + ends


def outcome(events: int = 300) -> Outcome:
    found = Outcome()
    for number, (key, event) in enumerate(Shop(5).visits(events)):
        event.time = 1_000.0 + number
        found.take(key, event, ONCE)
    return found


def test_the_same_is_the_same() -> None:
    assert outcome().triggers
    assert differences(outcome(), outcome()) == []


@pytest.mark.parametrize("what", ["events", "n_orders", "dwell", "last"])
def test_another_state_is_told(what: str) -> None:
    other = outcome()
    state = next(iter(other.states.values()))
    setattr(state, what, getattr(state, what) + 1)
    assert len(differences(outcome(), other)) == 1
    assert differences(outcome(), other, states=False) == []


def test_triggers_that_lack_repeat_or_differ_are_told() -> None:
    lacking, repeated, other = outcome(), outcome(), outcome()
    lacking.triggers.pop()
    repeated.triggers.append(repeated.triggers[0])
    other.triggers[0].score += 1e-6
    assert [len(differences(outcome(), one)) for one in (lacking, repeated, other)] == [1, 1, 1]


@pytest.mark.parametrize("row", [name for name, peer in PEERS.items() if peer.needs not in java.VERSIONS])
def test_is_here_to_be_compared(row: str) -> None:
    if why := PEERS[row].missing():
        pytest.skip(f"{row} is left out: {why}")


def test_versions_told_are_those_built() -> None:
    pom = (java.SOURCES / "pom.xml").read_text()
    assert f"<kafka.version>{java.VERSIONS['kafka-streams']}<" in pom
    assert f"<flink.version>{java.VERSIONS['flink']}<" in pom


@pytest.mark.parts("real")
@pytest.mark.timeout(240)
async def test_all_python_peers_leave_what_kairos_leaves(parts: Parts) -> None:
    rows = [name for name, peer in PEERS.items() if peer.needs not in java.VERSIONS and not peer.missing()]
    with Guarded() as guard:
        house = House(guard, KINDS[parts.kind], parts.kafka.address, parts.redis.address)
        work = W(house, SMALL)
        settings = await work.prepare("same")
        assert work.wanted.triggers
        await asyncio.gather(*(work.leave(row, settings) for row in (KAIROS, *rows)))
