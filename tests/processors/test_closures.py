"""Closures: whatever one answers, CEL answers too; where it does not, CEL is asked. CEL is the oracle."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from math import inf, nan
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from processors import conditions
from processors.cel import UNSURE
from processors.conditions import VARIABLES, Asked, Compiled, Compiler, Conditions, Question
from processors.folds import FOLDS
from processors.playbook import read_playbook
from processors.sight import look
from processors.view import (
    CartView,
    CustomerView,
    EventsView,
    EventView,
    ItemView,
    OrdersView,
    RfmView,
    ServiceView,
    SpentView,
    View,
)
from schemas.customer import Customer
from schemas.event import Event
from schemas.facts import ClickFacts, Did, Viewed
from schemas.playbook import Play, Playbook
from tests.processors.lives import TOPICS, Lives
from tests.processors.views import cart, happened, view

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
SHIPPED = read_playbook((ROOT / "deploy" / "playbook.yaml").read_text())
COMPILER = Compiler()
WORDS = ["", "a", "boots", "é", "日本", "\U0001f600", "\uffee", "it's", 'a"b', "a\\b", "{0}", "jacket"]
FRACTIONS = [0.0, -0.0, 0.5, 1.0, 2.0, 2.5, 20.0, -3.0, 1e300, 2.0**53, 2.0**63, inf, -inf, nan]
WHOLES = [0, 1, 2, 3, 5, -1, -7, 2**31, 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]


def question(text: str) -> Question:
    return Question.of(COMPILER.language.compile(text))


def asked(made: Question, of: View) -> Asked:
    return Conditions(COMPILER, {}, {}, made).at(of)


def by_cel(made: Question, of: View) -> object:
    return asked(made, of)._by_cel(made)[0]


def same(a: object, b: object) -> bool:
    """The same value of the same type; a NaN is a NaN, and -0.0 is not 0.0."""
    return type(a) is type(b) and repr(a) == repr(b)


def check(made: Question, of: View) -> bool:
    """The closure says what CEL says, or nothing. True when it said something."""
    try:
        answer = made.closure(of) if made.closure is not None else None
    except UNSURE:
        return False
    assert same(answer, by_cel(made, of))
    return True


def made_up(seed: int) -> View:
    """A view with everything a formula stumbles over: empty lists, missing keys, NaN, numbers beyond 2^53."""
    chance = Random(seed)
    pick = chance.choice

    def some(make: Callable[[], T], most: int = 3) -> list[T]:
        return [make() for _ in range(chance.randrange(most + 1))]

    def word() -> str:
        return pick(WORDS)

    def item() -> ItemView:
        return ItemView(word(), word(), word(), word(), pick(FRACTIONS), pick(WHOLES), chance.randrange(5), 1.0)

    def anything() -> Any:
        return pick([*WORDS, *FRACTIONS, *WHOLES, True, False, None, ["a"]])

    clicks = ClickFacts(
        did={key: Did(pick([1, 4]), 5.0) for key in some(lambda: pick(["pv", "own"]))},
        reach={key: pick([True, False]) for key in some(word)},
        viewed=[Viewed(word(), b"\0\0\0\1", "", word(), "", 1) for _ in some(word)],
    )
    return view(
        EventView(
            word(),
            time=pick(FRACTIONS),
            order=word(),
            total=pick(FRACTIONS),
            product=item(),
            properties={key: anything() for key in some(lambda: pick(["vip", "size", "colour"]))},
        ),
        customer=CustomerView(word(), tier=word(), points=pick(WHOLES), viewed=some(item), relations=some(word)),
        cart=CartView(pick([True, False]), word(), pick(FRACTIONS), pick(WHOLES), some(item), 1.0),
        orders=OrdersView(pick(WHOLES), last=pick(FRACTIONS), products=some(word)),
        complements=some(word),
        bought=dict.fromkeys(some(word), 1.0),
        score=pick(FRACTIONS),
        channel=word(),
        events=EventsView(week=pick(WHOLES)),
        spent=SpentView(month=pick(FRACTIONS)),
        rfm=RfmView(pick(WHOLES)),
        service=ServiceView(pick([True, False])),
        segment=word(),
        of=Customer(clicks),
    )


VIEWS = [made_up(seed) for seed in range(300)]


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


CONSTANT = st.sampled_from(WORDS).map(quoted)
TEXT = st.one_of(
    CONSTANT,
    st.sampled_from(["event.name", "cart.id", "customer.tier", "segment", "channel.usual", "event.order"]),
    st.sampled_from(["cart.items[0].name", "customer.viewed[1].brand", "complements[0]", "orders.products[2]"]),
)
FILTERED = st.sampled_from(
    [f"cart.items.filter(p, {rest})" for rest in ("p.times > 2", "p.price < 20", "bought(p.id)")]
)
FRACTION = st.one_of(
    st.sampled_from(["0.0", "20.0", "0.5", "-1.5", "1e300", "now", "cart.value", "intent.score", "orders.last"]),
    st.sampled_from(["event.total", "spent.month", "cart.items[0].price", "event.product.price"]),
)
WHOLE = st.one_of(
    st.sampled_from(["0", "1", "3", "-2", "9007199254740992", "2 * 3600", "orders.count", "customer.points"]),
    st.sampled_from(["rfm.recency", "events.week", "cart.items[0].times", "size(cart.items)", "complements.size()"]),
    st.sampled_from(["event.properties.size()", 'did("Product Viewed").ever', 'did("own").week', 'views("a").day']),
)
ANY = st.sampled_from(["event.properties.vip", 'event.properties["size"]', "event.properties.colour"])
SIGN = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
BOOL = st.sampled_from(["cart.open", "service.complaint", "true", "false", "has(event.properties.vip)"])


@st.composite
def fraction(draw: st.DrawFn) -> str:
    a, b = draw(FRACTION), draw(st.one_of(FRACTION, WHOLE))
    a, b = (a, b) if draw(st.booleans()) else (b, a)
    return (
        f"({a} {draw(st.sampled_from('+-*/'))} {b})" if draw(st.booleans()) else draw(st.sampled_from([a, f"-({a})"]))
    )


@st.composite
def whole(draw: st.DrawFn) -> str:
    a, b = draw(WHOLE), draw(WHOLE)
    return f"({a} {draw(st.sampled_from('+-*'))} {b})" if draw(st.booleans()) else draw(st.sampled_from([a, f"-({a})"]))


@st.composite
def text(draw: st.DrawFn) -> str:
    a, b = draw(TEXT), draw(TEXT)
    return draw(st.sampled_from([a, f"{a} + {b}", f"string({draw(WHOLE)}) + {a}", f"(cart.open ? {a} : {b})"]))


@st.composite
def plain(draw: st.DrawFn) -> str:
    """A comparison, or what else is true or false."""
    numbers = st.one_of(fraction(), whole())
    sign, a = draw(SIGN), draw(text())
    match draw(st.integers(0, 11)):
        case 0:
            return f"{draw(numbers)} {sign} {draw(numbers)}"
        case 1:
            return f"{a} {sign} {draw(text())}"
        case 2:
            return f"{draw(ANY)} {sign} {draw(st.one_of(numbers, text(), BOOL))}"
        case 3:
            return f"{draw(st.one_of(text(), ANY))} in [{draw(CONSTANT)}, 'boots']"
        case 4:
            return f"{draw(st.one_of(numbers, ANY))} in [20, 2.5, 0]"
        case 5:
            return f"{a} in {draw(st.sampled_from(['complements', 'customer.relations', 'event.properties']))}"
        case 6:
            return f"({a}).{draw(st.sampled_from(['contains', 'startsWith', 'endsWith']))}({draw(TEXT)})"
        case 7:
            return f"{draw(st.sampled_from(['bought', 'reaches', 'consents', 'happened']))}({a})"
        case 8:
            inner = f"p.{draw(st.sampled_from(['price', 'times', 'quantity']))} {sign} {draw(numbers)}"
            return f"customer.viewed.{draw(st.sampled_from(['exists', 'all']))}(p, {inner} && !bought(p.id))"
        case 9:
            return f"complements.{draw(st.sampled_from(['exists', 'all']))}(c, c {sign} {a})"
        case 10:
            return f"{draw(FILTERED)}{draw(st.sampled_from(['[0].name', '[1].brand']))} {sign} {a}"
        case _:
            return draw(BOOL)


CONDITION = st.recursive(
    plain(),
    lambda inner: st.one_of(
        st.builds("({}) && ({})".format, inner, inner),
        st.builds("({}) || ({})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("({}) ? ({}) : ({})".format, inner, inner, inner),
    ),
    max_leaves=6,
)


EXPRESSION = st.one_of(CONDITION, CONDITION, text(), fraction(), whole(), ANY)


@settings(max_examples=400, deadline=None)
@given(EXPRESSION, st.integers(0, len(VIEWS) - 1))
def test_a_closure_says_what_cel_says_or_nothing(expression: str, first: int) -> None:
    made = question(expression)
    assert made.closure is not None
    for of in VIEWS[first : first + 25]:
        check(made, of)


def without_closures(made: Conditions) -> Conditions:
    """The same, answered by CEL alone."""

    def bare(one: Question) -> Question:
        return replace(one, closure=None)

    plays = {
        id: Compiled(bare(play.when), bare(play.occurrence), {name: bare(one) for name, one in play.data.items()})
        for id, play in made.plays.items()
    }
    rules = {name: bare(one) for name, one in made.rules.items()}
    return Conditions(COMPILER, plays, rules, bare(made.waterfall) if made.waterfall else None)


def all_told(of: Asked, made: Conditions) -> dict[str, object]:
    """Everything that can be asked, as it is asked when a play fires."""
    told: dict[str, object] = {name: of.rule(name) for name in made.rules} | {"leaf": of.leaf()}
    for id in made.plays:
        told[id] = holds = of.holds(id)
        if holds:
            told |= {f"{id}.occurrence": of.occurrence(id), f"{id}.data": of.data(id), f"{id}.facts": of.facts(id)}
        told[f"{id}.error"] = of.error(id)
    return told


@settings(max_examples=60, deadline=None)
@given(CONDITION, text(), st.integers(0, len(VIEWS) - 1))
def test_reasons_and_errors_are_the_same(when: str, words: str, first: int) -> None:
    play = Play(id="p", on=["a"], when=when, occurrence="event.id", channels=["web"], data={"text": words})
    made = conditions.compile(Playbook(plays=[play]), COMPILER)
    for of in VIEWS[first : first + 25]:
        assert repr(all_told(made.at(of), made)) == repr(all_told(without_closures(made).at(of), made))


def test_all_of_the_shipped_playbook_is_inside() -> None:
    made = SHIPPED.conditions
    asked = [one for play in made.plays.values() for one in (play.when, play.occurrence, *play.data.values())]
    assert made.waterfall is not None
    assert all(one.closure is not None for one in (*asked, *made.rules.values(), made.waterfall))


def test_the_shipped_playbook_says_the_same_without_closures() -> None:
    made = SHIPPED.conditions
    slow = without_closures(made)
    slow.functions, slow.given = made.functions, made.given
    for of in [*VIEWS, *(look(*one) for one in lives())]:
        assert repr(all_told(made.at(of), made)) == repr(all_told(slow.at(of), made))


def lives() -> Iterator[tuple[Customer, bytes, Event, float, Playbook]]:
    """Views as the engine makes them, each part worked out when it is asked for."""
    for seed in range(12):
        made_up, customer = Lives(seed, wide=seed % 2 == 1), Customer()
        for topic in TOPICS:
            facts_of, fold = FOLDS[topic]
            for event in sorted(made_up.events(topic, 12), key=lambda one: one.time):
                fold(facts_of(customer), event, b"ann")
                yield customer, b"ann", event, event.time, SHIPPED.playbook


@pytest.mark.parametrize(("name", "kind"), VARIABLES.items())
def test_every_variable_is_inside(name: str, kind: str) -> None:
    made = question(f"size({name}) >= 0" if kind.startswith(("list", "map")) else f"{name} == {name}")
    assert check(made, view())
    assert all(check(made, look(*one)) for one in islice(lives(), 60)), "else the view holds what CEL does not"


def test_readmes_condition_is_inside() -> None:
    [when] = re.findall(r"^    when: (.*?)\s+#", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert check(question(when), view(cart=cart(129.0)))


@pytest.mark.parametrize(
    "text",
    [
        "cart.id.matches('a+')", "orders.count / 2 > 1", "orders.count % 2 == 0", "string(now)", "cart.items",
        "cart.items.map(p, p.name).size() > 0", "cart.items.exists_one(p, p.times > 2)", "9007199254740993 > 1",
        "cart.items.exists(p, cart.items.exists(q, p.id == q.id))", "did('a')", "event.properties == {}", "1u < 2u",
        "timestamp(0) < timestamp(1)", "complements == ['a']", "cart.items[-1].name", "complements[orders.count]",
        "event.properties.vip == event.properties.vup", "event.properties.size * 2 > 80", "cart.items == []",
        "event.properties.vip == null", "cart.id in [cart.id]", "has(did('a').week)", "b'a' == b'b'", "null == null",
        "cart.items.exists(p, complements.exists(c, c == 'a'))", "complements.map(c, c != '', c + 'x')[0] == 'ax'",
        "cart.value < 1e999", "(cart.open ? cart.id : event.properties.vip) == 'a'",
    ],
)  # fmt: skip
def test_what_is_outside_is_left_to_cel(text: str) -> None:
    assert question(text).closure is None


@pytest.mark.parametrize(
    ("text", "of"),
    [
        ("event.name == 'a'", view(happened("\ud800"))),
        ("bought(event.name)", view(happened("\ud800"))),
        ("cart.id in complements", view(complements=["\ud800"])),
        ("event.properties.vip == 'a'", view(happened("a", properties={"vip": "\ud800"}))),
        ("customer.points > 1", view(customer=CustomerView("ann", points=2**63))),
        ("event.properties.vip > 1", view(happened("a", properties={"vip": 2**53 + 1}))),
        ("event.properties.vip", view(happened("a", properties={"vip": ["a"]}))),
        ("cart.value > 1", view(cart=replace(cart(1.0), value=3))),
        ("cart.items.exists(p, p.times > 9)", view(cart=replace(cart(1.0), items=[ItemView("a")] * 5_001))),
        (
            " || ".join(["cart.items.exists(p, p.times > 9)"] * 6),
            view(cart=replace(cart(1.0), items=[ItemView("a")] * 2_000)),
        ),
        ("complements[0] == 'a'", view(complements=["\ud800"])),
        ("orders.count * orders.count > 1", view(orders=OrdersView(2**40))),
        ("orders.count == 1 && cart.value / 0.0 > 1.0", view(orders=OrdersView(1))),
    ],
)
def test_a_closure_says_nothing_of_what_it_is_not_sure(text: str, of: View) -> None:
    assert not check(question(text), of)


def test_what_is_not_reached_is_not_read() -> None:
    """A part of the view that is not asked for is not worked out."""
    [cold, *_] = (look(*one) for one in lives())
    assert question("intent.score > 2.0 && cart.open && did('a').week > 3").closure(cold) is False  # type: ignore[misc]
    assert {"now", "of", "score"} == {name for name in vars(cold) if not name.startswith("_")}
