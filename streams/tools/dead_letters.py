"""`kairos dead-letters`: what could not be read, why, and a second chance for it."""

import base64
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.text import Text

from schemas.datakey import KID
from schemas.topics import DEAD_LETTERS, INPUTS, partition_of
from streams import kafka
from streams.engine.sealing import SEALED
from streams.settings import Settings
from streams.tools.asking import ask
from streams.vault import vault_of

if TYPE_CHECKING:
    from streams.vault.cipher import Pen
    from streams.vault.vault import Vault

app = typer.Typer(no_args_is_help=True, help="List, show and send again what could not be read.")
SHREDDED = " (what it said was erased with its customer)"
SHOWN = 60
"""Characters of a value in the list."""


class Letter(msgspec.Struct):
    """A dead letter. `place` is where the record lies that could not be read: topic/partition/offset, or `http`."""

    at: str
    """Where the letter lies: dead-letters/partition/offset."""
    place: str
    topic: str
    """Its topic; empty when it came over HTTP and never got to one."""
    reason: str
    detail: str
    time: float
    """When it became one, seconds since the epoch."""
    key: str | None
    value: str
    raw_key: bytes | None = None
    raw_value: bytes | None = None
    sealed: bytes = b""
    """Nobody could open it: the id of the key it says it is sealed with."""
    gone: bool = False
    """What it said was erased with its customer."""

    def told(self) -> dict[str, Any]:
        """For machines. `value_base64` only where the value is no text."""
        names = ("at", "place", "topic", "reason", "detail", "time", "key", "value")
        odd = self.raw_value is not None and self.value.encode() != self.raw_value
        told = {name: getattr(self, name) for name in names}
        return told | ({"value_base64": base64.b64encode(self.raw_value or b"").decode()} if odd else {})


