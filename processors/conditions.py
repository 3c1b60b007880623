"""Conditions: what a play asks of the view, in CEL. Compiled with the playbook, asked once a view.

A play has three kinds of expression: `when` (true or false), `occurrence` (text) and each value of `data` (text or
number). All faults of all plays come at once, each with its place inside its expression. Nearly all are answered by
closures (processors/cel/closures.py), the others, and errors, by the library.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, get_args, get_origin, get_type_hints

from msgspec import Struct
from msgspec.structs import asdict

from processors.cel import (
    UNSURE,
    BadExpression,
    Closure,
    Expression,
    Failure,
    Language,
    Names,
    Problem,
    closure,
    kind_word,
)
from processors.counters import COUNTERS, EVER, PREDICATES
from processors.rests import not_kept
from processors.view import ItemView, View
from processors.windows import WINDOWS
from schemas.customer import Customer
from schemas.families import ALL, Kept
from schemas.playbook import OTHERS, Play, Playbook

KINDS: Final = {str: "string", float: "double", int: "int", bool: "bool"}
RENAMED: Final = {"score": "intent.score", "channel": "channel.usual"}
"""Fields of the view that conditions call otherwise."""
REMEMBERED: Final = frozenset(("event.name", "event.id", "event.time", "event.day"))
"""What is left of the event when its silence is over."""
FLEETING: Final = frozenset(
    ("now", "intent.score", "channel.usual", "engagement.tier", "rfm.recency", "segment", "stage", "habits.channel")
)
"""What changes without a record: no occurrence may rest on it."""


def _variables(shape: type[Struct], path: str = "") -> Iterator[tuple[str, str, str]]:
    """(name in conditions, attribute path, CEL type) of every leaf."""
    for field, hint in get_type_hints(shape).items():
        place = path + field
        name = place if path else RENAMED.get(place, place)
        if get_origin(hint) is list:
            inner = get_args(hint)[0]
            yield name, place, f"list<{'item' if inner is ItemView else KINDS[inner]}>"
        elif get_origin(hint) is dict:
            if place != "bought":
                yield name, place, "map<string,dyn>"
        elif hint is Customer:
            continue
        elif hint in KINDS:
            yield name, place, KINDS[hint]
        else:
            yield from _variables(hint, place + ".")


_ALL: Final = tuple(_variables(View))
VARIABLES: Final = {name: kind for name, _, kind in _ALL}
"""Every name a condition may use, with CEL's type of it."""
ITEM_FIELDS: Final = {field: KINDS[hint] for field, hint in get_type_hints(ItemView).items()}
"""Fields of a product in a list."""
_READ: Final = {name: attrgetter(place) for name, place, _ in _ALL}


def _items(name: str) -> Callable[[View], object]:
    """Products as CEL takes them."""
    read = _READ[name]
    return lambda view: [asdict(item) for item in read(view)]


_GIVE: Final = {name: _items(name) if kind == "list<item>" else _READ[name] for name, _, kind in _ALL}
"""Name -> how CEL gets its value out of a view."""
NAMES: Final = Names({name: (kind, place) for name, place, kind in _ALL}, ITEM_FIELDS, PREDICATES, COUNTERS)
"""The same for closures."""


@dataclass(frozen=True)
class Slip:
    """A fault in an expression: the play (`number` from 0), its field (`when`, `occurrence`, `data.x`) and what."""

    number: int
    play: str
    field: str
    problem: Problem


class BadConditions(Exception):
    """Conditions that cannot be used: every fault of every play."""

    def __init__(self, slips: list[Slip]) -> None:
        super().__init__("; ".join(f"{s.play}.{s.field}: {s.problem.what}" for s in slips))
        self.slips = slips


class Functions:
    """What conditions may call while one view is asked; keeps what was answered, for the reasons. One evaluation at a
    time."""

    __slots__ = ("answers", "view")

    def __init__(self) -> None:
        self.view: View | None = None
        self.answers: dict[str, str | bool] = {}

    def predicates(self) -> dict[str, Callable[[str], bool]]:
        return {name: self._asked(name, impl) for name, impl in PREDICATES.items()}

    def counters(self) -> dict[str, Callable[[str], dict[str, int]]]:
        return {name: self._counted(name, impl) for name, impl in COUNTERS.items()}

    def _asked(self, name: str, impl: Callable[[View, str], bool]) -> Callable[[str], bool]:
        def call(what: str) -> bool:
            answer = self.answers[f"{name}({what})"] = self.view is not None and impl(self.view, what)
            return answer

        return call

    def _counted(self, name: str, impl: Callable[[View, str, str], int]) -> Callable[[str], dict[str, int]]:
        def call(what: str) -> dict[str, int]:
            view = self.view
            counts = {word: impl(view, what, word) for word in (*WINDOWS, EVER)} if view is not None else {}
            self.answers[f"{name}({what})"] = ", ".join(f"{word} {many}" for word, many in counts.items())
            return counts

        return call


def called() -> dict[str, str]:
    """Functions and what they give, as `kairos playbook words` lists them."""
    windows = "|".join((*WINDOWS, EVER))
    return {f"{name}(text)": "bool" for name in PREDICATES} | {f"{name}(text).{windows}": "int" for name in COUNTERS}


