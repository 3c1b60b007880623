"""The playbook that comes with Kairos: each play's condition, true and false."""

from pathlib import Path

import pytest

from processors.checks import EVENTS
from processors.conditions import VARIABLES
from processors.playbook import read_playbook
from processors.view import ItemView, OrdersView, View
from tests.processors.views import NOW, cart, happened, looked, view

TEXT = (Path(__file__).parents[2] / "deploy" / "playbook.yaml").read_text()
LOADED = read_playbook(TEXT)
PLAYS = {play.id: play for play in LOADED.playbook.plays}

ADDED, VIEWED, ORDERED = happened("Product Added"), happened("Product Viewed"), happened("Order Completed", order="o1")
LONG_AGO, JUST_NOW = OrdersView(count=3, last=NOW - 90_000, id="o0"), OrdersView(count=3, last=NOW - 600, id="o0")

HOLDS = [
    ("discount-push", view(ADDED, score=0.5, cart=cart(30.0)), "2026-09-21", {"item": "Boots"}),
    ("discount-push", view(ADDED, score=0.9, orders=LONG_AGO, cart=cart(30.0)), "2026-09-21", {"item": "Boots"}),
    ("discount-push", view(happened("Product Viewed", product=ItemView("tent", "Tent")), score=0.6), "2026-09-21",
     {"item": "Tent"}),
    ("cart-abandoned", view(ADDED, cart=cart(20.0, "boots")), "c1",
     {"item": "Boots", "product": "boots", "value": "20"}),
    ("browse-abandoned", view(VIEWED, customer=looked(3, "tent")), "2026-09-21", {"item": "Tent", "product": "tent"}),
    ("browse-abandoned", view(VIEWED, customer=looked(4, "boots", "tent"), bought={"boots": 1.0}), "2026-09-21",
     {"item": "Tent", "product": "tent"}),
    ("first-purchase-thanks", view(ORDERED, orders=OrdersView(count=1, last=NOW, id="o1")), "o1",
     {"order": "o1", "total": "0"}),
    ("first-purchase-thanks", view(happened("Order Completed", total=19.9), orders=OrdersView(count=1)), "m1",
     {"order": "", "total": "19.9"}),
    ("complement", view(ORDERED, orders=LONG_AGO, complements=["peg-bag", "lamp"]), "o0", {"item": "peg-bag"}),
]  # fmt: skip
FAILS = [
    ("discount-push", view(ADDED, score=0.49, cart=cart(30.0))),
    ("discount-push", view(ADDED, score=0.9, orders=JUST_NOW)),
    ("cart-abandoned", view(ADDED)),
    ("cart-abandoned", view(ADDED, cart=cart(19.99))),
    ("browse-abandoned", view(VIEWED, customer=looked(2))),
    ("browse-abandoned", view(VIEWED, customer=looked(5, "boots"), bought={"boots": 1.0})),
    ("first-purchase-thanks", view(ORDERED, orders=LONG_AGO)),
    ("first-purchase-thanks", view(ORDERED)),
    ("complement", view(ORDERED, orders=LONG_AGO)),
]


@pytest.mark.parametrize(("play", "seen", "occurrence", "data"), HOLDS)
def test_holds(play: str, seen: View, occurrence: str, data: dict[str, str]) -> None:
    asked = LOADED.conditions.at(seen)
    assert asked.holds(play)
    assert asked.occurrence(play) == occurrence
    assert asked.data(play) == data
    assert asked.error(play) == ""


@pytest.mark.parametrize(("play", "seen"), FAILS)
def test_does_not_hold(play: str, seen: View) -> None:
    asked = LOADED.conditions.at(seen)
    assert not asked.holds(play)
    assert asked.error(play) == "", "no by its words, not by an accident"


def test_each_play_is_tried_both_ways() -> None:
    assert {play for play, *_ in HOLDS} == {play for play, _ in FAILS} == set(PLAYS)


def test_the_names_its_comments_teach_exist() -> None:
    head = TEXT.partition("policies:")[0]
    taught = {
        word.strip(",():") for word in head.split() if word.startswith(("event.", "customer.", "cart.", "orders."))
    }
    assert len(taught) > 15
    assert {name for name in taught if not name.startswith("event.properties.")} <= VARIABLES.keys()


def test_what_the_issue_asks_for() -> None:
    playbook = LOADED.playbook
    assert {channel for play in playbook.plays for channel in play.channels} == set(playbook.channels.names)
    assert {name for play in playbook.plays for name in (*play.on, *play.unless)} <= set(EVENTS)
    assert {id: play.after for id, play in PLAYS.items() if play.after} == {
        "cart-abandoned": 45 * 60.0,
        "browse-abandoned": 30 * 60.0,
        "complement": 7 * 86_400.0,
    }
    assert PLAYS["first-purchase-thanks"].purpose == "service"
    assert playbook.policies.quiet and playbook.policies.quiet.then == "hold"
    assert playbook.intent.fitted_on


@pytest.mark.parametrize("play", ["cart-abandoned", "browse-abandoned"])
def test_a_message_held_at_nine_is_still_worth_sending_at_eight(play: str) -> None:
    assert PLAYS[play].expires > 11 * 3600
