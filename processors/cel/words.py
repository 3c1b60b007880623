"""The library's complaints about an expression, in words a marketer understands, at the place he looks for them.

The patterns are the wording of cel-cpp as the pinned library carries it; a complaint in other words goes through as is.
"""

import re
from difflib import get_close_matches
from typing import Final

from msgspec import Struct

from processors.cel.tree import ITEM

COMPLAINT: Final = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
UNKNOWN: Final = re.compile(r"undeclared reference to '([^']*)'")
OVERLOAD: Final = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
SYNTAX: Final = re.compile(r"Syntax error: (.*)", re.DOTALL)
UNEXPECTED: Final = re.compile(
    r"(?:mismatched input|extraneous input|viable alternative at input|error at:) '(.*?)'?(?: expecting|$)"
)

ELSEWHERE: Final = {"and": "&&", "or": "||", "not": "!", "=": "==", "true": "true", "false": "false", "none": "null"}
"""What other languages say, and what CEL says."""
FUNCTIONS: Final = ("size", "contains", "startsWith", "endsWith", "matches", "exists", "filter", "string", "double")
"""CEL's own that are worth suggesting."""
SAME: Final = frozenset(("_==_", "_!=_", "_>=_", "_>_", "_<=_", "_<_", "_+_", "_-_", "_*_", "_/_"))
"""Operators whose sides must be of one kind."""
KIND: Final = {
    "int": "a number",
    "double": "a number",
    "uint": "a number",
    "string": "a text",
    "bool": "true or false",
    "null_type": "null",
    "dyn": "anything",
    "map(dyn, dyn)": "a product",
    ITEM: "a product",
}


class Problem(Struct, frozen=True):
    """What is wrong with an expression. Line and column count from 1, in the expression; columns are characters."""

    line: int
    column: int
    what: str
    wanted: str = ""


def kind_word(kind: str) -> str:
    """A type of CEL's, in words."""
    return KIND.get(kind) or ("a list" if kind.startswith("list") else kind)


def problems(text: str, complaint: str, known: list[str]) -> list[Problem]:
    """Everything the library said of this text. `known`: all names it may use."""
    said = COMPLAINT.findall(complaint)
    placed = [(int(line), int(column), what) for line, column, what in said if int(line) > 0]
    found = [_problem(text, line, column, what, known) for line, column, what in placed]
    if not found and "recursion" in complaint:
        return [Problem(1, 1, "an expression nested too deeply", "parentheses around parts, or fewer parts")]
    return found or [Problem(1, 1, reason(complaint))]


def _problem(text: str, line: int, column: int, what: str, known: list[str]) -> Problem:
    if match := UNKNOWN.match(what):
        return _unknown(text, line, column, match[1], known)
    if match := OVERLOAD.match(what):
        return Problem(line, column, *mismatch(match[1], match[2]))
    if match := SYNTAX.match(what):
        return Problem(line, column, *_syntax(match[1]))
    return Problem(line, column, what)


def _unknown(text: str, line: int, column: int, name: str, known: list[str]) -> Problem:
    """The library points at a name's last dot or at its parenthesis; we point at where it begins."""
    row = text.split("\n")[line - 1]
    start = row.rfind(name, 0, column - 1 + len(name))
    at = start + 1 if 0 <= start < column <= start + len(name) + 1 else column
    if name.lower() in ELSEWHERE:
        return Problem(line, at, f"unknown name {name!r}", f"write {ELSEWHERE[name.lower()]}")
    return Problem(line, at, f"unknown name {name!r}", suggest(name, [*known, *FUNCTIONS]))


def mismatch(function: str, kinds: str) -> tuple[str, str]:
    """What and wanted, for a function that does not take these kinds (CEL's types, by commas)."""
    sides = [kind_word(kind) for kind in re.split(r", (?![^(]*\))", kinds)]
    sign = {"_?_:_": "? :", "@in": "in", "_[_]": "[ ]"}.get(function, function.strip("_"))
    wanted = "both sides of one kind" if function in SAME else ""
    if function in ("_&&_", "_||_", "!_"):
        wanted = "true or false, not " + next((side for side in sides if side != "true or false"), "this")
    if function == "_?_:_":
        wanted = "true or false before the ?, then two values of one kind (20.0, not 20, beside a fraction)"
    return f"{sign!r} does not take {' and '.join(sides)}", wanted


def _syntax(complaint: str) -> tuple[str, str]:
    match = UNEXPECTED.search(complaint)
    seen = match[1].strip().strip("'") if match else ""
    if "<EOF>" in complaint.partition(" expecting")[0]:
        return "the expression ends too early", complaint.partition(" at ")[0] if "missing" in complaint else ""
    if seen.lower() in ELSEWHERE:
        return f"unexpected {seen!r}", f"write {ELSEWHERE[seen.lower()]}"
    if seen == ",":
        return "unexpected ','", "a point in fractions: 20.5"
    return (f"unexpected {seen!r}" if match else complaint.partition(" expecting")[0]), ""


def suggest(name: str, known: list[str]) -> str:
    """What may have been meant: the nearest name, else the names in the same room, else how to find them."""
    last = name.rpartition(".")[2]
    near = [k for k in known if "." in name and k.rpartition(".")[2] == last] or get_close_matches(name, known, 1, 0.7)
    inside = [k for k in known if k.startswith(name.partition(".")[0] + ".")]
    if inside and near and near[0] not in inside:
        near = get_close_matches(name, inside, 1, 0.7)
    if near:
        return f"did you mean {near[0]!r}?"
    return "one of " + ", ".join(inside or sorted({k.partition(".")[0] for k in known}))


def reason(text: str) -> str:
    """One line of the library's, without its status word in front and behind."""
    line = text.strip().partition("\n")[0]
    return re.sub(r"^[A-Z_]+: | \[[A-Z_]+\]$", "", line)[:300]


def problem_at(text: str, place: int, what: str, wanted: str) -> Problem:
    """A problem at a place that counts characters from 0."""
    before = text[:place].split("\n")
    return Problem(len(before), len(before[-1]) + 1, what, wanted)
