"""Each policy refuses with its own name and figures; the first no counts; quiet hours hold."""

from typing import Any

import pytest

from schemas.trigger import Feedback, Refusal, encode_feedback
from tests.processors.builders import START, Logged, World, added, came_back, decider, identified, ordered, play, viewed

NOW = play("now", occurrence="event.id")
ANN = "ann"


def refusals(world: World) -> list[Refusal]:
    decisions = world.ann().decisions
    return decisions.refused if decisions else []


def cap(per: str, within: str) -> dict[str, Any]:
    return {"caps": [{"per": per, "most": 1, "within": within}]}


def quiet(**more: str) -> dict[str, Any]:
    return {"quiet": {"from": "14:00", "to": "15:00", **more}}


ONE = [added(ANN, "cap", at=90)]
BOUGHT = [ordered(ANN, "cap", at=50)]
TABLE: list[tuple[list[Logged], float, dict[str, Any], dict[str, Any], str, str]] = [
    ([], 6 * 3600 + 100, {}, {}, "expired", "over for 0s"),
    ([identified(ANN, consent={"marketing": False})], 101, {}, {}, "consent", "marketing: no"),
    ([], 101, {}, {"consent": {"unknown": "refuse"}}, "consent", "marketing: not told, needed"),
    (BOUGHT, 101, {}, {"just_bought": {"within": "1h"}}, "just_bought", "ordered 51s ago, silent for 1h"),
    ([], 101, {}, quiet(then="drop"), "quiet", "from 14:00 to 15:00 in UTC"),
    ([], 101, {"expires": "20m"}, quiet(), "quiet", "expires before"),
    (ONE, 101, {"cooldown": "24h"}, {}, "cooldown", "1 of 1 per play in 24h"),
    (ONE, 101, {}, cap("customer", "24h"), "cap", "1 of 1 per customer in 24h"),
    (ONE, 101, {}, cap("purpose", "2d"), "cap", "1 of 1 per purpose in 2d"),
    (ONE, 101, {}, cap("play", "90m"), "cap", "1 of 1 per play in 90m"),
    (ONE, 101, {}, cap("channel", "4h"), "channel", "web: 1 of 1 per channel in 4h; email: does not reach"),
    ([identified(ANN, reach={"web": False})], 101, {}, {}, "channel", "web: does not reach; email: does not reach"),
    ([], 101, {"channels": ["sms"]}, {}, "channel", "sms: does not reach"),
]


@pytest.mark.parametrize("before, now, of_play, policies, reason, words", TABLE)
def test_a_policy_refuses_with_its_figures(
    before: list[Logged], now: float, of_play: dict[str, Any], policies: dict[str, Any], reason: str, words: str
) -> None:
    world = World(decider(NOW | of_play, policies=policies, occurrence={"now": lambda view: view.event.id}))
    world.turn(*before, now=100)
    sent = len(world.triggers)
    world.turn(added(ANN, "boots", at=100, id="x"), now=now)
    assert len(world.triggers) == sent
    (refusal,) = refusals(world)
    assert (refusal.reason, refusal.occurrence, refusal.play, refusal.time) == (reason, "x", "now", START + 100)
    assert words in refusal.detail
    assert world.counts[f"refused:now:{reason}"] == 1


def test_a_trigger_tells_every_policy_that_was_asked() -> None:
    world = World(decider(NOW))
    world.turn(added(ANN, "boots"), now=1)
    why = world.triggers[0].why
    assert why and all(check.allowed for check in why.checks)
    names = ["known", "expired", "consent", "just_bought", "quiet", "cooldown", "cap", "channel"]
    assert [check.policy for check in why.checks] == names


def test_what_was_sent_is_neither_counted_nor_sent_again() -> None:
    world = World(decider(NOW, occurrence={"now": lambda view: "always"}))
    for n in range(3):
        world.turn(added(ANN, "boots", at=n), now=n + 1)
    assert len(world.triggers) == 1 and not refusals(world) and world.counts["trigger:now"] == 1