class Question(Struct):
    """An expression, and what CEL must be given to answer it. Nothing else is: reading is most of the cost."""

    expression: Expression
    reads: tuple[tuple[str, Callable[[View], object]], ...]
    closure: Closure | None
    """The same in Python, far cheaper; None: CEL alone can answer."""

    @classmethod
    def of(cls, expression: Expression) -> "Question":
        reads = tuple((name, _GIVE[name]) for name in sorted(expression.names))
        return cls(expression, reads, closure(expression.tree, NAMES))


class Compiled(Struct):
    """The expressions of one play."""

    when: Question
    occurrence: Question
    data: dict[str, Question]


class Compiler:
    """Makes expressions of texts, all of one language. `kept`: families of facts they may ask."""

    def __init__(self, kept: Kept = ALL) -> None:
        self.kept = kept
        self.functions = calls = Functions()
        self.language = Language(VARIABLES, ITEM_FIELDS, calls.predicates(), calls.counters(), [*WINDOWS, EVER])
        self._made: dict[tuple[str, str, bool], Expression] = {}

    def expression(self, field: str, text: str, after: bool) -> Expression:
        """One expression of a play. `after`: the play waits for a silence. Raises BadExpression."""
        if made := self._made.get((field, text, after)):
            return made
        made = self.language.compile(text)
        problems = [*_kind_problem(field, made.kind), *_name_problems(field, made.names, text, after)]
        problems += not_kept(made, text, self.kept)
        if problems:
            raise BadExpression(problems)
        self._made[field, text, after] = made
        return made

    def rule_problems(self, text: str, event: bool) -> list[Problem]:
        """Every fault in a condition of segments or stages; without an event, none may be asked about."""
        try:
            names = self.expression("when", text, False).names
        except BadExpression as exc:
            return exc.problems
        asked = [] if event else sorted(name for name in names if name.startswith("event.") or name == "segment")
        wanted = "customer, cart, orders, did(name), ..."
        return [_found(text, name, f"{name} is not known to a segment", wanted) for name in asked]

    def slips(self, number: int, play: str, fields: Iterable[tuple[str, str]], after: bool) -> Iterator[Slip]:
        """Every fault in the expressions of a play: (field, text)."""
        for field, text in fields:
            try:
                self.expression(field, text, after)
            except BadExpression as exc:
                yield from (Slip(number, play, field, problem) for problem in exc.problems)


def _kind_problem(field: str, kind: str) -> Iterator[Problem]:
    if field == "when" and kind != "bool":
        hint = "true or false" + ("; compare it, as in ... == true" if kind == "dyn" else "")
        yield Problem(1, 1, f"a condition that is {kind_word(kind)}", hint)
    if field == "occurrence" and kind != "string":
        yield Problem(1, 1, f"an occurrence that is {kind_word(kind)}", "text; string(...) makes it one")
    if field.startswith("data.") and kind not in ("string", "int", "double", "uint", "dyn"):
        yield Problem(1, 1, f"a value that is {kind_word(kind)}", "text or a number")


def _name_problems(field: str, names: frozenset[str], text: str, after: bool) -> Iterator[Problem]:
    for name in sorted(names):
        if field == "occurrence" and name in FLEETING:
            wanted = "what records say, as cart.id, orders.id or event.day"
            yield _found(text, name, f"an occurrence that depends on {name}", wanted)
        if after and name.startswith("event.") and name not in REMEMBERED:
            wanted = "one of " + ", ".join(sorted(REMEMBERED)) + "; or ask customer, cart, orders"
            yield _found(text, name, f"{name} is no longer known after a silence", wanted)


def _found(text: str, name: str, what: str, wanted: str) -> Problem:
    before = text[: max(text.find(name), 0)].split("\n")
    return Problem(len(before), len(before[-1]) + 1, what, wanted)


def compile(playbook: Playbook, compiler: Compiler | None = None) -> "Conditions":
    """The conditions of all plays. `compiler`: one that has made some of them already. Raises BadConditions with every
    fault."""
    compiler = compiler or Compiler()
    slips: list[Slip] = []
    for number, play in enumerate(playbook.plays):
        slips += compiler.slips(number, play.id, texts(play), play.after is not None)
    if slips:
        raise BadConditions(slips)
    made = {name: Question.of(compiler.expression("when", text, False)) for name, _, text in rules(playbook)}
    compiled = {play.id: _compiled(compiler, play) for play in playbook.plays}
    return Conditions(compiler, compiled, made, waterfall(compiler, playbook))


def waterfall(compiler: Compiler, playbook: Playbook) -> Question | None:
    """All leaves as one expression: cheaper than asking them one by one. None when it gets too long."""
    leaves = [leaf for level in playbook.segments.levels for leaf in level.leaves]
    text = "".join(f"({leaf.when}) ? '{leaf.id}' : " for leaf in leaves) + f"'{OTHERS}'"
    try:
        return Question.of(compiler.language.compile(text)) if leaves else None
    except BadExpression:
        return None


