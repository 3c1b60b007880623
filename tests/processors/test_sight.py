"""What a condition may ask, of facts of all topics, by event times."""

from collections import Counter
from typing import get_type_hints

import pytest
from hypothesis import given

from processors.carts import open_lines
from processors.sight import Part, Sight, look
from processors.view import View
from schemas.customer import Waiting
from schemas.event import Event, Product, decode_event
from schemas.playbook import Playbook
from tests.processors.builders import START, Logged, World, added, decider, identified, ordered, viewed
from tests.processors.strategies import HISTORIES

PLAYBOOK = Playbook.model_validate({"complements": {"boots": ["wax", "socks"], "Shoes": ["socks", "laces"]}})


def seen(*log: Logged, event: Event | Waiting | None = None, now: float = 1000.0) -> View:
    world = World(decider())
    world.turn(*log, now=now)
    return look(world.ann(), b"ann", event or Event("e", "n", START + now), START + now, PLAYBOOK)


def test_every_part_of_a_view_can_be_worked_out() -> None:
    parts = {name for name, part in vars(Sight).items() if isinstance(part, Part)}
    assert {"now", "of", *parts} == set(get_type_hints(View))
    view = seen()
    for name in parts:
        assert getattr(view, name) is getattr(view, name) is not None


def test_a_cart_adds_up_products() -> None:
    cart = seen(
        added("ann", "hat", at=1, price=5, quantity=2, id="first"),
        added("ann", "boots", at=2, price=80),
        added("ann", "hat", at=3, price=5),
    ).cart
    assert (cart.open, cart.id, cart.value, cart.count, cart.touched) == (True, "first", 95.0, 4, START + 3)
    assert [(item.id, item.price, item.quantity) for item in cart.items] == [("boots", 80.0, 1), ("hat", 5.0, 3)]


def test_an_online_order_closes_all_lines_until_then() -> None:
    log = [
        added("ann", "hat", at=1),
        added("ann", "cap", at=5),
        added("ann", "hat", at=6, id="next"),
        ordered("ann", "x", at=5),
    ]
    cart = seen(*log).cart
    assert (cart.id, [(item.id, item.quantity) for item in cart.items]) == ("next", [("hat", 1)])


def test_an_order_at_the_till_closes_what_it_holds() -> None:
    cart = seen(added("ann", "hat", at=1), added("ann", "cap", at=2), ordered("ann", "hat", at=5, till=True)).cart
    assert [item.id for item in cart.items] == ["cap"]


@pytest.mark.parametrize("till", [True, False])
@pytest.mark.parametrize("at, open", [(9, True), (10, False), (11, False)])
def test_an_order_at_the_time_of_adding_closes(at: int, open: bool, till: bool) -> None:
    assert seen(added("ann", "hat", at=10), ordered("ann", "hat", at=at, till=till)).cart.open == open


def test_the_latest_add_names_a_product() -> None:
    cart = seen(added("ann", "hat", at=9, price=7), added("ann", "hat", at=3, price=5)).cart
    assert [(item.price, item.last, item.quantity) for item in cart.items] == [(7.0, START + 9, 2)]


@given(HISTORIES)
def test_a_line_is_open_until_an_order_at_or_after_it_that_was_online_or_holds_it(log: list[Logged]) -> None:
    world = World(decider())
    world.turn(*log, now=1e6)
    customer = world.ann()
    cart = look(customer, b"ann", Event("e", "n", START), START, PLAYBOOK).cart
    events = [decode_event(r.value or b"") for r in log if r.key == b"ann" and r.topic == "pos"]
    orders = [e for e in {e.id: e for e in reversed(events)}.values() if e.name == "Order Completed"]
    left = Counter[str]()
    for line, pieces in open_lines(customer.cart, None) if customer.cart else ():
        later = [e for e in orders if e.time >= line.added]
        if not any(e.channel != "store" or e.products[0].id == line.id for e in later):
            left[line.id] += pieces
    assert {item.id: item.quantity for item in cart.items} == left
    assert cart.open == bool(left) and cart.count == left.total()


def test_viewed_since_the_last_order_newest_first() -> None:
    log = [viewed("ann", "a", at=1), viewed("ann", "b", at=7), viewed("ann", "c", at=8), ordered("ann", "x", at=5)]
    assert [item.id for item in seen(*log).customer.viewed] == ["c", "b"]


def test_complements_never_bought_those_of_products_first() -> None:
    boots = [Product("boots", category="Shoes")]
    log = [ordered("ann", "socks", at=1), ordered("ann", at=5, products=boots, total=0)]
    view = seen(*log)
    assert view.complements == ["wax", "laces"]
    assert (view.orders.count, view.orders.last, view.orders.products) == (2, START + 5, ["boots"])
    assert set(view.bought) == {"boots", "socks"}


def test_who_it_is() -> None:
    customer = seen(
        identified("ann", at=1, name="Ann", tier="gold", zone="Asia/Tokyo"), added("ann", "hat", at=9)
    ).customer
    assert (customer.id, customer.name, customer.tier, customer.events) == ("ann", "Ann", "gold", 2)
    assert (customer.first, customer.last) == (START + 1, START + 9)


def test_an_event_in_units_and_in_the_customers_day() -> None:
    event = Event("e", "Product Viewed", START, products=[Product("hat", price=12_500_000)], total=1_500_000)
    view = seen(identified("ann", zone="Pacific/Auckland"), event=event).event
    assert (view.day, view.product.price, view.products[0].id, view.total) == ("2026-09-22", 12.5, "hat", 1.5)


def test_what_is_left_of_an_event_when_the_silence_is_over() -> None:
    view = seen(event=Waiting(START + 9, START, "m1", "Product Added")).event
    assert (view.name, view.id, view.time, view.day) == ("Product Added", "m1", START, "2026-09-21")
