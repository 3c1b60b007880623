"""The language: compiles texts, and answers expressions over values.

How it works
------------
Variables are flat and typed (`cart.value: double`), so a typing error is found when a playbook is checked, not on the
day it matters. Products are maps of dyn, in which the library can find no such error; `_item_problems` does it by the
tree of the checked expression.

The library bounds an expression's depth (32), the steps of its loops, and regular expressions (RE2, linear). It costs
about 3 ms to make a language, 0.2 ms to compile, 5 to 8 us to answer with all that is to be read, and 1 us for each
call of a Python function. `closures.py` spares most of that.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cel_expr_python import cel
from cel_expr_python.ext import ext_math, ext_strings
from msgspec import Struct

from processors.cel.operators import Predicate, arithmetic, comparisons, counter, predicate
from processors.cel.tree import CALL, ITEM, SELECT, Tree, read_tree
from processors.cel.words import KIND, SAME, Problem, mismatch, problem_at, problems, reason, suggest

Counter = Callable[[str], Mapping[str, int]]

LONGEST: Final = 4_000
"""Characters of an expression."""


class BadExpression(Exception):
    """An expression that cannot be used, with all its problems."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.what for problem in problems))
        self.problems = problems


class Failure(Struct, frozen=True):
    """An expression that had no answer for these values."""

    reason: str


class Expression:
    """A checked expression. `kind` is bool, int, double, string, list, map, item, dyn or another of CEL's types."""

    __slots__ = ("_eval", "calls", "kind", "names", "tree")

    def __init__(self, compiled: Any, tree: Tree, kind: str, names: frozenset[str], calls: frozenset[str]) -> None:
        self._eval = compiled.eval
        self.tree = tree
        self.kind = kind
        self.names = names
        """Variables it reads."""
        self.calls = calls
        """Predicates and counters it calls."""

    def answer(self, given: Any) -> object:
        """Its value over what `Language.given` made, or a Failure. Never raises."""
        if isinstance(given, Failure):
            return given
        try:
            value = self._eval(given)
            if value.type() == cel.Type.ERROR:
                return Failure(reason(str(value.value())))
            return value.plain_value()
        except (RuntimeError, ValueError, TypeError) as exc:
            return Failure(reason(str(exc)))


class Language:
    """The names an expression may use.

    `variables` maps a name to CEL's type of it (`list<item>` for products); `item` maps the fields of a product to
    theirs; `predicates` are functions of one text, and so are `counters`, which give a number for each of `windows`.
    """

    def __init__(
        self,
        variables: Mapping[str, str],
        item: Mapping[str, str],
        predicates: Mapping[str, Predicate],
        counters: Mapping[str, Counter] | None = None,
        windows: Sequence[str] = (),
    ) -> None:
        self._item = dict(item)
        self._variables = frozenset(variables)
        self._counters, self._windows = dict(counters or {}), list(windows)
        self._known = [*variables, *predicates, *self._counters]
        self._calls = frozenset((*predicates, *self._counters))
        self._env = cel.NewEnv(
            variables={name: cel.Type(kind.replace(ITEM, "map<dyn,dyn>")) for name, kind in variables.items()},
            config=cel.NewEnvConfigFromYaml(comparisons()),
            functions=[
                *arithmetic(),
                *(predicate(name, impl) for name, impl in predicates.items()),
                *(counter(name, impl) for name, impl in self._counters.items()),
            ],
            extensions=[ext_strings.ExtStrings(), ext_math.ExtMath()],
        )

    def compile(self, text: str) -> Expression:
        """The expression. Raises BadExpression."""
        if len(text) > LONGEST:
            raise BadExpression([Problem(1, 1, f"an expression of {len(text)} characters", f"at most {LONGEST}")])
        if not text.strip():
            raise BadExpression([Problem(1, 1, "an empty expression")])
        try:
            compiled = self._env.compile(text)
        except (RuntimeError, ValueError, TypeError) as exc:
            raise BadExpression(problems(text, str(exc), self._known)) from None
        tree = read_tree(compiled.serialize())
        found = [problem_at(text, place, what, wanted) for place, what, wanted in self._item_problems(tree)]
        if found:
            raise BadExpression(found)
        names = self._variables & frozenset(tree.names.values())
        calls = self._calls & {part.what for part in tree.parts.values() if part.kind == CALL}
        return Expression(compiled, tree, self._kind(tree, tree.root), names, calls)

    def given(self, values: Mapping[str, object]) -> Any:
        """Values of variables, for any number of expressions; a Failure when CEL cannot hold them."""
        try:
            return self._env.Activation(values)
        except (RuntimeError, ValueError, TypeError) as exc:
            return Failure(reason(str(exc)))

    def _kind(self, tree: Tree, part: int) -> str:
        """CEL's type of a part; of a product's field, the type that field has."""
        kind, node = tree.types.get(part, "dyn"), tree.parts.get(part)
        if kind == "dyn" and node and node.kind == SELECT and tree.types.get(node.inner[0]) == ITEM:
            return self._item.get(node.what, "dyn")
        return kind

    def _counts(self, tree: Tree, number: int) -> bool:
        """Whether a part is a call of a counter."""
        part = tree.parts.get(number)
        return part is not None and part.kind == CALL and part.what in self._counters

    def _item_problems(self, tree: Tree) -> list[tuple[int, str, str]]:
        """(place, what, wanted) of fields no product has, and of texts set against numbers."""
        found = []
        for number, part in tree.parts.items():
            place = tree.places.get(number, 0)
            if part.kind == SELECT and tree.types.get(part.inner[0]) == ITEM and part.what not in self._item:
                found.append((place + 1, f"a product has no {part.what!r}", suggest(part.what, list(self._item))))
            if part.kind == SELECT and part.what not in self._windows and self._counts(tree, part.inner[0]):
                found.append((place + 1, f"there is no {part.what!r} to count", suggest(part.what, self._windows)))
            if part.kind == CALL and part.what in SAME and len(part.inner) == 2:
                kinds = [self._kind(tree, one) for one in part.inner]
                if {KIND.get(kind) for kind in kinds} == {"a number", "a text"}:
                    found.append((place, *mismatch(part.what, ", ".join(kinds))))
        return sorted(found)
