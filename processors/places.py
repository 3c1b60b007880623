"""YAML with places: the data of a file, and where in the file each part of it stands.

How it works
------------
Plain scalars are read as YAML 1.2 does: `on` is a word, not true; `21:00` is text, not 1260. Anchors, aliases and tags
are refused: a playbook is read by people. An expression may stand plain, in quotes or in a block (`|`, `>`), over
several lines; `inside` finds a character of it in the file by walking both texts side by side.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

Path = tuple[str | int, ...]
"""Keys and indices from the top: ("plays", 2, "when")."""

BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
INT, FLOAT = re.compile(r"[-+]?\d+", re.ASCII), re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?", re.ASCII)
WORDS: Final = {"": None, "~": None, "null": None, "true": True, "True": True, "false": False, "False": False}
ESCAPES: Final = {"x": 4, "u": 6, "U": 10}
"""How long such an escape in double quotes is, backslash included."""
MOST: Final = 1_000_000
"""Characters of a file."""


@dataclass(frozen=True)
class Stain:
    """A fault of the YAML itself, at a character of the file."""

    index: int
    what: str
    wanted: str = ""
    path: Path = ()


class BadYaml(Exception):
    """A text that is no YAML we read."""

    def __init__(self, stain: Stain) -> None:
        super().__init__(stain.what)
        self.stain = stain


@dataclass
class Spot:
    """Where a part stands: characters from the start of the file."""

    key: int
    start: int
    end: int
    style: str = ""
    """Of a scalar: empty when plain, else ' " | or >."""
    text: str = ""


@dataclass
class Document:
    """A file's data, and its places."""

    text: str
    data: Any = None
    spots: dict[Path, Spot] = field(default_factory=dict)
    stains: list[Stain] = field(default_factory=list)

    def place(self, index: int) -> tuple[int, int]:
        """(line, column) of a character, both from 1."""
        line, start = 1, 0
        for match in BREAK.finditer(self.text, 0, index):
            line, start = line + 1, match.end()
        return line, index - start + 1

    def spot(self, path: Path) -> Spot:
        """Where a part stands, or the nearest part around it."""
        while path and path not in self.spots:
            path = path[:-1]
        return self.spots.get(path) or Spot(0, 0, 0)

    def inside(self, path: Path, line: int, column: int) -> int:
        """The character of the file that is at this line and column of a scalar's text."""
        spot = self.spot(path)
        before = spot.text.split("\n")[: line - 1]
        wanted = sum(len(row) + 1 for row in before) + column - 1
        places = [*_aligned(self.text[spot.start : spot.end], spot.style, spot.text)]
        return spot.start + (places[wanted] if wanted < len(places) else (places[-1] + 1 if places else 0))


def read_yaml(text: str, as_text: Callable[[Path], bool]) -> Document:
    """The document; `as_text` says which scalars are text whatever they look like. Raises BadYaml."""
    text = text.removeprefix("\ufeff")
    if len(text) > MOST:
        raise BadYaml(Stain(0, f"a file of {len(text)} characters", f"at most {MOST}"))
    document = Document(text)
    try:
        node = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        raise BadYaml(Stain(mark.index if mark else 0, *_words(exc))) from None
    except yaml.reader.ReaderError as exc:
        raise BadYaml(Stain(exc.position, "a character YAML does not allow", "plain text in UTF-8")) from None
    except RecursionError:
        raise BadYaml(Stain(0, "lists or maps nested too deeply")) from None
    if node is not None:
        document.data = _read(document, node, (), node.start_mark.index, as_text)
    return document


class _Loader(yaml.BaseLoader):
    """Composes nodes; makes nothing of them."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not read", problem_mark=event.start_mark)
        if getattr(event, "tag", None) not in (None, "!"):
            raise yaml.MarkedYAMLError(problem="tags are not read", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def _words(exc: yaml.MarkedYAMLError) -> tuple[str, str]:
    """What and wanted; the commonest complaints in words of our own."""
    problem = str(exc.problem or "not YAML")
    if "cannot start any token" in problem:
        return problem.replace("that cannot start any token", "where none may stand"), "spaces to indent, or quotes"
    if "block end" in problem:
        return "a line that stands in no list or map", "the same indentation as the lines it belongs to"
    if "another document" in problem:
        return "a second document", "one playbook in a file"
    return problem, str(exc.context or "")


def _read(document: Document, node: Any, path: Path, key: int, as_text: Callable[[Path], bool]) -> Any:
    """The plain data of a node, its spots noted. `key`: where its name stands."""
    spot = Spot(key, node.start_mark.index, node.end_mark.index)
    document.spots[path] = spot
    if isinstance(node, yaml.MappingNode):
        pairs = _pairs(document, node, path)
        return {name: _read(document, value, (*path, name), at, as_text) for name, at, value in pairs}
    if isinstance(node, yaml.SequenceNode):
        return [_read(document, n, (*path, i), n.start_mark.index, as_text) for i, n in enumerate(node.value)]
    spot.style, spot.text = node.style or "", node.value
    return node.value if node.style or as_text(path) else _plain(node.value)


def _pairs(document: Document, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, int, yaml.Node]]:
    """Name, its place and its value; repeated and nameless ones become stains."""
    seen: dict[str, int] = {}
    for name, value in node.value:
        at = name.start_mark.index
        if not isinstance(name, yaml.ScalarNode):
            document.stains.append(Stain(at, "a list or map as a name", "text before the colon", path))
        elif name.value in seen:
            line = document.place(seen[name.value])[0]
            document.stains.append(Stain(at, f"{name.value!r} stands here again", f"once; first in line {line}", path))
        else:
            seen[name.value] = at
            yield name.value, at, value


def _plain(text: str) -> object:
    """A plain scalar by YAML 1.2's core schema, without octal and hexadecimal."""
    if text in WORDS:
        return WORDS[text]
    if INT.fullmatch(text) and len(text) < 20:
        return int(text)
    return float(text) if FLOAT.fullmatch(text) else text


def _aligned(raw: str, style: str, text: str) -> Iterator[int]:
    """For each character of a scalar's text, its place in the raw text: what YAML took away is stepped over."""
    at = 1 if style in ("'", '"') else 0
    if style in ("|", ">"):
        at = len(raw.partition("\n")[0])
        while at < len(raw) and raw[at].isspace():
            at += 1
    for character in text:
        if style == '"' and raw[at : at + 1] == "\\" and raw[at + 1 : at + 2] not in ("\n", "\r"):
            yield at
            at += ESCAPES.get(raw[at + 1 : at + 2], 2)
            continue
        while at < len(raw) and raw[at] != character and not (character.isspace() and raw[at].isspace()):
            at += 1
        yield min(at, len(raw))
        at += 2 if style == "'" and character == "'" else 1
