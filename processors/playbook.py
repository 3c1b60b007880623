"""A playbook from its text: shape, sense and conditions are checked in one go, and every fault has its place."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, get_args
from unicodedata import east_asian_width

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from processors import conditions
from processors.checks import check, near
from processors.conditions import Compiler, Conditions, Slip
from processors.places import BREAK, BadYaml, Document, Path, read_yaml
from processors.standings import Finding, leaves, moves
from schemas.families import ALL, Kept
from schemas.identity import KINDS
from schemas.playbook import IntentModel, Playbook

WANTED: Final = {
    "id": "lower-case letters, digits and hyphens, as cart-abandoned",
    "purpose": "one word in lower case, as marketing or service",
    "purposes": "a list, as [marketing]",
    "required": "a list, as [marketing]",
    "on": "a list of one event or more, as [Product Added]",
    "unless": "a list of events, as [Order Completed]",
    "when": "CEL that is true or false, as cart.open && cart.value >= 20",
    "occurrence": "CEL that is text, one trigger for each, as cart.id",
    "channels": "a list of one channel or more, as [push, email]",
    "names": "a list of channels, as [push, email]",
    "offer": "names with texts, as {kind: reminder}",
    "data": "names with CEL, as {item: 'cart.items[0].name'}",
    "levels": "a list, as [{level: behavioural, leaves: [...]}]",
    "leaves": "a list of leaves, as [{id: loyal, when: orders.count >= 3}]",
    "level": "a name in lower case, as behavioural",
    "table": "a list of rows, as [{from: [awareness], on: [Product Added], to: consideration}]",
    "lapse": "a list, as [{from: conversion, after: 90d, to: awareness}]",
    "first": "the stage everybody begins in, as awareness",
    "engagement": "a list, as [{name: high, events: 30}]",
    "recency": "a list of durations, shortest first, as [30d, 90d]",
    **dict.fromkeys(("frequency", "monetary"), "a list of numbers, least first, as [2, 5]"),
    "plays": "a list, each play beginning with '- id: ...'",
    "caps": "a list, as [{per: customer, most: 2, within: 24h}]",
    "per": "customer, channel, play or purpose",
    "most": "a whole number from 1 to 1000",
    "from": 'a time of day in quotes, as "21:00"',
    "to": 'a time of day in quotes, as "08:00"',
    "then": "hold or drop",
    "unknown": "allow or refuse",
    "priority": "a whole number",
    "bias": "a number",
    "weights": "terms with numbers, as {views: 0.5}",
    "kinds": "kinds of ids, greatest first, as [user, card, anonymous]",
    "limits": "kinds of ids with how many persons in how long, as {device: {most: 5, within: 7d}}",
    "blocked": "a list of values, as [guest, '00*']",
    "sources": "a list of write keys' sources, as [shop, till]",
    "trust": "server or token",
    "usual": "where a customer is seen and a channel, as {app: push}",
    "complements": "a product or category with a list of products, as {tents: [peg-bag]}",
    **dict.fromkeys(
        ("after", "cooldown", "expires", "within", "half_life", "remember", "every"),
        "a duration as 45m, 24h or 7d, at most 400d",
    ),
}
"""What belongs into a field, by its name."""


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong, where (from 1), in which play (empty: in none), and what was wanted instead."""

    line: int
    column: int
    play: str
    what: str
    wanted: str = ""
    got: str = ""


