"""A floor may spare CEL a question; it never changes the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import conditions
from processors.floors import floor
from processors.sight import look
from schemas.customer import Customer, Decisions, Intent
from schemas.event import Event
from schemas.playbook import Playbook
from tests.processors.builders import START, play


@pytest.mark.parametrize(
    "when, least",
    [
        ("intent.score >= 0.5", 0.5),
        ("intent.score > 0.5 && cart.open", 0.5),
        ("cart.open&&0.25<=intent.score", 0.25),
        ("intent.score >= 0.3 && intent.score >= 0.6", 0.6),
        ('intent.score >= 0.5 && event.query != "a || b"', 0.5),
        ("intent.score >= 0.5 && event.time - orders.last > 2 * 3600", 0.5),
        ("intent.score >= 0.5 && (cart.open || orders.count > 0)", 0.5),
        ("intent.score >= 0.5 && customer.viewed.exists(p, p.price > 9.0 || p.times > 1)", 0.5),
        ("intent.score >= 0.5 || cart.open", 0.0),
        ("cart.open ? intent.score >= 0.5 : true", 0.0),
        ("(intent.score >= 0.5) || cart.open", 0.0),
        ("!(intent.score >= 0.5)", 0.0),
        ("!(cart.open) && intent.score <= 0.5", 0.0),
        ("intent.score >= 0.5 == cart.open", 0.0),
        ("intent.score >= 0.5 * 0.1", 0.0),
        ("1.0 - intent.score >= 0.5", 0.0),
        ("intent.score + 0.4 >= 0.5", 0.0),
        ("intent.score >= 0.5e-3", 0.0),
        ("intent.score >= -0.5", 0.0),
        ("cart.open // && intent.score >= 0.5", 0.0),
        ('event.query == "\\"" && intent.score >= 0.5 || "" == ""', 0.0),
        ("true", 0.0),
    ],
)
def test_a_floor_is_read_off_plain_conditions_only(when: str, least: float) -> None:
    assert floor(when) == least


PARTS = st.sampled_from(
    [
        "intent.score >= 0.5", "intent.score > 0.2", "0.8 <= intent.score", "intent.score < 0.9", "cart.open", "true",
        "orders.count / orders.count > 0", 'event.query == "x && y"', "(intent.score >= 0.7 || true)", "!(cart.open)",
        "customer.viewed[0].price > 1.0", "intent.score >= 0.6 - 0.6", "(true ? false : true)",
    ]
)  # fmt: skip


@given(st.lists(st.tuples(PARTS, st.sampled_from(["&&", "||", "?"])), min_size=1, max_size=5), st.floats(-4, 4))
def test_what_holds_is_never_below_the_floor(parts: list[tuple[str, str]], bias: float) -> None:
    when = ""
    for part, sign in parts:
        when += f"{part} ? true : " if sign == "?" else f"{part} {sign} "
    when += "true"
    playbook = Playbook.model_validate({"plays": [play("p", when=when)], "intent": {"bias": bias}})
    customer = Customer(decisions=Decisions(Intent()))
    view = look(customer, b"ann", Event("e", "n", START), START, playbook)
    if view.score < floor(when):
        assert not conditions.compile(playbook).at(view).holds("p")