def test_an_occurrence_is_refused_once_by_a_policy_until_something_changes() -> None:
    always = {"now": lambda view: "always"}
    policies = {"consent": {"unknown": "refuse"}, "just_bought": {"within": "1h"}}
    world = World(decider(NOW, occurrence=always, policies=policies))
    for n in range(3):
        world.turn(added(ANN, "boots", at=n), now=n + 1)
    assert world.counts["refused:now:consent"] == 1 and len(refusals(world)) == 1
    world.turn(identified(ANN, at=4, consent={"marketing": True}), ordered(ANN, "hat", at=4), now=4)
    world.turn(added(ANN, "boots", at=5), now=6)
    assert [refusal.reason for refusal in refusals(world)] == ["consent", "just_bought"]
    world.turn(added(ANN, "boots", at=5000), now=5001)
    assert len(world.triggers) == 1


def test_refusals_kept_are_bounded() -> None:
    world = World(decider(NOW, policies={"consent": {"unknown": "refuse"}}, occurrence={"now": lambda v: v.event.id}))
    world.turn(*(added(ANN, "boots", at=n) for n in range(30)), now=31)
    assert len(refusals(world)) == 20 and world.counts["refused:now:consent"] == 30


def test_the_channel_is_the_usual_one_then_as_the_play_has_them() -> None:
    fold = decider(NOW | {"channels": ["email", "push", "web"]}, occurrence={"now": lambda view: view.event.id})
    world = World(fold)
    world.turn(
        viewed(ANN, "hat", channel="app"),
        identified(ANN, reach={"email": True}),
        viewed(ANN, "hat", channel="app", at=1),
        now=2,
    )
    world.turn(added(ANN, "boots", at=3, channel="app"), now=4)
    assert world.triggers[-1].channel == "push"
    world.turn(identified(ANN, at=5, reach={"push": False}), now=5)
    world.turn(added(ANN, "boots", at=6, channel="app"), now=7)
    assert world.triggers[-1].channel == "email"


@pytest.mark.parametrize(("unknown", "taken"), [("allow", ["push"]), ("refuse", [])])
def test_who_told_nothing_and_was_seen_nowhere_is_reached_as_the_playbook_says(unknown: str, taken: list[str]) -> None:
    play = NOW | {"channels": ["web", "push"]}
    channels = {"usual": {}, "unknown": unknown}
    fold = decider(play, channels=channels, occurrence={"now": lambda view: view.event.id}, kept=frozenset())
    world = World(fold)
    world.turn(identified(ANN, reach={"web": False}), now=1)
    world.turn(added(ANN, "boots", at=2), now=3)
    assert [trigger.channel for trigger in world.triggers] == taken
    assert [refusal.reason for refusal in refusals(world)] == ([] if taken else ["channel"])


def test_a_full_channel_is_skipped() -> None:
    caps = {"caps": [{"per": "channel", "most": 1, "within": "4h"}]}
    world = World(decider(NOW, policies=caps, occurrence={"now": lambda view: view.event.id}))
    world.turn(identified(ANN, reach={"email": True}), now=1)
    for n in range(3):
        world.turn(added(ANN, "boots", at=n), now=n + 1)
    assert [trigger.channel for trigger in world.triggers] == ["web", "email"]
    assert [refusal.reason for refusal in refusals(world)] == ["channel"]


def test_feedback_breaks_a_tie_of_channels() -> None:
    world = World(decider(NOW, channels={"usual": {"web": "web", "app": "email"}}))
    said = Feedback("f1", "t1", "clicked", START, "web")
    same = Logged("feedback", b"ann", encode_feedback(said))
    world.turn(viewed(ANN, "hat", channel="app"), same, same, now=2)
    world.turn(added(ANN, "boots", at=3), now=4)
    assert world.triggers[-1].channel == "web"
    assert world.counts["applied:feedback"] == 1 and world.counts["duplicate:feedback"] == 1


def test_a_text_that_cannot_be_told_refuses() -> None:
    class Broken:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def error(self, play: str) -> str:
            return "data.item: no such key"

    fold = decider(NOW)
    conditions = fold.hearing.conditions
    fold.hearing.conditions = type("Conditions", (), {"at": lambda self, view: Broken(conditions.at(view))})()
    world = World(fold)
    world.turn(added(ANN, "boots"), now=1)
    assert [(one.reason, one.detail) for one in refusals(world)] == [("condition", "data.item: no such key")]
    assert not world.triggers