class BadPlaybook(Exception):
    """A text that is no playbook we may use, with all its faults in the order of the text."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(f"line {f.line}, column {f.column}: {f.what}; wanted {f.wanted}" for f in faults))
        self.faults = faults


@dataclass(frozen=True)
class Loaded:
    """A playbook ready for use."""

    playbook: Playbook
    conditions: Conditions
    version: str


def read_playbook(text: str, kept: Kept = ALL) -> Loaded:
    """The playbook in a YAML text, for an installation that keeps these families of facts. Raises BadPlaybook."""
    try:
        document = read_yaml(text, _is_text)
    except BadYaml as exc:
        line, column = Document(text.removeprefix("\ufeff")).place(exc.stain.index)
        raise BadPlaybook([Fault(line, column, "", exc.stain.what, exc.stain.wanted)]) from None
    reader = Reader(document, kept)
    faults = sorted({*reader.faults()})
    if faults:
        raise BadPlaybook(faults)
    playbook = Playbook.model_validate(document.data)
    return Loaded(playbook, conditions.compile(playbook, reader.compiler), version(playbook))


def version(playbook: Playbook) -> str:
    """16 hexadecimal digits of what the playbook says: comments, order and written-out defaults are nothing."""
    content = playbook.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def excerpt(text: str, fault: Fault) -> str:
    """The line at fault, and under it a caret."""
    row = BREAK.split(text.removeprefix("\ufeff"))[fault.line - 1]
    wide = ("\t" if c == "\t" else "  " if east_asian_width(c) in "WF" else " " for c in row[: fault.column - 1])
    return f"{row}\n{''.join(wide)}^"


def _is_text(path: Path) -> bool:
    """Expressions and offers are text, also where they look like a number: `when: true`, `offer: {percent: 10}`."""
    if path[:1] in (("segments",), ("stages",)):
        return path[-1] == "when"
    if len(path) < 3 or path[0] != "plays":
        return False
    return path[2] in ("when", "occurrence") or (len(path) == 4 and path[2] in ("data", "offer"))


class Reader:
    """Finds all the faults of a document."""

    def __init__(self, document: Document, kept: Kept = ALL) -> None:
        self.document = document
        self.data: Any = document.data
        self.compiler = Compiler(kept)

    def faults(self) -> Iterator[Fault]:
        """All of them, in no order."""
        yield from (self._fault(stain.index, stain.path, stain.what, stain.wanted) for stain in self.document.stains)
        if not isinstance(self.data, dict):
            yield Fault(1, 1, "", "no playbook", "names as policies, intent, plays at the left margin")
            return
        yield from (self._shape(error, tuple(error["loc"])) for error in _errors(self.data))
        yield from (self._sense(finding) for finding in check(self.data, self.compiler.kept))
        yield from self._conditions()

    def _fault(self, index: int, path: Path, what: str, wanted: str, got: str = "") -> Fault:
        line, column = self.document.place(index)
        return Fault(line, column, self._play(path), what, wanted, got)

    def _play(self, path: Path) -> str:
        """Id of the play a path leads into."""
        if path[:1] != ("plays",) or len(path) < 2:
            return ""
        spot = self.document.spots.get((*path[:2], "id"))
        return spot.text if spot else ""

    def _shape(self, error: ErrorDetails, loc: Path) -> Fault:
        kind, name = error["type"], next((part for part in reversed(loc) if isinstance(part, str)), "")
        if kind == "extra_forbidden":
            known = _fields_beside(loc)
            wanted = near(name, known) or "one of " + ", ".join(known)
            return self._fault(self.document.spot(loc).key, loc, f"unknown field {name!r}", wanted)
        if kind == "missing":
            start = self.document.spot(loc[:-1]).start
            return self._fault(start, loc, f"{name!r} is missing", WANTED.get(name, ""))
        if loc[-1:] == ("[key]",) and loc[0] == "identity":
            wanted = near(str(loc[-2]), KINDS) or "one of " + ", ".join(KINDS)
            return self._fault(self.document.spot(loc[:-1]).key, loc, f"unknown kind of id {loc[-2]!r}", wanted)
        if loc[-1:] == ("[key]",):
            term, known = str(loc[-2]), _terms()
            wanted = near(term, known) or "one of " + ", ".join(known)
            return self._fault(self.document.spot(loc[:-1]).key, loc, f"unknown term {term!r}", wanted)
        if name == "steps":
            what, wanted = "'steps' are not supported yet", "one play for each step"
            return self._fault(self.document.spot(loc).key, loc, what, wanted)
        return self._value(error, loc, name)

    def _value(self, error: ErrorDetails, loc: Path, name: str) -> Fault:
        got = repr(error["input"])
        got = got if len(got) <= 60 else got[:57] + "..."
        wanted = next(
            (WANTED[part] for part in reversed(loc) if isinstance(part, str) and part in WANTED), error["msg"]
        )
        what = f"{name!r} cannot be {got}" if name else f"a playbook cannot be {got}"
        return self._fault(self.document.spot(loc).start, loc, what, wanted, got)

    def _sense(self, finding: Finding) -> Fault:
        spot = self.document.spot(finding.path)
        return self._fault(spot.key if finding.name else spot.start, finding.path, finding.what, finding.wanted)

    def _conditions(self) -> Iterator[Fault]:
        """Faults of expressions, also in plays whose shape is at fault."""
        plays = self.data.get("plays")
        for number, play in enumerate(plays if isinstance(plays, list) else []):
            if isinstance(play, dict):
                after = play.get("after") is not None
                for slip in self.compiler.slips(number, str(play.get("id", "")), _texts(play), after):
                    yield self._slip(slip)
        for path, text, event in rules(self.data):
            for problem in self.compiler.rule_problems(text, event):
                index = self.document.inside(path, problem.line, problem.column)
                yield self._fault(index, path, problem.what, problem.wanted or WANTED["when"])

    def _slip(self, slip: Slip) -> Fault:
        path: Path = ("plays", slip.number, *slip.field.split(".", 1))
        index = self.document.inside(path, slip.problem.line, slip.problem.column)
        return self._fault(index, path, slip.problem.what, slip.problem.wanted or WANTED[str(path[2])])


def _errors(data: Any) -> list[ErrorDetails]:
    try:
        Playbook.model_validate(data)
    except ValidationError as exc:
        return exc.errors(include_url=False)
    return []


def _texts(play: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, expression) of a play as it stands in the file."""
    data = play.get("data")
    fields = [("when", play.get("when")), ("occurrence", play.get("occurrence"))]
    fields += [(f"data.{name}", text) for name, text in (data.items() if isinstance(data, dict) else ())]
    return ((field, text) for field, text in fields if isinstance(text, str))


def rules(data: dict[str, Any]) -> Iterator[tuple[Path, str, bool]]:
    """(path, condition, whether an event is asked about) of segments and stages as they stand in the file."""
    for path, leaf in leaves(data):
        if isinstance(leaf.get("when"), str):
            yield (*path, "when"), leaf["when"], False
    for path, move in moves(data):
        if isinstance(move.get("when"), str):
            yield (*path, "when"), move["when"], True


def _terms() -> list[str]:
    schema = IntentModel.model_json_schema()["properties"]["weights"]
    return list(schema["propertyNames"]["enum"])


def _fields_beside(loc: Path) -> list[str]:
    """Fields the part has in which an unknown one stands."""
    part: type[BaseModel] = Playbook
    for step in loc[:-1]:
        if isinstance(step, str) and step in part.model_fields:  # else it is a name the marketer gave
            part = _part(part, step)
    return [info.alias or name for name, info in part.model_fields.items() if name != "steps"]


def _part(outer: type[BaseModel], name: str) -> type[BaseModel]:
    """The part under this name: found through its type, a list or an optional one included."""
    todo: list[Any] = [outer.model_fields[name].annotation]
    for hint in todo:
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            return hint
        todo += get_args(hint)
    return outer