Reason = Annotated[str, typer.Option("--reason", help="only of this reason, as `invalid`")]
Topic = Annotated[str, typer.Option("--topic", help="only of this topic")]
Place = Annotated[list[str] | None, typer.Option("--place", help="only this one; may be given several times")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line")]


@app.command("list")
def list_command(reason: Reason = "", topic: Topic = "", place: Place = None, as_json: AsJson = False) -> None:
    """List dead letters, each record once, with reason and place."""

    async def work(settings: Settings) -> None:
        console, counts = Console(highlight=False), Counter[str]()
        async for letter in letters(settings, reason, topic, place or []):
            counts[letter.reason] += 1
            if as_json:
                print(msgspec.json.encode(letter.told()).decode(), flush=True)
            else:
                console.print(line(letter), soft_wrap=True)
        if not as_json:
            console.print(", ".join(f"{name} {count:,}" for name, count in counts.most_common()) or "none")

    ask(work)


@app.command()
def show(place: Annotated[str, typer.Argument(help="as the list says it: topic/partition/offset, or where it lies")],
         as_json: AsJson = False) -> None:  # fmt: skip
    """Show one dead letter with its whole value."""

    async def work(settings: Settings) -> Letter | None:
        async with aclosing(letters(settings, "", "", [place])) as found:
            return await anext(found, None)

    found = ask(work)
    if found is None:
        Console(stderr=True, highlight=False).print(f"there is no dead letter of {place}", style="red", markup=False)
        raise typer.Exit(1)
    told = found.told()
    print(msgspec.json.encode(told).decode() if as_json else "\n".join(f"{name}: {told[name]}" for name in told))


@app.command()
def redrive(
    reason: Reason = "",
    topic: Topic = "",
    place: Place = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: AsJson = False,
) -> None:
    """Send records to their topic once more, as they were: with the same key and message id, so nothing counts twice.

    What still cannot be read becomes a dead letter again, of a new place."""

    async def work(settings: Settings) -> None:
        chosen = [letter async for letter in letters(settings, reason, topic, place or [])]
        fit = [letter for letter in chosen if not why_not(letter)]
        left = Counter(why_not(letter) for letter in chosen if why_not(letter))
        if fit and not yes and not typer.confirm(f"Send {len(fit)} records again?"):
            raise typer.Exit(1)
        await send(settings, fit)
        if as_json:
            print(msgspec.json.encode({"redriven": len(fit), "left": dict(left)}).decode())
        else:
            print(f"sent again: {len(fit)}" + "".join(f"\nleft: {count}, {why}" for why, count in left.items()))

    ask(work)


async def letters(settings: Settings, reason: str, topic: str, places: list[str]) -> AsyncGenerator[Letter, None]:
    """Those that fit, each place once. Raises kafka.Unavailable."""
    seen: set[str] = set()
    async with (
        vault_of(settings) as vault,
        aclosing(kafka.read_log(settings, [settings.topic(DEAD_LETTERS)])) as batches,
    ):
        async for batch in batches:
            for letter in await unsealed(vault, batch):
                name = letter.at if letter.place == "http" else letter.place
                if name not in seen and fits(letter, reason, topic, places):
                    seen.add(name)
                    yield letter


async def unsealed(vault: "Vault | None", batch: list[kafka.Logged]) -> list[Letter]:
    """As they were before they were sealed. Of who was erased only that there is one. Raises NoKey."""
    if vault is None:
        return [read(record, record.value) for record in batch]
    values = await vault.values(DEAD_LETTERS, batch)
    return [read(record, value) for record, value in zip(batch, values, strict=True)]


def fits(letter: Letter, reason: str, topic: str, places: list[str]) -> bool:
    """Whether it is one that was asked for; what is empty asks for all."""
    if reason not in ("", letter.reason) or topic not in ("", letter.topic):
        return False
    return not places or letter.place in places or letter.at in places


def read(record: kafka.Logged, value: bytes | None) -> Letter:
    """A record of the topic, in words. `value`: as it was before it was sealed."""
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    place, gone = headers.get("place", ""), value is None and KID in headers
    return Letter(
        at=f"{DEAD_LETTERS}/{record.partition}/{record.offset}",
        place=place,
        topic=place.split("/")[0] if "/" in place else "",
        reason=headers.get("reason", ""),
        detail=headers.get("detail", "") + (SHREDDED if gone else ""),
        time=record.timestamp / 1000.0,
        key=None if record.key is None else record.key.decode(errors="replace"),
        value=(value or b"").decode(errors="replace"),
        raw_key=record.key,
        raw_value=value,
        sealed=headers.get(SEALED, "").encode(),
        gone=gone,
    )


def why_not(letter: Letter) -> str:
    """Why a letter cannot be sent again; empty when it can."""
    if letter.topic not in INPUTS:
        return "came over HTTP and never got to a topic: mend it and post it again"
    if letter.gone:
        return "was erased with its customer"
    return "" if letter.raw_key else "has no key: nobody knows whose it is"


async def send(settings: Settings, chosen: list[Letter]) -> None:
    """To their topics, each acknowledged, and sealed where that is so. Raises kafka.Unavailable."""
    if not chosen:
        return
    producer = AIOKafkaProducer(**kafka.connect(settings), acks="all")
    try:
        await producer.start()
        async with vault_of(settings) as vault:
            keys = {letter.raw_key for letter in chosen if letter.raw_key and not letter.sealed}
            pens = await vault.pens(keys) if vault and vault.seals else {}
        for letter in chosen:
            assert letter.raw_key
            value, headers = again(letter, pens.get(letter.raw_key))
            partition = partition_of(letter.raw_key, settings.partitions)
            topic = settings.topic(letter.topic)
            await producer.send(topic, value, key=letter.raw_key, partition=partition, headers=headers)
        await producer.flush()
    except KafkaError as exc:
        raise kafka.Unavailable(f"kafka: wanted {len(chosen)} records taken; got {exc!r}") from exc
    finally:
        await producer.stop()


def again(letter: Letter, pen: "Pen | None") -> tuple[bytes | None, list[tuple[str, bytes]]]:
    """Value and headers with which a letter goes back to its topic."""
    headers = [("redrive_of", letter.place.encode())]
    if letter.sealed:
        return letter.raw_value, [*headers, (KID, letter.sealed)]
    if pen is None or letter.raw_value is None:
        return letter.raw_value, headers
    return pen.seal(letter.topic, letter.raw_value), [*headers, *pen.headers]


def line(letter: Letter) -> Text:
    """One line for people."""
    value = letter.value if len(letter.value) <= SHOWN else letter.value[:SHOWN] + " ..."
    who = f" {letter.key}" if letter.key is not None else ""
    where = letter.at if letter.place == "http" else letter.place
    return Text.assemble((where, "bold"), " ", (letter.reason, "red"), f" {letter.detail}", who, (f"  {value}", "dim"))
