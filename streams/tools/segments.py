"""`kairos segments`: how many customers are in each segment and stage. Counted by the commits: nobody is looked at."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from schemas.playbook import OTHERS, Playbook
from streams.settings import Settings
from streams.state import open_store
from streams.tools.asking import PATIENCE, ask, metas
from streams.tools.customer import current

Row = tuple[str, str, str, int]
"""Kind (segment or stage), level, name, customers."""


def segments(
    as_json: Annotated[bool, typer.Option("--json", help="one segment or stage a line")] = False,
) -> None:
    """How many customers are in each segment and in each stage, in the playbook's order."""

    async def work(settings: Settings) -> list[Row]:
        store = open_store(settings, PATIENCE)
        try:
            return rows(await current(store), counts(await metas(settings, store)))
        finally:
            await store.close()

    found = ask(work)
    if as_json:
        for kind, level, name, customers in found:
            print(json.dumps({"kind": kind, "level": level, "name": name, "customers": customers}))
        return
    Console(highlight=False).print(table(found))


def counts(metas: Iterable[Mapping[str, bytes]]) -> Counter[str]:
    """`segment:<leaf>` and `stage:<stage>` -> customers, of all partitions."""
    found: Counter[str] = Counter()
    for meta in metas:
        for name, value in meta.items():
            if name.startswith(("count:segment:", "count:stage:")):
                found[name.removeprefix("count:")] += int(value)
    return found


def rows(playbook: Playbook, counts: Mapping[str, int]) -> list[Row]:
    """What the playbook has, then leaves and stages of playbooks before it that somebody is still in."""
    found = [
        ("segment", level.level, leaf.id, counts.get(f"segment:{leaf.id}", 0))
        for level in playbook.segments.levels
        for leaf in level.leaves
    ]
    if found:
        found.append(("segment", "", OTHERS, counts.get(f"segment:{OTHERS}", 0)))
    stages = playbook.stages
    moves = [(move.to, *move.from_) for move in stages.table] + [(one.to,) for one in stages.lapse] if stages else []
    names = dict.fromkeys(([stages.first] if stages else []) + [name for move in moves for name in reversed(move)])
    found += [("stage", "", name, counts.get(f"stage:{name}", 0)) for name in names]
    told = {f"{kind}:{name}" for kind, _, name, _ in found}
    for name in sorted(name for name, many in counts.items() if many and name not in told):
        kind, _, rest = name.partition(":")
        found.append((kind, "of an earlier playbook", rest, counts[name]))
    return found


def table(found: Iterable[Row]) -> Table:
    shown = Table("", "level", "name", "customers")
    for kind, level, name, customers in found:
        shown.add_row(kind, level, name, f"{customers:,}")
    return shown
