"""Conditions over views."""

from typing import Any

import pytest

from processors import conditions
from processors.conditions import VARIABLES, BadConditions, as_text
from processors.view import EventView, ItemView
from schemas.playbook import Play, Playbook
from tests.processors.views import cart, happened, view


def play(id: str = "p", **fields: Any) -> Play:
    return Play(**({"id": id, "on": ["Product Added"], "occurrence": "event.id", "channels": ["web"]} | fields))


def compiled(*plays: Play) -> conditions.Conditions:
    return conditions.compile(Playbook(plays=list(plays)))


def test_the_views_leaves_are_the_names() -> None:
    assert VARIABLES["cart.value"] == "double"
    assert VARIABLES["intent.score"] == "double"
    assert VARIABLES["channel.usual"] == "string"
    assert VARIABLES["cart.items"] == "list<item>"
    assert VARIABLES["event.properties"] == "map<string,dyn>"
    assert not {"score", "channel", "bought"} & VARIABLES.keys()


def test_every_name_can_be_asked() -> None:
    """What the table says of a variable is what the view holds: over a bare view each has its value."""
    for name, kind in VARIABLES.items():
        size = f"size({name}) >= 0" if kind.startswith(("list", "map")) else f"{name} == {name}"
        asked = compiled(play(when=size)).at(view())
        assert asked.holds("p"), (name, asked.error("p"))


def test_holds_occurrence_and_data() -> None:
    made = compiled(
        play(
            when="cart.open && cart.value >= 20 && !bought(cart.items[0].id)",
            occurrence="cart.id + '/' + event.day",
            data={"item": "cart.items[0].name", "value": "cart.value", "count": "cart.count", "note": "'a'"},
        )
    )
    asked = made.at(view(cart=cart(29.9, "boots")))
    assert asked.holds("p")
    assert asked.occurrence("p") == "c1/2026-09-21"
    assert asked.data("p") == {"item": "Boots", "value": "29.9", "count": "1", "note": "a"}
    assert asked.error("p") == ""
    assert not made.at(view(cart=cart(19.9))).holds("p")
    assert not made.at(view(cart=cart(29.9, "boots"), bought={"boots": 1.0})).holds("p")


def test_facts_are_what_the_condition_looked_at() -> None:
    text = "intent.score > 0.5 && orders.count == 0 && !bought(cart.items[0].id) && cart.open && event.day != ''"
    asked = compiled(play(when=text)).at(view(score=0.8, cart=cart(60.0, *"abcdefg")))
    assert asked.holds("p")
    facts = asked.facts("p")
    assert facts == {
        "cart.items": "a, b, c, d, e and 2 more",
        "cart.open": True,
        "event.day": "2026-09-21",
        "intent.score": 0.8,
        "orders.count": 0.0,
        "bought(a)": False,
    }
    assert type(facts["orders.count"]) is float, "as it is read back from a trigger's JSON"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"when": "cart.items[0].price > 3"}, "when: Index error"),
        ({"when": "event.properties.vip == true"}, 'when: Key not found in map : "vip"'),
        ({"when": "1 / orders.count > 0"}, "when: divide by zero"),
        ({"occurrence": "cart.items[0].id"}, "occurrence: Index error"),
        ({"occurrence": "cart.id"}, "occurrence: is empty"),
        ({"data": {"item": "cart.items[0].name"}}, "data.item: Index error"),
        ({"data": {"list": "event.properties.list"}}, "data.list: wanted text or a number"),
    ],
)
def test_no_answer_is_a_no_with_a_reason(fields: dict[str, Any], error: str) -> None:
    properties: dict[str, Any] = {"list": ["a"]}
    asked = compiled(play(**fields)).at(view(EventView("Product Added", id="m1", properties=properties)))
    held, occurrence, data = asked.holds("p"), asked.occurrence("p"), asked.data("p")
    assert not (held and occurrence and data.keys() == fields.get("data", {}).keys())
    assert asked.error("p").startswith(error)


def test_a_reason_stays_with_its_play() -> None:
    asked = compiled(play("a", when="cart.items[0].price > 3"), play("b")).at(view())
    assert not asked.holds("a")
    assert asked.holds("b")
    assert asked.error("b") == ""


def test_values_that_no_formula_can_hold() -> None:
    asked = compiled(play(when="event.name == 'a'")).at(view(happened("\ud800")))
    assert not asked.holds("p")
    assert asked.error("p").startswith("when: ")


def test_two_views_know_nothing_of_one_another() -> None:
    made = compiled(play(when="bought('x')"))
    first, second = made.at(view(bought={"x": 1.0})), made.at(view())
    assert (first.holds("p"), second.holds("p"), first.holds("p")) == (True, False, True)
    assert (first.facts("p"), second.facts("p")) == ({"bought(x)": True}, {"bought(x)": False})


def test_the_view_is_not_changed() -> None:
    before, after = (view(cart=cart(30.0, "a", "b"), complements=["x"]) for _ in range(2))
    asked = compiled(play(when="cart.items.exists(i, i.price > 3) && complements.size() > 0")).at(after)
    asked.holds("p"), asked.occurrence("p"), asked.data("p"), asked.facts("p")
    assert before == after


@pytest.mark.parametrize(
    ("fields", "field", "what"),
    [
        ({"when": "cart.value"}, "when", "a condition that is a number"),
        ({"when": "event.properties.vip"}, "when", "a condition that is anything"),
        ({"when": "cart.items[0]"}, "when", "a condition that is a product"),
        ({"occurrence": "orders.count"}, "occurrence", "an occurrence that is a number"),
        ({"occurrence": "event.properties.x"}, "occurrence", "an occurrence that is anything"),
        ({"occurrence": "string(now)"}, "occurrence", "an occurrence that depends on now"),
        ({"occurrence": "channel.usual"}, "occurrence", "an occurrence that depends on channel.usual"),
        ({"data": {"a": "cart.open"}}, "data.a", "a value that is true or false"),
        ({"data": {"a.b": "cart.items"}}, "data.a.b", "a value that is a list"),
        ({"after": "5m", "when": "event.total > 3"}, "when", "event.total is no longer known after a silence"),
    ],
)
def test_wrong_kinds_are_slips(fields: dict[str, Any], field: str, what: str) -> None:
    with pytest.raises(BadConditions) as bad:
        compiled(play("good"), play("bad", **fields))
    [slip] = bad.value.slips
    assert (slip.number, slip.play, slip.field, slip.problem.what) == (1, "bad", field, what)


def test_all_slips_of_all_plays_at_once() -> None:
    with pytest.raises(BadConditions) as bad:
        compiled(play("a", when="cart.opn || cart.idd == ''"), play("b", occurrence="now", data={"x": "("}))
    found = [(slip.play, slip.field) for slip in bad.value.slips]
    assert found == [("a", "when"), ("a", "when"), ("b", "occurrence"), ("b", "occurrence"), ("b", "data.x")]


@pytest.mark.parametrize(
    ("value", "text"),
    [(20.0, "20"), (19.900000000000002, "19.9"), (1234567.5, "1234567.5"), (3, "3"), (True, "true"), ("a", "a")],
)
def test_texts_are_as_a_person_writes(value: str | bool | int | float, text: str) -> None:
    assert as_text(value) == text


def test_fields_of_products() -> None:
    assert set(conditions.ITEM_FIELDS) == set(ItemView.__struct_fields__)
