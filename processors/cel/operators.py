"""The standard operators declared anew, so that a fraction goes with a whole number.

Strict CEL refuses `cart.value >= 20`, a fraction against a whole number. Marketers write that all day, and it means one
thing only. So the comparisons get mixed pairs, which the library answers natively and exactly, and the four operations
get them by Python functions, which give a fraction. Everything else is as in the standard.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from cel_expr_python import cel

Predicate = Callable[[str], bool]

ORDER: Final = {"_>=_": "greater_equals", "_>_": "greater", "_<=_": "less_equals", "_<_": "less"}
EQUAL: Final = {"_==_": "equals", "_!=_": "not_equals"}
ARITHMETIC: Final[Mapping[str, tuple[str, Callable[[float, float], float]]]] = {
    "_+_": ("add", operator.add),
    "_-_": ("subtract", operator.sub),
    "_*_": ("multiply", operator.mul),
    "_/_": ("divide", operator.truediv),
}
PLAIN: Final = ("bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration")
MIXED: Final = (("int", "double"), ("double", "int"))
SUFFIX: Final = {"int": "int64", "uint": "uint64"}
A, B = "{type_name: A, is_type_param: true}", "{type_name: B, is_type_param: true}"


def comparisons() -> str:
    """The library's configuration, YAML: what of the standard is left out, and comparisons, `==` and `in` anew."""
    excluded = ", ".join(f'{{name: "{sign}"}}' for sign in (*ORDER, *EQUAL, "@in", *ARITHMETIC))
    lines = [f"stdlib: {{exclude_functions: [{excluded}]}}", "functions:"]
    for sign, word in ORDER.items():
        lines += _declare(sign, [*((_id(word, kind), _named(kind), _named(kind)) for kind in PLAIN), *_mixed(word)])
    for sign, word in EQUAL.items():
        lines += _declare(sign, [(word, A, A), *_mixed(word)])
    member = [("in_list", A, _list(A)), ("in_map", A, f"{{type_name: map, params: [{A}, {B}]}}")]
    member += [(_id("in_list", *pair), _named(pair[0]), _list(_named(pair[1]))) for pair in MIXED]
    return "\n".join([*lines, *_declare("@in", member)])


def arithmetic() -> list[Any]:
    """The four operations."""
    return [
        cel.FunctionDecl(sign, [*_own(sign, word), *_with_fractions(word, impl)])
        for sign, (word, impl) in ARITHMETIC.items()
    ]


def predicate(name: str, impl: Predicate) -> Any:
    """A function of one text that is true or false."""
    overload = cel.Overload(f"{name}_string", cel.Type.BOOL, [cel.Type.STRING], impl=impl)
    return cel.FunctionDecl(name, [overload])


def counter(name: str, impl: Callable[[str], Mapping[str, int]]) -> Any:
    """A function of one text that gives numbers by name, as `did("Product Viewed").week`."""
    numbers = cel.Type.Map(cel.Type.STRING, cel.Type.INT)
    return cel.FunctionDecl(name, [cel.Overload(f"{name}_string", numbers, [cel.Type.STRING], impl=impl)])


def _own(sign: str, word: str) -> list[Any]:
    """What the standard has, and the library answers natively: (suffix of the id, result, left, right)."""
    t = cel.Type
    lists, when, span = t.List(t.DYN), t.TIMESTAMP, t.DURATION
    rows = [(SUFFIX.get(name, name), kind, kind, kind) for name, kind in (("int", t.INT), ("double", t.DOUBLE))]
    if sign == "_+_":
        rows += [("string", t.STRING, t.STRING, t.STRING), ("list", lists, lists, lists)]
        rows += [("duration_timestamp", when, span, when)]
    if sign == "_-_":
        rows += [("timestamp_timestamp", span, when, when)]
    if sign in ("_+_", "_-_"):
        rows += [("timestamp_duration", when, when, span), ("duration_duration", span, span, span)]
    return [cel.Overload(f"{word}_{suffix}", gives, [left, right]) for suffix, gives, left, right in rows]


def _with_fractions(word: str, impl: Callable[[float, float], float]) -> list[Any]:
    kinds = {"int": cel.Type.INT, "double": cel.Type.DOUBLE}
    pairs = [(_id(word, *pair), [kinds[side] for side in pair]) for pair in MIXED]
    return [cel.Overload(name, cel.Type.DOUBLE, sides, impl=impl) for name, sides in pairs]


def _mixed(word: str) -> list[tuple[str, str, str]]:
    return [(_id(word, left, right), _named(left), _named(right)) for left, right in MIXED]


def _id(word: str, *kinds: str) -> str:
    """The standard's id of an overload, as `less_int64_double`."""
    return "_".join([word, *(SUFFIX.get(kind, kind) for kind in kinds)])


def _named(kind: str) -> str:
    return f"{{type_name: {kind}}}"


def _list(inner: str) -> str:
    return f"{{type_name: list, params: [{inner}]}}"


def _declare(sign: str, pairs: list[tuple[str, str, str]]) -> list[str]:
    """A function that is true or false, with (id, left, right) of its overloads."""
    lines = [f'  - name: "{sign}"', "    overloads:"]
    gives = "return: {type_name: bool}"
    return lines + [f"      - {{id: {name}, args: [{left}, {right}], {gives}}}" for name, left, right in pairs]
