"""The compiled functions and their twins do the same to the same Structs, to the byte."""

import sys
from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from types import BuiltinFunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import decode, encode

from processors.carts import what_is_left
from processors.compiled import COMPILED, TWINS
from processors.decide import Decider
from processors.folds import folds, tallying
from processors.hearing import take
from processors.intent import FEATURES, score, warm
from processors.looks import look_at, looked
from processors.playbook import read_playbook
from processors.seen import repeated
from processors.tastes import count, like
from processors.touches import touched
from processors.turn import Turn
from processors.windows import WINDOWS, counted, put
from schemas.codes import PLACES
from schemas.customer import Customer, Intent
from schemas.event import Event, Product
from schemas.facts import CartFacts, ClickFacts, Line, PosFacts, Seen, Taken, Viewed
from schemas.families import ALL, FAMILIES
from schemas.playbook import IntentModel
from tests.conftest import CI, PURE
from tests.processors.builders import Logged, World, viewed
from tests.processors.lives import TOPICS, Lives
from tests.processors.strategies import HISTORIES

FACTS: dict[str, Callable[[], Any]] = {"clickstream": ClickFacts, "cart": CartFacts, "pos": PosFacts}
SECOND = 1_790_000_000
DAY = 86_400


CORES = ("processors._core", "processors._hearing")


def on_twins() -> dict[str, ModuleType]:
    """Modules of `processors` once more, made as they are where no core was built."""
    mine = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "processors"}
    for name in mine:
        del sys.modules[name]
    for core in CORES:
        sys.modules[core] = None  # type: ignore[assignment]
    try:
        return {name: import_module(f"processors.{name}") for name in ("compiled", "folds", "playbook", "decide")}
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "processors"]:
            del sys.modules[name]
        sys.modules.update(mine)


PURELY = on_twins()
SHIPPED = (Path(__file__).parents[2] / "deploy" / "playbook.yaml").read_text()
both = pytest.mark.skipif(not COMPILED, reason="no core was built: there is but one of each function")


@pytest.mark.skipif(not CI or PURE, reason="a machine may lack a C compiler, that of CI may not")
def test_the_core_is_compiled() -> None:
    assert COMPILED and all(isinstance(one, BuiltinFunctionType) for one in (repeated, take))


def test_the_twins_alone_serve_when_asked_to() -> None:
    assert not (PURE and COMPILED)
    assert PURELY["compiled"].TWINS.keys() == TWINS.keys() and not PURELY["compiled"].COMPILED


def same(compiled: Callable[..., Any], state: Any, *arguments: Any, twin: Callable[..., Any] | None = None) -> Any:
    """Call it and its twin on like states: the same is answered or raised, the same is left. Answers what is left."""
    other, told = deepcopy(state), []
    for function, held in ((compiled, state), (twin or TWINS[compiled.__name__], other)):
        try:
            told.append(function(held, *arguments))
        except (OverflowError, ValueError, TypeError, AttributeError, ZeroDivisionError) as exc:
            told.append(type(exc))
    assert told[0] == told[1] and encode(state) == encode(other)
    return state


@both
@given(st.lists(st.tuples(st.integers(0, 300), st.sampled_from((0.0, 0.5, 60.0, 90_000.0))), max_size=300))
def test_repeated(steps: list[tuple[int, float]]) -> None:
    seen, time = Seen(), 1e9
    for number, pause in steps:
        time += pause if number % 53 == 0 else 0.0
        same(repeated, seen, f"m{number}é", time)


@both
def test_repeated_where_much_is_sent() -> None:
    seen, other = Seen(), Seen()
    for number in range(10_000):
        id = str(number * 7919 % 9_000)
        assert repeated(seen, id, 1e9) == TWINS["repeated"](other, id, 1e9)
    assert seen == other and vars(seen) == vars(other) and len(seen.before) == 4096 * 8


FEATURE = st.sampled_from([*FEATURES.values(), None])
AMOUNT = st.floats(0, 86_400)


@both
@given(st.lists(st.tuples(FEATURE, AMOUNT, st.floats(0, 4e9)), max_size=30), st.floats(1e-3, 1e7))
def test_warm(events: list[tuple[str | None, float, float]], half_life: float) -> None:
    intent = Intent()
    for feature, dwell, time in events:
        same(warm, intent, feature, dwell, time, half_life)


WEIGHTS = st.dictionaries(st.sampled_from([*FEATURES.values(), "dwell"]), st.floats(-1e3, 1e3))
SUMS = st.dictionaries(st.sampled_from([*FEATURES.values(), "dwell"]), st.floats(-2.0, 1e9))


