"""What a checked expression says about itself: its parts, which names it reads, and the type and place of each part.

The library hands a checked expression out only as bytes: `cel.expr.CheckedExpr`, a published protobuf message. Reading
the few fields we want takes less than a dependency on protobuf would. Source: google/cel-spec, proto/cel/expr.
"""

from collections.abc import Iterator
from struct import unpack

from msgspec import Struct

Fields = list[tuple[int, "int | bytes"]]

KINDS = {1: "bool", 2: "int", 3: "uint", 4: "double", 5: "string", 6: "bytes"}
"""PrimitiveType -> our word."""
ITEM = "item"
"""A map of dyn to dyn: how products are declared, and nothing else."""

CONSTANT, IDENT, SELECT, CALL, LIST, STRUCT, COMPREHENSION = 3, 4, 5, 6, 7, 8, 9

Value = bool | int | float | str | None


class Part(Struct, gc=False):
    """One node: `what` is the name of an identifier, the field of a selection, the function of a call or the variable
    of a loop."""

    kind: int
    what: str
    inner: list[int]
    """Ids: of a selection its operand; of a call its target, if any, then its arguments; of a loop its range, what it
    begins with, whether it goes on, its step and its result."""
    value: Value = None
    """Of a constant (None: null, or of a kind we do not read); of a selection True if it only tests, as `has` does."""


class Tree(Struct):
    """A checked expression. Everything is by the id of a part; places count characters from 0."""

    root: int
    parts: dict[int, Part]
    names: dict[int, str]
    types: dict[int, str]
    places: dict[int, int]


def read_tree(checked: bytes) -> Tree:
    """The tree in what `Expression.serialize` gave: a google.protobuf.Any that holds a CheckedExpr."""
    message = next(v for number, v in _fields(checked) if number == 2)
    tree = Tree(0, {}, {}, {}, {})
    for number, value in _fields(_bytes(message)):
        if number == 2:
            _reference(tree, _bytes(value))
        elif number == 3:
            entry = dict(_fields(_bytes(value)))
            tree.types[_int(entry.get(1, 0))] = _type(_bytes(entry.get(2, b"")))
        elif number == 4:
            _expression(tree, _bytes(value))
        elif number == 5:
            _source(tree, _bytes(value))
    return tree


def _reference(tree: Tree, entry: bytes) -> None:
    """Of identifiers only: a reference to a function has overloads (field 3)."""
    fields = dict(_fields(entry))
    reference = dict(_fields(_bytes(fields.get(2, b""))))
    if 3 not in reference:
        tree.names[_int(fields.get(1, 0))] = _text(reference.get(1, b""))


def _type(message: bytes) -> str:
    for number, value in _fields(message):
        if number == 1:
            return "dyn"
        if number == 2:
            return "null"
        if number == 3:
            return KINDS.get(_int(value), "other")
        if number == 6:
            return "list"
        if number == 7:
            inner = dict(_fields(_bytes(value)))
            return ITEM if all(_type(_bytes(inner.get(n, b""))) == "dyn" for n in (1, 2)) else "map"
    return "other"


def _expression(tree: Tree, message: bytes) -> None:
    """All parts, without recursion: a long sum is a deep tree."""
    waiting = [message]
    tree.root = _int(dict(_fields(message)).get(2, 0))
    while waiting:
        fields = _fields(waiting.pop())
        id_ = next((_int(v) for number, v in fields if number == 2), 0)
        for kind, body in fields:
            if kind >= CONSTANT:
                part, inner = _part(kind, _bytes(body))
                part.inner = [_int(dict(_fields(one)).get(2, 0)) for one in inner]
                tree.parts[id_] = part
                waiting += inner


def _part(kind: int, body: bytes) -> tuple[Part, list[bytes]]:
    """A part, and the expressions in it still to be read."""
    fields = _fields(body)
    if kind == CONSTANT:
        return Part(kind, "", [], _value(fields)), []
    name = {IDENT: 1, SELECT: 2, CALL: 2, COMPREHENSION: 1}.get(kind, 0)
    inner = {SELECT: (1,), CALL: (1, 3), LIST: (1,), COMPREHENSION: (2, 4, 5, 6, 7)}.get(kind, ())
    what = next((_text(v) for number, v in fields if number == name), "")
    expressions = [_bytes(v) for number, v in fields if number in inner]
    if kind == STRUCT:
        expressions = [_bytes(v) for n, entry in fields if n == 2 for m, v in _fields(_bytes(entry)) if m in (3, 4)]
    tests = True if kind == SELECT and any(n == 3 for n, _ in fields) else None
    return Part(kind, what, [], tests), expressions


def _value(fields: Fields) -> Value:
    for number, value in fields:
        match number, value:
            case 2, int():
                return value != 0
            case 3, int():
                return value - (1 << 64) if value >> 63 else value
            case 5, bytes():
                return float(unpack("<d", value)[0])
            case 6, bytes():
                return value.decode()
    return None


def _source(tree: Tree, message: bytes) -> None:
    for number, value in _fields(message):
        if number == 4:
            entry = dict(_fields(_bytes(value)))
            tree.places[_int(entry.get(1, 0))] = _int(entry.get(2, 0))


def _fields(message: bytes) -> Fields:
    return list(_walk(message))


def _walk(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, varint or bytes) of a protobuf message; fixed-width values come as their bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        width = tag & 7
        if width == 0:
            number, at = _varint(message, at)
            yield tag >> 3, number
            continue
        size = {1: 8, 5: 4}.get(width, 0)
        if width == 2:
            size, at = _varint(message, at)
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _bytes(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else b""


def _int(value: int | bytes) -> int:
    return value if isinstance(value, int) else 0


def _text(value: int | bytes) -> str:
    return _bytes(value).decode()
