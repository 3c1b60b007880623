"""CEL behind its small interface: what holds, what is refused and where, and that nothing ever crashes."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.cel import BadExpression, Failure, Language
from processors.cel.language import LONGEST

VARIABLES = {
    "open": "bool",
    "cart.value": "double",
    "cart.id": "string",
    "cart.items": "list<item>",
    "orders.count": "int",
    "complements": "list<string>",
    "event.properties": "map<string,dyn>",
}
ITEM = {"id": "string", "name": "string", "price": "double", "times": "int"}
VALUES: Mapping[str, object] = {
    "open": True,
    "cart.value": 20.5,
    "cart.id": "c1",
    "cart.items": [{"id": "p1", "name": "Boots", "price": 4.5, "times": 2}],
    "orders.count": 3,
    "complements": ["a", "b"],
    "event.properties": {"vip": True},
}
LANGUAGE = Language(VARIABLES, ITEM, {"bought": lambda product: product == "p1"})
GIVEN = LANGUAGE.given(VALUES)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("open && cart.value >= 20", True),
        ("20 < cart.value", True),
        ("cart.value == 20", False),
        ("cart.value != 20.5", False),
        ("orders.count >= 2.5", True),
        ("orders.count == 3", True),
        ("cart.value in [20, 21]", False),
        ("orders.count in [3.0]", True),
        ("'p1' in {'p1': 1}", True),
        ("cart.value * 2", 41.0),
        ("2 * cart.value", 41.0),
        ("cart.value - 1", 19.5),
        ("cart.value / 2", 10.25),
        ("orders.count / 2", 1),
        ("orders.count + 1", 4),
        ("cart.id + '!'", "c1!"),
        ("[1] + [2]", [1, 2]),
        ("timestamp(0) + duration('1h') > timestamp(5)", True),
        ("timestamp(9) - timestamp(4) == duration('5s')", True),
        ("cart.items[0].price * 2 > 8", True),
        ("cart.items.exists(p, p.times >= 2 && bought(p.id))", True),
        ("!bought(cart.id)", True),
        ("complements.size() > 0", True),
        ("complements.join(', ')", "a, b"),
        ("has(event.properties.vip) && event.properties.vip == true", True),
        ("has(event.properties.vup)", False),
    ],
)
def test_answers(text: str, answer: object) -> None:
    given = LANGUAGE.compile(text).answer(GIVEN)
    assert given == answer
    assert type(given) is type(answer)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cart.items[3].name", "index=3"),
        ("1 / 0", "divide by zero"),
        ("cart.value / 0", "division by zero"),
        ("event.properties.vup", "vup"),
        ("event.properties.vip > 2", "overload"),
        ("9223372036854775807 + 1", "overflow"),
        ("cart.id.matches('(')", "regular expression"),
        ("cart.items[0].price ? 1 : 2", "overload"),
    ],
)
def test_failures_have_reasons(text: str, reason: str) -> None:
    answer = LANGUAGE.compile(text).answer(GIVEN)
    assert isinstance(answer, Failure)
    assert reason in answer.reason


def test_values_cel_cannot_hold_are_failures() -> None:
    text = LANGUAGE.compile("cart.id")
    assert isinstance(text.answer(LANGUAGE.given({**VALUES, "cart.id": "\ud800"})), Failure)
    assert isinstance(text.answer(LANGUAGE.given({})), Failure)


def test_loops_are_bounded() -> None:
    given = LANGUAGE.given({**VALUES, "complements": ["x"] * 300})
    loops = "complements.all(a, complements.all(b, complements.all(c, a != 'y' && b != 'y' && c != 'y')))"
    answer = LANGUAGE.compile(loops).answer(given)
    assert isinstance(answer, Failure)
    assert "budget" in answer.reason


@pytest.mark.parametrize(
    ("text", "line", "column", "what", "wanted"),
    [
        ("cart.vlaue > 3", 1, 1, "unknown name 'cart.vlaue'", "did you mean 'cart.value'?"),
        ("open && value > 3", 1, 9, "unknown name 'value'", "one of"),
        ("open &&\n  cart.idd == 'a'", 2, 3, "unknown name 'cart.idd'", "did you mean 'cart.id'?"),
        ("'é' == cart.ids", 1, 8, "unknown name 'cart.ids'", "did you mean 'cart.id'?"),
        ("bougt('p')", 1, 1, "unknown name 'bougt'", "did you mean 'bought'?"),
        ("open == True", 1, 9, "unknown name 'True'", "write true"),
        ("open and open", 1, 6, "unexpected 'and'", "write &&"),
        ("orders.count = 3", 1, 14, "unexpected '='", "write =="),
        ("cart.value >= 20,5", 1, 17, "unexpected ','", "a point in fractions: 20.5"),
        ("cart.value > 'a'", 1, 12, "'>' does not take a number and a text", "both sides of one kind"),
        ("orders.count && open", 1, 14, "'&&' does not take a number and true or false", "true or false, not a number"),
        ("open ? 1 : 2.0", 1, 6, "'? :' does not take", "20.0, not 20"),
        ("cart.items[0].nmae", 1, 15, "a product has no 'nmae'", "did you mean 'name'?"),
        ("cart.items.exists(p, p.prize > 3)", 1, 24, "a product has no 'prize'", "did you mean 'price'?"),
        ("cart.items[0].name > 3", 1, 20, "'>' does not take a text and a number", "both sides of one kind"),
        ("open && (", 1, 10, "the expression ends too early", ""),
        ("", 1, 1, "an empty expression", ""),
        ("  ", 1, 1, "an empty expression", ""),
        ("+".join(["1"] * 99), 1, 1, "an expression nested too deeply", "fewer parts"),
        ("(" * 99 + "1" + ")" * 99, 1, 1, "an expression nested too deeply", "fewer parts"),
        ("1" * (LONGEST + 1), 1, 1, f"an expression of {LONGEST + 1} characters", f"at most {LONGEST}"),
    ],
)
def test_problems_have_places(text: str, line: int, column: int, what: str, wanted: str) -> None:
    with pytest.raises(BadExpression) as bad:
        LANGUAGE.compile(text)
    first = bad.value.problems[0]
    assert (first.line, first.column) == (line, column)
    assert what in first.what
    assert wanted in first.wanted


def test_all_problems_at_once() -> None:
    with pytest.raises(BadExpression) as bad:
        LANGUAGE.compile("cart.vlaue > 1 || opn || cart.items[0].x")
    assert [problem.column for problem in bad.value.problems] == [1, 19]


def test_names_are_what_it_reads() -> None:
    text = "cart.items.exists(open_, open_.price > cart.value) && bought(complements[0])"
    assert LANGUAGE.compile(text).names == {"cart.items", "cart.value", "complements"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [("open", "bool"), ("cart.items[0].name", "string"), ("cart.items[0].times", "int"), ("cart.items[0]", "item"),
     ("event.properties.vip", "dyn"), ("cart.items", "list"), ("event.properties", "map"), ("1u", "uint")],
)  # fmt: skip
def test_kinds(text: str, kind: str) -> None:
    assert LANGUAGE.compile(text).kind == kind


PIECES = st.sampled_from(
    [*VARIABLES, *ITEM, "bought", "(", ")", "[", "]", ".", ",", "&&", "||", "!", "==", ">=", "<", "+", "-", "*", "/",
     "%", "?", ":", "{", "}", "'", '"', "p", "exists", "map", "filter", "size", "has", "true", "null", "1", "2.5",
     "'a'", " ", "\n", "\\", "in", "é", "日", "\x00", "\ud800", "😀"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=25).map("".join)))
def test_no_text_crashes(text: str) -> None:
    """Whatever is written: an expression that answers, or problems with places inside the text."""
    try:
        expression = LANGUAGE.compile(text)
    except BadExpression as bad:
        rows = text.split("\n")
        assert bad.problems
        for problem in bad.problems:
            assert 1 <= problem.line <= len(rows)
            assert 1 <= problem.column <= len(rows[problem.line - 1]) + 2
    else:
        expression.answer(GIVEN)