@both
@given(st.none() | st.builds(Intent, st.floats(0, 1e9), SUMS), WEIGHTS, st.floats(-1e3, 1e3), st.floats(0, 4e9))
def test_score(intent: Intent | None, weights: dict[str, float], bias: float, time: float) -> None:
    model = IntentModel.model_validate({"half_life": 900.0, "bias": bias, "weights": weights})
    same(score, intent, model, time)


@both
@given(st.lists(st.tuples(st.integers(-DAY, 40 * DAY), st.sampled_from("abc$"), st.integers(-(2**53), 2**53))))
def test_put(puts: list[tuple[int, str, int]]) -> None:
    facts = CartFacts()
    for second, key, amount in puts:
        same(put, facts, SECOND + second, key, amount)
    for second, key, amount in sorted(puts):
        same(put, facts, SECOND + 50 * DAY + second, key, amount)
    for second, key, _ in puts:
        now = SECOND + 50 * DAY + second
        for length in WINDOWS.values():
            same(counted, [facts, ClickFacts()], now - length, now, key)
            same(counted, [facts], now - length, now, "")


@both
@pytest.mark.parametrize("size, most", [(3_600, 24), (DAY, 30)])
def test_put_lets_go_of_what_becomes_too_old(size: int, most: int) -> None:
    """Just then, though what is of the last hour stays where it is."""
    edge, facts = SECOND // size * size, CartFacts()
    for second in (edge - 100, edge - 100 - (most - 1) * size, edge + 200):
        same(put, facts, second, "a", 1)
    assert len(facts.minutes) == 2 and len(facts.hours) == 0


TOUCH = st.tuples(
    st.integers(0, 120) | st.sampled_from((-1, 2**32 - 1, 2**32, 2**40)),
    st.integers(0, 64) | st.sampled_from((-1, 255, 256)),
    st.sampled_from([*PLACES, "", "elsewhere"]),
    st.sampled_from((None, -1, 0, 1, -3, 99)),
)


@both
@given(
    (st.integers(0, 3) | st.integers(98, 101)).map(lambda many: b"".join(at.to_bytes(6, "big") for at in range(many))),
    TOUCH,
)
def test_touched(touches: bytes, touch: tuple[int, int, str, int | None]) -> None:
    same(touched, touches, *touch)
    same(touched, touches[:-1], *touch)


@both
@given(st.lists(st.text("abc", min_size=1, max_size=2) | st.just("d" * 99)), st.integers(1, 5))
def test_count(words: list[str], most: int) -> None:
    words_counted, numbers = dict[str, int](), dict[int, int]()
    for word in words:
        same(count, words_counted, word, most)
        same(count, numbers, len(word) * ord(word[0]), most)


WORD = st.sampled_from(["", "a", "a.b", "a.b.c", "ä", "日本", "x" * 64, "x" * 81]) | st.text(
    "abcdefghijklmnopqrstuvwxyz", max_size=1
)
PRODUCT = st.builds(
    Product,
    st.integers(0, 30).map(str) | WORD,
    *[WORD] * 5,
    st.sampled_from((0, -5, 1, 10**6 - 1, 10**6, 2**53)) | st.integers(0, 10**9),
)
LOOKS = st.lists(st.tuples(PRODUCT, st.integers(0, 200) | st.sampled_from((-1, 0, 1, 2**32))), max_size=60)


@both
@given(LOOKS)
def test_like(looks: list[tuple[Product, int]]) -> None:
    likes = dict[int, Any]()
    for product, days in looks:
        same(like, likes, product, SECOND + days * DAY)


@both
@given(LOOKS)
def test_look_at(looks: list[tuple[Product, int]]) -> None:
    facts = ClickFacts()
    for product, second in looks:
        same(look_at, facts, product, second)


@both
@given(LOOKS, WORD, st.integers(0, 200))
def test_looked(looks: list[tuple[Product, int]], what: str, until: int) -> None:
    facts = ClickFacts()
    for product, second in looks:
        look_at(facts, product, (SECOND + second) % 2**32)
    for word in (what, "a", "a.b", *(one.id for one in facts.viewed)):
        same(looked, facts.viewed, word, SECOND + until - 60.0, SECOND + until)
        same(looked, facts.viewed, word, -1.0, SECOND + until + 0.5)


ID, AT, PIECES = st.sampled_from("abc"), st.floats(0, 9), st.integers(0, 4)


@both
@given(st.lists(st.builds(Line, AT, ID, PIECES, PIECES, ID)), st.lists(st.builds(Taken, AT, ID, PIECES)))
def test_what_is_left(lines: list[Line], taken: list[Taken]) -> None:
    same(what_is_left, CartFacts(lines=sorted(lines), taken=sorted(taken)))


