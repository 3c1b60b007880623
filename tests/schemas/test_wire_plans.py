"""Plans for properties: what an event says hangs neither on their order nor on how many there are, nor on what was read
before."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.event import Event, decode_event
from schemas.wire import commerce
from tests.schemas.calls import Json, one, read, track

SAID: st.SearchStrategy[Any] = st.sampled_from(["", "x", "12.5", None, 7, 2.5])
TOLD = st.dictionaries(
    st.sampled_from(
        [
            *(name for _, names in commerce.TEXTS for name in names),
            *(*commerce.TOTALS, *commerce.PRODUCT_IDS, *commerce.FELT, *dict(commerce.DWELLS)),
            *("name", "price", "quantity", "color"),
        ]
    ),
    SAID,
    max_size=12,
)


def outcome(properties: Json) -> Event | str:
    """The event, or its fault."""
    records, bad = read(track(properties=properties))
    return str(bad[0].fault) if bad else decode_event(records[0][2])


@given(TOLD, st.randoms(use_true_random=False))
def test_the_order_of_properties_says_nothing(told: Json, chance: random.Random) -> None:
    shuffled = list(told.items())
    chance.shuffle(shuffled)
    assert outcome(told) == outcome(dict(shuffled))


@given(TOLD)
def test_many_properties_are_read_as_few(told: Json) -> None:
    more = {f"p{number}": number for number in range(commerce.PLANNED_MOST)}
    few, many = outcome(told), outcome(told | more)
    if isinstance(few, Event) and isinstance(many, Event):
        assert {**few.properties, **more} == many.properties
        many.properties = few.properties
    assert few == many


def test_what_says_nothing_leaves_it_to_the_next() -> None:
    told = {"coupon": "", "coupon_id": "C", "total": None, "value": 5, "product_id": "", "sku": "s"}
    event = one(track(properties=told))
    assert (event.coupon, event.total, [product.id for product in event.products]) == ("C", 5_000_000, ["s"])
    assert event.properties == {"coupon": ""}


def test_orders_of_properties_are_forgotten_again() -> None:
    """Who sends ever new ones must not fill the memory."""
    for number in range(2 * commerce.PLANS_MOST):
        commerce.plan_of({f"p{number}": 1})
    assert commerce._planned.cache_info().currsize == commerce.PLANS_MOST
