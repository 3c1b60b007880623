"""The chain as a whole: who is asked, in what order, and what is counted."""

import pytest

from processors.view import View
from schemas.topics import TRIGGERS
from tests.processors.builders import ABANDONED, START, World, added, decider, ordered, play, viewed


def test_plays_are_asked_highest_priority_first() -> None:
    caps = {"caps": [{"per": "customer", "most": 1, "within": "1h"}]}
    world = World(decider(play("low"), play("high", priority=5), play("mid", priority=2), policies=caps))
    world.turn(added("ann", "boots"), now=1)
    assert [trigger.play for trigger in world.triggers] == ["high"]
    assert {n: c for n, c in world.counts.items() if "refused" in n} == {"refused:mid:cap": 1, "refused:low:cap": 1}


def test_only_plays_that_listen_are_asked() -> None:
    asked: list[str] = []

    def note(view: View) -> bool:
        asked.append(view.event.name)
        return False

    world = World(decider(play("p", on=["Order Completed"]), when={"p": note}))
    world.turn(viewed("ann", "hat"), added("ann", "hat"), ordered("ann", "hat", at=1), now=2)
    assert asked == ["Order Completed"]


def test_a_play_is_asked_with_the_warmth_of_the_event_itself() -> None:
    warm, when = play("p", on=["Product Viewed"]), {"p": lambda view: view.score >= 0.7}
    world = World(decider(warm, when=when, intent={"bias": 0, "weights": {"views": 1}}))
    world.turn(viewed("ann", "hat", at=0), now=1)
    assert not world.triggers
    world.turn(viewed("ann", "hat", at=1), now=2)
    world.turn(viewed("ann", "hat", at=2), now=3)
    assert [round(trigger.why.score, 1) for trigger in world.triggers if trigger.why] == [0.7, 0.8]


def test_an_instant_play_is_not_asked_when_unless_has_happened() -> None:
    world = World(decider(play("p", unless=["Order Completed"])))
    world.turn(ordered("ann", "hat", at=5), now=6)
    world.turn(added("ann", "hat", at=5), now=7)
    assert not world.triggers
    world.turn(added("ann", "hat", at=6), now=8)
    assert len(world.triggers) == 1


def test_without_an_occurrence_there_is_no_proposal() -> None:
    world = World(decider(play("p"), ABANDONED, occurrence={"p": lambda v: "", "cart-abandoned": lambda v: ""}))
    world.turn(added("ann", "hat", at=0), now=1)
    world.turn(now=9000)
    assert not world.triggers and world.counts == {"applied:cart": 1, "timer:armed": 1, "timer:cancelled": 1}


def test_a_time_to_come_does_not_make_a_trigger_live_for_years() -> None:
    world = World(decider(play("p", expires="1h")))
    world.turn(added("ann", "hat", at=1e8), now=10)
    assert [trigger.expires for trigger in world.triggers] == [START + 10 + 3600]


def test_a_topic_nobody_knows_is_a_bug() -> None:
    with pytest.raises(KeyError):
        World(decider()).turn(viewed("ann", "hat").__class__("weather", b"ann", b"{}"), now=1)


def test_the_trigger_carries_what_the_playbook_says() -> None:
    world = World(decider(play("p", offer={"kind": "reminder"}, purpose="service", expires="2h")))
    turn = world.turn(added("ann", "hat", at=1, cart="c7", received=START + 2, anonymous="x"), now=3)
    (trigger,) = world.triggers
    assert (trigger.offer, trigger.purpose, trigger.expires) == ({"kind": "reminder"}, "service", START + 1 + 7200)
    assert (trigger.occurrence, trigger.version, trigger.customer) == ("c7", "v1", "ann")
    left = [(id, message.since) for id, message in turn.messages if message.topic == TRIGGERS]
    assert left == [(trigger.id, START + 2)]
