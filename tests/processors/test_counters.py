"""Counters by time, likes, habits, service, RFM and engagement, as conditions ask them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors import conditions
from processors.conditions import BadConditions
from processors.sight import look
from processors.view import View
from schemas.event import Event, Product
from schemas.playbook import Play, Playbook
from tests.processors.builders import START, Logged, World, added, decider, happened, identified, ordered, viewed

HOUR, DAY = 3600.0, 86_400.0
SPANS = {"hour": HOUR, "day": DAY, "week": 7 * DAY, "month": 30 * DAY}
GRAIN = {"hour": 300.0, "day": HOUR, "week": DAY, "month": DAY}


def seen(*log: Logged, now: float, **playbook: Any) -> View:
    world = World(decider())
    world.turn(*log, now=now)
    event = Event("e", "n", START + now)
    return look(world.ann(), b"ann", event, START + now, Playbook.model_validate(playbook))


def holds(view: View, when: str) -> bool:
    play = Play(id="p", on=["n"], occurrence="event.id", channels=["web"], when=when)
    asked = conditions.compile(Playbook(plays=[play])).at(view)
    answer = asked.holds("p")
    assert not asked.error("p")
    return answer


@given(st.lists(st.integers(0, 40 * 86_400), max_size=60), st.integers(0, 2 * 86_400))
@settings(max_examples=30, deadline=None)
def test_windows_are_right_to_the_bucket(ages: list[int], quiet: int) -> None:
    """Events of exactly the window count, but for those of its first bucket, which may not."""
    end = 50 * DAY
    view = seen(*(viewed("ann", "hat", at=end - quiet - age) for age in {*ages}), now=end)
    times = [end - quiet - age for age in {*ages}]
    for word, span in SPANS.items():
        told = getattr(view.events, word)
        most = sum(time > end - span for time in times)
        least = sum(time > end - span + GRAIN[word] for time in times)
        assert least <= told <= most, word
        assert holds(view, f'did("Product Viewed").{word} == {told}')
    assert view.events.ever == len(times)


def test_money_by_time() -> None:
    log = [ordered("ann", "a", at=0), ordered("ann", "b", "c", at=10 * DAY), ordered("ann", "d", at=10 * DAY - HOUR)]
    back = happened("ann", "Order Refunded", at=10 * DAY, topic="pos", total=5_000_000)
    view = seen(*log, back, now=10 * DAY)
    assert (view.spent.hour, view.spent.day, view.spent.week, view.spent.month, view.spent.ever) == (15, 25, 25, 35, 35)
    assert (view.orders.refunds, view.orders.refunded) == (1, 5.0)


def test_views_count_products_and_categories_below() -> None:
    shoes = [
        Product("p1", category="shoes.running"),
        Product("p2", category="shoes"),
        Product("p3", category="shoestrings"),
    ]
    view = seen(*(viewed("ann", p.id, at=n * DAY, products=[p]) for n, p in enumerate(shoes)), now=2 * DAY)
    assert holds(
        view, 'views("shoes").week == 2 && views("p3").day == 1 && views("p1").day == 0 && views("x").ever == 0'
    )


@pytest.mark.parametrize("when", ['views("shoes").weak > 1', 'did("Product Viewed").weeks > 1', 'did("x").week == "1"'])
def test_a_window_that_is_none_is_found(when: str) -> None:
    with pytest.raises(BadConditions):
        holds(seen(now=0), when)


def test_likes_weigh_purchases_and_newer_months_more() -> None:
    def of(category: str, price: int) -> list[Product]:
        return [Product(category, category=category, brand=category.upper(), size="M", price=price * 10**6)]

    log = [viewed("ann", "x", at=n, products=of("old", 3)) for n in range(5)]
    log += [viewed("ann", "x", at=31 * DAY + n, products=of("new", 12)) for n in range(4)]
    likes = seen(*log, now=40 * DAY).likes
    assert (likes.category, likes.brand, likes.size, likes.price_from, likes.price_to) == ("new", "NEW", "M", 8.0, 16.0)
    assert seen(*log, ordered("ann", at=32 * DAY, products=of("cap", 1)), now=40 * DAY).likes.category == "cap"


def test_habits_are_by_the_clock_on_the_wall() -> None:
    """START is Monday 14:13 UTC, 23:13 in Tokyo."""
    log = [viewed("ann", "hat", at=n, store="s1", device="ios", channel="app") for n in range(3)]
    habits = seen(*log, identified("ann", at=DAY, zone="Asia/Tokyo"), now=DAY).habits
    assert (habits.hour, habits.weekday, habits.store, habits.channel, habits.device) == (23, 1, "s1", "app", "ios")


def test_service() -> None:
    log = [
        happened("ann", "Complaint Opened", at=1, complaint="c1", sentiment=-1),
        happened("ann", "Complaint Opened", at=2, complaint="c2"),
        happened("ann", "Complaint Closed", at=3, complaint="c2", sentiment=1),
        happened("ann", "Survey Answered", at=4, nps=9, sentiment=1),
    ]
    service = seen(*log, now=5).service
    assert (service.complaint, service.complaints, service.nps) == (True, 2, 9)
    assert service.sentiment == pytest.approx(1 / 3)
    closed = seen(*log, happened("ann", "Complaint Closed", at=6, complaint="c1"), now=7).service
    assert not closed.complaint
    assert seen(now=0).service.nps == -1


def test_rfm_and_engagement_by_the_playbooks_bounds() -> None:
    log = [ordered("ann", "a", "b", at=n) for n in range(3)]
    bounds = {"recency": ["1d", "7d"], "frequency": [2, 5], "monetary": [10, 60]}
    tiers = [{"name": "busy", "events": 3}, {"name": "calm", "events": 0}]
    view = seen(*log, now=2 * DAY, rfm=bounds, engagement=tiers)
    assert (view.rfm.recency, view.rfm.frequency, view.rfm.monetary) == (2, 2, 3)
    assert (view.engagement.tier, seen(log[0], now=0, engagement=tiers).engagement.tier) == ("busy", "calm")
    assert seen(added("ann", "a"), now=0).rfm.recency == 0


def test_words_told() -> None:
    view = seen(identified("ann", consent={"marketing": True}, reach={"push": False}, points=7), now=1)
    assert holds(view, 'consents("marketing") && !reaches("push") && !consents("service") && customer.points == 7')
    assert holds(view, 'happened("Customer Identified") && !happened("Order Completed")')
