"""`kairos playbook`: check what a marketer wrote like a good compiler, and take it into force."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from processors.conditions import ITEM_FIELDS, VARIABLES, called
from processors.playbook import BadPlaybook, Fault, Loaded, excerpt, read_playbook
from schemas.families import Kept
from streams.settings import read_settings
from streams.state import open_store
from streams.state.store import Store
from streams.tools import here

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds to wait for Redis."""

app = typer.Typer(no_args_is_help=True, help="Check, publish and show playbooks: what we say to whom, and when.")
File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="a playbook, YAML")]


@app.command()
def check(
    path: File, as_json: Annotated[bool, typer.Option("--json", help="one fault a line; none when all is good")] = False
) -> None:
    """Find every fault, each with its line and what was wanted; asking for facts that KAIROS_FACTS leaves out is one.
    Exit code 1 when there is one."""
    loaded = load(path, as_json)
    if not as_json:
        print(f"{path}: good; {_counted(len(loaded.playbook.plays), 'play')}, version {loaded.version}")


@app.command()
def publish(
    path: File, as_json: Annotated[bool, typer.Option("--json", help="the version, as one JSON line")] = False
) -> None:
    """Check a playbook and take it into force: workers take it up between two turns."""
    loaded = load(path, as_json)
    text = path.read_bytes()
    with_store(lambda store: store.publish(loaded.version, text))
    said = {"version": loaded.version, "plays": [play.id for play in loaded.playbook.plays]}
    print(json.dumps(said) if as_json else f"{path}: published as version {loaded.version}")


@app.command()
def show(
    version: Annotated[str, typer.Argument(help="as a trigger or `publish` names it; default: the one in force")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="version and text, as one JSON line")] = False,
) -> None:
    """Print a published playbook as it was written, comments and all."""
    version, text = with_store(lambda store: published(store, version))
    if not text:
        _err(f"show: there is no playbook {version}" if version else "show: no playbook was published yet")
        raise typer.Exit(1)
    print(json.dumps({"version": version, "text": text}) if as_json else text, end="\n" if as_json else "")


@app.command()
def words(as_json: Annotated[bool, typer.Option("--json", help="one name a line")] = False) -> None:
    """List what conditions may ask, with the type of each."""
    fields = {f"item.{name}": kind for name, kind in ITEM_FIELDS.items()}
    for name, kind in (VARIABLES | fields | called()).items():
        print(json.dumps({"name": name, "type": kind}) if as_json else f"{name:<24} {kind}")


def load(path: Path, as_json: bool = False) -> Loaded:
    """The playbook in a file; with faults, says them all and leaves with 1."""
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    try:
        return read_playbook(text, kept_here())
    except BadPlaybook as exc:
        shown = as_lines(exc.faults) if as_json else as_page(path, text, exc.faults)
    print(shown.encode("utf-8", "replace").decode())
    raise typer.Exit(1)


def kept_here() -> Kept:
    """Families of facts that the installation of this folder keeps, or that of the variables."""
    try:
        return read_settings(**here.settings_here()).kept()
    except here.NotRunning:
        return read_settings().kept()


def as_lines(faults: list[Fault]) -> str:
    """One JSON object a line: line, column, play, what, wanted, got."""
    return "\n".join(json.dumps(asdict(fault)) for fault in faults)


def as_page(path: Path, text: str, faults: list[Fault]) -> str:
    """All faults for a person, as a compiler shows them."""
    parts = [as_paragraph(path, text, fault) for fault in faults]
    plays = {fault.play for fault in faults if fault.play}
    inside = f", plays {', '.join(sorted(plays))}" if plays else ""
    return "\n\n".join((*parts, f"{path}: {_counted(len(faults), 'fault')}{inside}"))


def as_paragraph(path: Path, text: str, fault: Fault) -> str:
    """Place and fault; the line with a caret; what was wanted."""
    number = f"{fault.line:>5} | "
    row, caret = excerpt(text, fault).split("\n")
    where = f" (play {fault.play})" if fault.play else ""
    lines = [f"{path}:{fault.line}:{fault.column}: {fault.what}{where}", number + row, f"{'| ':>8}{caret}"]
    return "\n".join(lines + ([f"        wanted: {fault.wanted}"] if fault.wanted else []))


async def published(store: Store, version: str) -> tuple[str, str]:
    """(version, text) of a published playbook; the text is empty when there is none."""
    version = version or await store.current() or ""
    text = await store.playbook(version) if version else None
    return version, text.decode() if text else ""


def with_store(use: Callable[[Store], Awaitable[T]]) -> T:
    """Open the store of this folder's settings, use it, close it. Raises Unavailable."""

    async def opened() -> T:
        store = open_store(read_settings(**here.settings_here()), PATIENCE)
        try:
            return await use(store)
        finally:
            await store.close()

    return asyncio.run(opened())


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _err(text: str) -> None:
    Console(stderr=True, highlight=False).print(text, style="red", markup=False)