# -- quiet hours: START is 14:13:20 UTC

QUIET = {"quiet": {"from": "13:00", "to": "15:00", "zone": "UTC"}}
END = 46 * 60 + 40


def test_quiet_hours_hold_and_ask_again() -> None:
    world = World(decider(NOW, policies=QUIET))
    world.turn(added(ANN, "boots", at=0, id="x"), now=1)
    assert world.wake == {b"ann": START + END} and not world.triggers and world.pending == 1
    world.turn(added(ANN, "hat", at=5, cart="x"), now=6)
    assert world.pending == 1 and not refusals(world)
    world.turn(now=END)
    (trigger,) = world.triggers
    assert (trigger.occurrence, trigger.time, trigger.data) == ("x", START, {"item": "Boots"})
    assert trigger.why and trigger.why.on == "Product Added" and len(trigger.why.checks) == 8
    assert (world.counts["timer:armed"], world.counts["timer:fired"], world.pending) == (1, 1, 0)


@pytest.mark.parametrize(
    "meanwhile, reason",
    [
        (ordered(ANN, "hat", at=60), "just_bought"),
        (identified(ANN, at=60, consent={"marketing": False}), "consent"),
    ],
)
def test_what_was_held_is_asked_everything_again(meanwhile: Logged, reason: str) -> None:
    world = World(decider(NOW, policies=QUIET | {"just_bought": {"within": "4h"}}))
    world.turn(added(ANN, "boots", at=0), now=1)
    world.turn(meanwhile, now=61)
    world.turn(now=END)
    assert [refusal.reason for refusal in refusals(world)] == [reason] and not world.triggers
    assert world.counts["timer:fired"] == 1


def test_what_is_held_is_cancelled_by_unless() -> None:
    world = World(decider(NOW | {"unless": ["Order Completed"]}, policies=QUIET))
    world.turn(added(ANN, "boots", at=0), now=1)
    world.turn(ordered(ANN, "hat", at=60), now=61)
    assert world.counts["timer:cancelled"] == 1 and not world.wake


def test_of_two_held_occurrences_of_a_play_the_later_stays() -> None:
    world = World(decider(NOW, policies=QUIET, occurrence={"now": lambda view: view.event.id}))
    world.turn(
        added(ANN, "boots", at=5, id="a"), added(ANN, "boots", at=6, id="b"), added(ANN, "hat", at=1, id="c"), now=7
    )
    assert [(one.occurrence, one.reason) for one in refusals(world)] == [("a", "quiet"), ("c", "quiet")]
    world.turn(now=END)
    assert [trigger.occurrence for trigger in world.triggers] == ["b"]
    assert (world.counts["timer:armed"], world.counts["timer:fired"]) == (1, 1)


def test_a_silence_that_ends_in_quiet_hours_is_held_as_the_same_timer() -> None:
    silent = play("silent", after="10m", unless=["Order Completed"])
    world = World(decider(silent, policies=QUIET, when={"silent": lambda view: view.cart.open}))
    world.turn(added(ANN, "boots", at=0), now=1)
    world.turn(now=600)
    assert world.wake == {b"ann": START + END} and world.counts == {"applied:cart": 1, "timer:armed": 1}
    world.turn(now=END)
    assert [trigger.time for trigger in world.triggers] == [START + 600] and world.counts["timer:fired"] == 1


def test_a_held_proposal_that_came_back_from_kafka_is_not_sent_again() -> None:
    world = World(decider(NOW))
    world.turn(added(ANN, "boots", at=0, id="x"), now=1)
    sent = world.triggers.pop()
    later = World(decider(NOW, policies=QUIET))
    later.turn(added(ANN, "boots", at=0, id="x"), now=1)
    later.turn(came_back(sent), now=2)
    later.turn(now=END)
    assert not later.triggers and later.counts["trigger:now"] == 1 and later.counts["timer:fired"] == 1
