"""Expressions as Python: a plain condition is answered a tenth as dear as by the library, with the same answer.

How it works
------------
The tree of a checked expression becomes the source of one Python function of the thing asked (`view`), compiled once.
It reads only what it reaches: `cart.open && did("Product Viewed").week > 3` counts nothing where no cart is open.

An answer is given only where Python surely says what CEL says; else the function raises one of UNSURE, and the library
is asked. So whatever is an error in CEL (a missing key, a division by zero, `error && false`) is left to it, with its
reason. The subset, and why it is exact:

- Variables, fields of products and entries of maps. Each is checked when it is read: it has the type that was declared
  or that the other side asks for, text can be UTF-8, whole numbers are within 2^53, where CEL too compares them with
  fractions exactly.
- `== != < <= > >=` of numbers, of texts (by code points is by UTF-8 bytes) and of bools; `&& || ! ?:`, left to right.
- `+ - * /` of fractions, or of a fraction and a whole number: IEEE doubles here and there. `+ - *` of whole numbers
  whose result is within 2^53. `+` of texts.
- `in` a list of constants, a list of texts or a map; the n-th of a list; `has` of a map's entry; `size`, `contains`,
  `startsWith`, `endsWith`, `string` of whole numbers.
- `exists`, `all` and `filter` over a list of the view, not one in another, with fewer steps than the library allows.
- Predicates and counters.

One difference: a value that CEL cannot hold, as half a surrogate pair, is an error there even where it is not reached.
No record can bring one.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final

from msgspec import Struct

from processors.cel.tree import CALL, COMPREHENSION, CONSTANT, IDENT, LIST, SELECT, Part, Tree

Closure = Callable[[Any], bool | int | float | str]
Said = tuple[str, str]
"""A source, and the kind of its value: one of CEL's words, or `list<...>`, `map`, `item`, `dyn`."""

UNSURE: Final = (ArithmeticError, LookupError, TypeError, ValueError)
"""Raised by a closure that leaves the answer to the library."""
WHOLE: Final = 1 << 53
STEPS: Final = 5_000
"""Of all loops of an expression; the library allows twice as many."""

