"""`kairos demo`: all of Kairos on this machine for a minute, a made-up shop, and what fires and why as it fires.

How it works. The servers, the collector and the worker are those of `kairos dev`, under the same guard: whatever ends
us ends them. The shop's calls go in over HTTP as an SDK's would; what became of a trigger is reported as a notification
service would. Then the books must balance.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import orjson
import typer
from rich.console import Console

from processors.persons import origins
from processors.playbook import read_playbook
from schemas.customer import decode_customer
from schemas.trigger import Trigger
from streams.settings import Settings, read_settings
from streams.state import open_store
from streams.tools import books, customer, quick, triggers
from streams.tools.asking import duration
from streams.tools.balance import Books
from streams.tools.dev import Asked, asked_to_end
from streams.tools.guarded import Guarded
from streams.tools.init import shipped_playbook
from streams.tools.parts import Failed, Missing
from streams.tools.replay.over_http import OverHttp
from streams.tools.replay.rows import Call
from streams.tools.replay.sender import Stopped, Tally
from streams.tools.shop import open_shop
from streams.tools.stage import Plan, Stage
from streams.tools.stand import Stand

SETTLE = 30.0
"""Seconds the books may take to balance when the shop has closed."""
TICK = 0.02
OPENED_PERCENT = 40


def demo(
    seconds: Annotated[float, typer.Option("--for", parser=duration, metavar="60s", help="how long")] = 60.0,
    seed: Annotated[int, typer.Option(help="another seed, another day in the shop")] = 1,
    rate: Annotated[float, typer.Option(min=1, max=1000, help="events a second")] = 100.0,
    as_json: Annotated[bool, typer.Option("--json", help="only one JSON line, at the end")] = False,
) -> None:
    """See it work: a made-up shop for a minute, every play as it fires and why, then the books. Needs no servers."""
    console = Console(stderr=as_json, highlight=False)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # we say it in our own words
    try:
        with asked_to_end(), ExitStack() as stack:
            stand = Stand(console, quiet=as_json)
            stage = _stage(stack, stand)
            code = asyncio.run(_Demo(stage, stand, seconds, seed, rate, as_json).run())
    except Asked as asked:
        raise typer.Exit(asked.args[0]) from None
    except (Missing, Failed, Stopped) as exc:
        console.print(f"demo: {exc}", style="red", markup=False)
        raise typer.Exit(2 if isinstance(exc, Missing) else 1) from None
    raise typer.Exit(code)


def _stage(stack: ExitStack, stand: Stand) -> Stage:
    """All processes, up and ready. Raises Missing, Failed."""
    playbook = read_playbook(shipped_playbook().read_text()).playbook
    guard = stack.enter_context(Guarded())
    guard.wait(lambda: bool(guard.folder.name), "guard: wanted its folder")
    path = guard.folder / "playbook.yaml"  # goes with the guard, whatever ends us
    path.write_text(quick.as_yaml(quick.quicken(playbook)))
    stage = Stage(Plan(kafka="tansu", redis="valkey", app="demo", playbook=path), guard)
    stage.build(step=lambda text: stand.say(f"starting {text}"), note=stand.say)
    stand.say("The shop and everybody in it are made up. One minute stands for days, so silences are short:")
    stand.say(quick.told(playbook))
    return stage


class _Demo:
    """The minute itself."""

    def __init__(self, stage: Stage, stand: Stand, seconds: float, seed: int, rate: float, as_json: bool) -> None:
        self._stage, self._stand, self._as_json = stage, stand, as_json
        self._seconds, self._seed, self._rate = seconds, seed, rate
        self._tally, self._stop, self._signal = Tally(), asyncio.Event(), 0
        self._settings = _settings(stage)

    async def run(self) -> int:
        """The exit code."""
        key = self._stage.keys["server"]
        sender = OverHttp(self._settings, self._stage.collector, key, self._tally)
        watching = asyncio.create_task(self._watch(sender))
        try:
            with self._asked():
                await self._sell(sender)
                found = await self._count(sender)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            await sender.close()
            self._stand.close()
        if self._signal or found is None:
            return 130 if self._signal == signal.SIGINT else 0
        self._report(found)
        return 0 if found.balanced else 1

    async def _sell(self, sender: OverHttp) -> None:
        """The shop is open: each call is sent when it is due."""
        began = time.monotonic()
        for at, call in open_shop(self._seed, self._rate):
            if at > self._seconds:
                return
            while (ahead := began + at - time.monotonic()) > 0 or self._stop.is_set():
                if self._stop.is_set():
                    return
                self._look(time.monotonic() - began)
                await asyncio.sleep(min(TICK, ahead))
            await self._put(sender, call)

    def _look(self, elapsed: float) -> None:
        if self._stage.guard.ended:
            raise Failed(f"a server ended: {self._stage.guard.why()}")
        self._stand.rates(elapsed, self._tally.accepted)

    async def _put(self, sender: OverHttp, call: dict[str, Any]) -> None:
        self._tally.read += 1
        now = time.time()
        body = orjson.dumps(call | {"timestamp": datetime.fromtimestamp(now, UTC).isoformat()})
        who = call["userId"] or call.get("anonymousId") or ""
        await sender.put(Call(self._tally.read, who, now, body))

    async def _watch(self, sender: OverHttp) -> None:
        """Show each trigger, and report what became of it, until the shop closes."""
        async for trigger in triggers.follow(self._settings, from_start=True):
            self._stand.fired(trigger, time.time())
            for what in _became(trigger):
                await self._put(sender, what)

    async def _count(self, sender: OverHttp) -> Books | None:
        if self._stop.is_set():
            return None
        await sender.finish(SETTLE)
        self._stand.say("The shop has closed; counting.")
        found = await books.settled(self._settings, SETTLE)
        self._stand.say(await self._of_many_ids())
        return found

    async def _of_many_ids(self) -> str:
        """How many persons came by several ids, and one of them to look at."""
        store = open_store(self._settings, SETTLE)
        try:
            every = await customer.every(store, self._settings)
        finally:
            await store.close()
        persons = {id: ids for id, (_, value) in every.items() if (ids := origins(decode_customer(value)))}
        shown = next((f", as {id}: also {', '.join(ids)}" for id, ids in sorted(persons.items())), "")
        return f"{len(persons)} persons came by several ids{shown}."

    def _report(self, found: Books) -> None:
        if self._as_json:
            print(
                msgspec.json.encode(self._stand.figures(self._tally.accepted) | {"books": found}).decode(), flush=True
            )
        else:
            books.show(found, self._stand.console)

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM close the shop early."""
        loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

        def ask(number: int) -> None:
            self._signal = number
            self._stop.set()

        for number in numbers:
            loop.add_signal_handler(number, ask, number)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)


def _became(trigger: Trigger) -> list[dict[str, Any]]:
    """What a notification service would tell: all are delivered, some are opened; the trigger's id decides."""
    told = ["Trigger Delivered"] + ["Trigger Opened"] * (int(trigger.id[:4], 16) % 100 < OPENED_PERCENT)
    said = {"trigger_id": trigger.id, "channel": trigger.channel, "play": trigger.play}
    return [
        {
            "type": "track",
            "event": event,
            "userId": trigger.customer,
            "properties": said,
            "messageId": f"{trigger.id}-{n}",
        }
        for n, event in enumerate(told)
    ]


def _settings(stage: Stage) -> Settings:
    plan, where = stage.plan, {"kafka": stage.kafka, "redis": stage.redis}
    return read_settings(app=plan.app, partitions=plan.partitions, facts=plan.facts, **where)