@both
@given(st.lists(st.integers(0, 40), min_size=30, max_size=90), st.integers(1, 3))
def test_looks_one_after_another(ids: list[int], at_once: int) -> None:
    """More products than are kept, some within one second."""
    facts = ClickFacts()
    for at, id in enumerate(ids):
        same(look_at, facts, Product(f"p{id}", f"name {at}"), SECOND + at // at_once)


KEPT = st.just(ALL) | st.frozensets(st.sampled_from([*FAMILIES]))


@both
@settings(max_examples=300)
@given(st.integers(0, 10**9), st.booleans(), st.booleans(), st.sampled_from(TOPICS), KEPT)
def test_folds(seed: int, wide: bool, sorted_: bool, topic: str, kept: frozenset[str]) -> None:
    """Whole folds of events, read from their bytes again and again."""
    (_, fold), (_, pure) = folds(kept)[topic], PURELY["folds"].folds(kept)[topic]
    events = Lives(seed, wide).events(topic, 80)
    facts, other = FACTS[topic](), FACTS[topic]()
    for at, event in enumerate(sorted(events, key=lambda one: one.time) if sorted_ else events):
        fold(facts, event, b"anon1")
        pure(other, event, b"anon1")
        assert encode(facts) == encode(other)
        if at % 16 == 15:
            facts, other = decode(encode(facts), type=type(facts)), decode(encode(other), type=type(other))


AWKWARD = """
policies:
  consent: {unknown: allow}
  caps: [{per: customer, most: 3, within: 1h}]
channels: {usual: {}, unknown: allow}
intent: {half_life: 10m, weights: {views: 1.0, adds: 2.0}}
plays:
  - {id: now, on: [Product Viewed], occurrence: event.id, channels: [web], cooldown: 30s, priority: 3}
  - {id: unsure, on: [Product Viewed, Product Added], when: 'event.properties.colour == "red"', occurrence: event.day,
     channels: [web]}
  - {id: nameless, on: [Product Viewed], occurrence: event.query, channels: [web]}
  - {id: early, on: [Product Viewed, Order Completed], when: 1.0 / event.dwell > 0.0,
     occurrence: event.product.id, data: {total: event.total, score: intent.score}, channels: [web]}
  - {id: later, on: [Product Viewed, Product Added], after: 20s, unless: [Order Completed, Product Removed],
     occurrence: event.id, channels: [web]}
  - {id: moved, on: [Segment Entered], occurrence: event.id, data: {to: event.properties.segment}, channels: [web]}
segments: {levels: [{level: all, leaves: [{id: open, when: cart.open}, {id: seen, when: events.ever > 2}]}]}
"""


@both
@pytest.mark.parametrize("text", [SHIPPED, AWKWARD], ids=["shipped", "awkward"])
@given(HISTORIES, HISTORIES)
def test_the_whole_chain(text: str, log: list[Logged], more: list[Logged]) -> None:
    """States, triggers, timers and books of a playbook."""
    worlds = []
    for read, decider in ((read_playbook, Decider), (PURELY["playbook"].read_playbook, PURELY["decide"].Decider)):
        loaded = read(text)
        worlds.append(world := World(decider("x", loaded.playbook, loaded.conditions, loaded.version)))
        for at, records in enumerate((log, more)):
            world.turn(*records, now=20_000.0 * (at + 1))
    one, other = worlds
    assert one.stored == other.stored and one.triggers == other.triggers
    assert one.wake == other.wake and one.counts == other.counts


@both
@pytest.mark.parametrize(
    "facts, event",
    [
        (Viewed("a", b""), Event("m", "Page Viewed", 1.0)),
        (ClickFacts(), Product("a")),
        (ClickFacts(events=1, first=5.0), Event("m", "Page Viewed", 2)),
        (ClickFacts(), Event("m", "Page Viewed", 2.0**33)),
        (ClickFacts(), Event("m", "Page Viewed", -1.5)),
    ],
)
def test_what_is_out_of_the_ordinary_is_the_twins(facts: Any, event: Any) -> None:
    same(tallying(ALL), facts, event, twin=PURELY["folds"].tallying(ALL))


def test_a_field_without_a_value_is_an_error_and_no_crash() -> None:
    facts = ClickFacts()
    del facts.did
    with pytest.raises(AttributeError):
        tallying(ALL)(facts, Event("m", "Page Viewed", 1.0))


@both
def test_what_is_of_another_class_is_an_error_and_no_crash() -> None:
    loaded = read_playbook(SHIPPED)
    fold, key = Decider("x", loaded.playbook, loaded.conditions, loaded.version), b"ann"
    for alien in (Customer(decisions=Seen()), Customer(identity=Seen()), Customer(clickstream=Seen())):  # type: ignore[arg-type]
        turn = Turn(1.0, 1.0, {key: alien})
        with pytest.raises((TypeError, AttributeError)):
            fold.absorb(turn, key, {"clickstream": [viewed("ann", "hat", at=1)]})