SORT: Final = {"int": "number", "double": "number", "string": "text", "bool": "flag"}
"""Kind -> what it may be compared with, which is also who checks a value that may be of any kind."""
READ: Final = {
    "int": f"(v if type(v := {{}}) is int and -{WHOLE} <= v <= {WHOLE} else wrong())",
    "double": "(v if type(v := {}) is float else wrong())",
    "string": "(v if type(v := {}) is str and v.isascii() else text(v))",
    "bool": "(v if type(v := {}) is bool else wrong())",
}
"""Kind -> how such a value is read."""
COMPARED: Final = {"_==_": "==", "_!=_": "!=", "_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">="}
LOGIC: Final = {"_&&_": "and", "_||_": "or"}
ARITHMETIC: Final = {"_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/"}
TEXTS: Final = {"contains": "({1} in {0})", "startsWith": "{0}.startswith({1})", "endsWith": "{0}.endswith({1})"}


class Names(Struct, frozen=True):
    """What expressions may name, and how it is got from the thing asked."""

    variables: Mapping[str, tuple[str, str]]
    """Name -> CEL's type, and where it is: `("double", "cart.value")`."""
    item: Mapping[str, str]
    """Field of a product -> CEL's type."""
    predicates: Mapping[str, Callable[[Any, str], bool]]
    counters: Mapping[str, Callable[[Any, str, str], int]]
    """Of the thing, the text and the window."""


def closure(tree: Tree, names: Names) -> Closure | None:
    """The expression as a function of the thing asked; None: it is outside the subset."""
    try:
        source, kind = _Source(tree, names).part(tree.root)
        source = f"scalar({source})" if kind == "dyn" else source if kind in SORT else _outside()
    except Outside:
        return None
    known = {"call_" + name: call for name, call in (*names.predicates.items(), *names.counters.items())}
    # the source holds nothing but our own words and constants by `repr`
    function: Closure = eval(f"lambda view: {source}", HELPERS | known)
    return function


class Outside(Exception):
    """A part the subset does not have."""


class _Source:
    """Python for the parts of a tree. Each method raises Outside."""

    def __init__(self, tree: Tree, names: Names) -> None:
        self._parts, self._names = tree.parts, names
        self._steps = STEPS // max(1, sum(part.kind == COMPREHENSION for part in tree.parts.values()))
        self._loop: tuple[str, str] | None = None
        """The variable of the loop we are in, and its kind."""
        self._ways: dict[int, Callable[[Part], Said]] = {
            CONSTANT: lambda part: _constant(part.value),
            IDENT: self._variable,
            SELECT: self._selection,
            CALL: self._call,
            COMPREHENSION: self._looped,
        }
        self._others: dict[str, Callable[..., Said]] = {
            "!_": self._not,
            "-_": self._minus,
            "_?_:_": self._choice,
            "@in": self._in,
            "_[_]": self._nth,
            "size": self._size,
            "string": self._string,
        }

    def part(self, number: int) -> Said:
        """What one part says."""
        part = self._parts[number]
        return self._ways[part.kind](part) if part.kind in self._ways else _outside()

    def _variable(self, part: Part) -> Said:
        if self._loop and part.what == self._loop[0]:
            return _read("one", self._loop[1])
        if part.what not in self._names.variables:
            raise Outside
        kind, place = self._names.variables[part.what]
        if kind.startswith("list<"):
            return f"listed(view.{place}, {self._steps})", kind
        return _read(f"view.{place}", "map" if kind.startswith("map<") else kind)

    def _selection(self, part: Part) -> Said:
        """The field of a product, the entry of a map, or the window of a counter."""
        of, field = self._parts[part.inner[0]], part.what
        if of.kind == CALL and of.what in self._names.counters and not part.value:
            return f"call_{of.what}(view, {self._as('text', of.inner[0])}, {field!r})", "int"
        source, kind = self.part(part.inner[0])
        if kind == "map":
            return (f"({field!r} in {source})", "bool") if part.value else (f"{source}[{field!r}]", "dyn")
        if kind == "item" and field in self._names.item and not part.value:
            return _read(f"{source}.{field}", self._names.item[field])
        raise Outside

    def _call(self, part: Part) -> Said:
        name, inner = part.what, part.inner
        if name in COMPARED:
            left, right = self._alike(*inner)
            return f"({left} {COMPARED[name]} {right})", "bool"
        if name in LOGIC:
            return f"({self._as('flag', inner[0])} {LOGIC[name]} {self._as('flag', inner[1])})", "bool"
        if name in ARITHMETIC:
            return self._arithmetic(ARITHMETIC[name], *inner)
        if name in TEXTS:
            return TEXTS[name].format(*(self._as("text", one) for one in inner)), "bool"
        if name in self._names.predicates:
            return f"call_{name}(view, {self._as('text', inner[0])})", "bool"
        return self._others[name](*inner) if name in self._others else _outside()

    def _as(self, sort: str, number: int) -> str:
        """A part that must be of a sort."""
        return _of_sort(sort, self.part(number))

    def _alike(self, *numbers: int) -> list[str]:
        """Parts of one sort."""
        said = [self.part(number) for number in numbers]
        sorts = {SORT.get(kind, "") for _, kind in said if kind != "dyn"}
        return [_of_sort(sort, one) for one in said] if len(sorts) == 1 and (sort := sorts.pop()) else _outside()

    def _arithmetic(self, sign: str, left: int, right: int) -> Said:
        (a, kind), (b, other) = self.part(left), self.part(right)
        source, kinds = f"({a} {sign} {b})", {kind, other}
        if kinds == {"string"} and sign == "+":
            return source, "string"
        if kinds <= {"int", "double"} and "double" in kinds:
            return source, "double"
        if kinds != {"int"} or sign == "/":
            raise Outside
        return f"whole{source}", "int"

    def _not(self, one: int) -> Said:
        return f"(not {self._as('flag', one)})", "bool"

    def _minus(self, one: int) -> Said:
        source, kind = self.part(one)
        return (f"(-{source})", kind) if kind in ("int", "double") else _outside()

    def _choice(self, when: int, then: int, other: int) -> Said:
        (yes, kind), (no, same) = self.part(then), self.part(other)
        return (f"({yes} if {self._as('flag', when)} else {no})", kind) if kind == same else _outside()

    def _in(self, one: int, many: int) -> Said:
        there = self._parts[many]
        if there.kind == LIST and there.inner and all(self._parts[each].kind == CONSTANT for each in there.inner):
            left, *constants = self._alike(one, *there.inner)
            return f"({left} in ({', '.join(constants)},))", "bool"
        source, kind = self.part(many)
        if kind not in ("map", "list<string>"):
            raise Outside
        return f"({self._as('text', one)} in {source if kind == 'map' else f'texts({source})'})", "bool"

    def _nth(self, many: int, which: int) -> Said:
        source, kind = self.part(many)
        at, number = self.part(which)
        if number == "int" and at.isdecimal() and kind.startswith("list<"):
            return _read(f"{source}[{at}]", kind[5:-1])
        return (f"{source}[{self._as('text', which)}]", "dyn") if kind == "map" else _outside()

    def _size(self, one: int) -> Said:
        source, kind = self.part(one)
        return (f"len({source})", "int") if kind in ("string", "map") or kind.startswith("list<") else _outside()

    def _string(self, one: int) -> Said:
        source, kind = self.part(one)
        return (f"str({source})", "string") if kind in ("int", "string") else _outside()

    def _looped(self, part: Part) -> Said:
        """What `exists`, `all` and `filter` were made into. Other loops have other steps."""
        over, start, _, step, _ = part.inner
        source, kind = self.part(over)
        if self._loop or self._parts[over].kind != IDENT or not kind.startswith("list<"):
            raise Outside
        self._loop, sign, inner = (part.what, kind[5:-1]), self._parts[step].what, self._parts[step].inner
        try:
            if sign in LOGIC:
                word = "any" if sign == "_||_" else "all"
                return f"{word}({self._as('flag', inner[1])} for one in {source})", "bool"
            if sign == "_?_:_" and self._parts[start].kind == LIST and self._adds(inner[1], part.what):
                return f"[one for one in {source} if {self._as('flag', inner[0])}]", kind
        finally:
            self._loop = None
        raise Outside

    def _adds(self, number: int, variable: str) -> bool:
        """Whether a step adds the loop's variable itself to the result."""
        added = self._parts[self._parts[number].inner[1]]
        one = self._parts[added.inner[0]]
        return one.kind == IDENT and one.what == variable


def _outside() -> Any:
    raise Outside


def _constant(value: object) -> Said:
    kind = {bool: "bool", int: "int", float: "double", str: "string"}.get(type(value), "")
    far = (isinstance(value, int) and abs(value) > WHOLE) or (isinstance(value, float) and not isfinite(value))
    return (repr(value), kind) if kind and not far else _outside()


def _read(source: str, kind: str) -> Said:
    return READ[kind].format(source) if kind in READ else source, kind


def _of_sort(sort: str, said: Said) -> str:
    source, kind = said
    if kind == "dyn":
        return f"{sort}({source})"
    return source if SORT.get(kind) == sort else _outside()


def wrong() -> Any:
    raise TypeError


def number(value: object) -> object:
    return value if type(value) is float else whole(value)


def flag(value: object) -> object:
    return value if type(value) is bool else wrong()


def text(value: object) -> str:
    if type(value) is not str:
        raise TypeError
    value.encode()
    return value


def texts(values: list[str]) -> list[str]:
    for value in values:
        text(value)
    return values


def scalar(value: object) -> object:
    return value if type(value) is float or type(value) is bool else text(value)


def listed(values: object, most: int) -> object:
    return values if type(values) is list and len(values) <= most else wrong()


def whole(value: object) -> object:
    return value if type(value) is int and -WHOLE <= value <= WHOLE else wrong()


HELPERS: Final[dict[str, Any]] = {
    one.__name__: one for one in (wrong, number, flag, text, texts, scalar, listed, whole)
}
"""What sources call: each gives the value back, or raises one of UNSURE."""