def rules(playbook: Playbook) -> Iterator[tuple[str, bool, str]]:
    """(name, whether an event is asked about, condition) of segments and stages."""
    for level in playbook.segments.levels:
        for leaf in level.leaves:
            yield f"segment:{leaf.id}", False, leaf.when
    for number, move in enumerate(playbook.stages.table if playbook.stages else ()):
        yield f"stage:{number}", True, move.when


def _compiled(compiler: Compiler, play: Play) -> Compiled:
    later = play.after is not None
    made = {field: Question.of(compiler.expression(field, text, later)) for field, text in texts(play)}
    return Compiled(made["when"], made["occurrence"], {name: made[f"data.{name}"] for name in play.data})


def texts(play: Play) -> Iterator[tuple[str, str]]:
    """(field, expression) of a play."""
    yield "when", play.when
    yield "occurrence", play.occurrence
    for name, text in play.data.items():
        yield f"data.{name}", text


class Conditions:
    """All conditions of a playbook."""

    __slots__ = ("functions", "given", "plays", "rules", "waterfall")

    def __init__(
        self, compiler: Compiler, plays: dict[str, Compiled], rules: dict[str, Question], waterfall: Question | None
    ) -> None:
        self.functions = compiler.functions
        self.given = compiler.language.given
        self.plays, self.rules, self.waterfall = plays, rules, waterfall

    def at(self, view: View) -> "Asked":
        """The conditions over one view. Costs nothing until something is asked."""
        return Asked(self, view)


class Asked:
    """What the plays say of one view. Nothing here raises for what is in the view: an expression without an answer (a
    missing key, an index out of range) makes `holds` false, or the text empty, and leaves its reason in `error`.

    Propose only when `holds` is true, `occurrence` is not empty and, after `data`, `error` still is.
    """

    __slots__ = ("_conditions", "_errors", "_view")

    def __init__(self, conditions: Conditions, view: View) -> None:
        self._conditions, self._view = conditions, view
        self._errors: dict[str, str] = {}

    def holds(self, play: str) -> bool:
        """Whether the play's `when` is true."""
        return self._ask(play, "when", self._conditions.plays[play].when) is True

    def rule(self, name: str) -> bool:
        """Whether a condition of segments or stages is true; one without an answer is not."""
        return self._ask(name, "when", self._conditions.rules[name]) is True

    def leaf(self) -> str:
        """The leaf that takes the customer; empty when they must be asked one by one: one of them has no answer."""
        question = self._conditions.waterfall
        answer = self._ask("segments", "when", question) if question is not None else None
        return answer if isinstance(answer, str) else ""

    def occurrence(self, play: str) -> str:
        """What the trigger is about; empty when it could not be told."""
        text = self._ask(play, "occurrence", self._conditions.plays[play].occurrence)
        if text == "":
            self._errors.setdefault(play, "occurrence: is empty")
        return text if isinstance(text, str) else ""

    def data(self, play: str) -> dict[str, str]:
        """The trigger's texts. One that could not be told is left out."""
        told = {}
        for name, question in self._conditions.plays[play].data.items():
            value = self._ask(play, f"data.{name}", question)
            if isinstance(value, (str, bool, int, float)):
                told[name] = as_text(value)
            elif value is not None:
                self._errors.setdefault(play, f"data.{name}: wanted text or a number")
        return told

    def error(self, play: str) -> str:
        """Why something asked so far of this play had no answer: `when: divide by zero`; empty when all had."""
        return self._errors.get(play, "")

    def facts(self, play: str) -> dict[str, str | float | bool]:
        """What the condition looked at: each variable it names, with its value, and each function CEL calls for it."""
        question = self._conditions.plays[play].when
        told = {name: _fact(_READ[name](self._view)) for name, _ in question.reads}
        return {**told, **self._by_cel(question)[1]} if question.expression.calls else told

    def _ask(self, play: str, field: str, question: Question) -> object:
        """The answer, None where there is none."""
        if question.closure is not None:
            try:
                return question.closure(self._view)
            except UNSURE:
                pass  # CEL can tell, or can tell why not
        answer, _ = self._by_cel(question)
        if isinstance(answer, Failure):
            self._errors.setdefault(play, f"{field}: {answer.reason}")
            return None
        return answer

    def _by_cel(self, question: Question) -> tuple[object, dict[str, str | bool]]:
        """What CEL answers, and what the functions it called said."""
        view, conditions = self._view, self._conditions
        functions = conditions.functions
        functions.view, functions.answers = view, {}
        answer = question.expression.answer(conditions.given({name: read(view) for name, read in question.reads}))
        return answer, functions.answers


def as_text(value: str | bool | int | float) -> str:
    """A value as a person writes it: 20 for 20.0, 19.9 for 19.900000000000002."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, ".15g") if isinstance(value, float) else str(value)


def _fact(value: Any) -> str | float | bool:
    """A value as a trigger's reasons hold it: lists as their first ids, maps as their keys."""
    if isinstance(value, (str, bool)):
        return value
    if isinstance(value, (int, float)):
        return float(value)
    ids = [item.id if isinstance(item, ItemView) else str(item) for item in value]
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
