"""What makes no sense in segments and stages: leaves and stages nobody can ever be in, names used twice.

What is said of a leaf is what can be decided from the text: an earlier leaf that is always true, or one that asks the
same. Whether `orders.count > 3` leaves anything to `orders.count > 5` is not looked at.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from processors.places import Path
from schemas.playbook import OTHERS

Part = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """Something that makes no sense. `name`: the fault is in the name before the colon."""

    path: Path
    what: str
    wanted: str = ""
    name: bool = False


def standings(playbook: Part) -> Iterator[Finding]:
    """Everything at fault in both."""
    yield from _leaves(playbook)
    stages = playbook.get("stages")
    if isinstance(stages, dict):
        yield from _stages(playbook, stages)


def leaves(playbook: Part) -> Iterator[tuple[Path, Part]]:
    """(path, leaf) in order, as they stand in the file."""
    for path, level in _parts(playbook.get("segments"), ("segments",), "levels"):
        yield from _parts(level, path, "leaves")


def moves(playbook: Part) -> Iterator[tuple[Path, Part]]:
    """(path, row) of the table of stages."""
    yield from _parts(playbook.get("stages"), ("stages",), "table")


def _parts(part: Any, path: Path, name: str) -> Iterator[tuple[Path, Part]]:
    found = part.get(name) if isinstance(part, dict) else None
    for i, one in enumerate(found if isinstance(found, list) else []):
        if isinstance(one, dict):
            yield (*path, name, i), one


def _leaves(playbook: Part) -> Iterator[Finding]:
    ids: set[str] = {OTHERS}
    asked: dict[str, str] = {}
    for path, leaf in leaves(playbook):
        id, when = str(leaf.get("id")), "".join(str(leaf.get("when")).split())
        if id in ids:
            what = f"{OTHERS!r} is the leaf of those no other takes" if id == OTHERS else f"a second leaf {id!r}"
            yield Finding((*path, "id"), what, "an id of its own")
        first = asked.get("true") or asked.get(when)
        if first:
            why = "takes everybody" if "true" in asked else "asks the same"
            yield Finding((*path, "when"), f"{id!r} can never be reached", f"it before {first!r}, which {why}")
        if when == "false":
            yield Finding((*path, "when"), f"{id!r} can never be reached", "a condition that can hold")
        ids.add(id)
        asked.setdefault(when, id)


def _stages(playbook: Part, stages: Part) -> Iterator[Finding]:
    """A stage is reached when it is the first, or a row or a lapse leads there from one that is."""
    edges: list[tuple[Path, list[str], str]] = []
    for path, move in moves(playbook):
        froms = move.get("from")
        edges.append((path, [str(one) for one in froms] if isinstance(froms, list) else [], str(move.get("to"))))
    for path, lapse in _parts(stages, ("stages",), "lapse"):
        edges.append((path, [str(lapse.get("from"))], str(lapse.get("to"))))
    reached = {str(stages.get("first"))}
    for _ in edges:
        reached |= {to for _, froms, to in edges if reached.intersection(froms)}
    for path, froms, _ in edges:
        for stage in froms:
            if stage not in reached:
                wanted = "one of " + ", ".join(sorted(reached)) + "; or a row that leads there"
                yield Finding((*path, "from"), f"nobody is ever in stage {stage!r}", wanted)
    lapses = [str(lapse.get("from")) for _, lapse in _parts(stages, ("stages",), "lapse")]
    for i, stage in enumerate(lapses):
        if stage in lapses[:i]:
            yield Finding(("stages", "lapse", i, "from"), f"a second lapse from {stage!r}", "one for each stage")
