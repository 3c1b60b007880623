"""A term: the time in which one worker serves one partition under its own tokens and its own producer.

Everything it knows dies with it; the next one begins from the state and from Kafka. It begins in this order, and the
order is the proof: (1) acquire: no older worker commits; (2) fence: no older producer makes anything visible; (3) ask
the end of `triggers`, after the fence: all that older ones made visible lies before it; (4) open, under the token, and
seek; (5) drain: read `triggers` up to that end, by ordinary turns, since only `triggers` is resumed; (6) judge: what
still waits is decided again against what was read back. Then the other topics, the timers and the relay.
"""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from schemas.topics import INPUTS, TRIGGERS
from streams.engine.fetch import Fetch
from streams.engine.inbox import Inbox
from streams.engine.relay import Leaving, Outlet, Relay
from streams.engine.shredder import Shredder
from streams.engine.turn import Turns
from streams.engine.world import Halt, World
from streams.settings import Settings
from streams.state.meta import outdated, positions, unlike
from streams.state.store import Missing, Opened

log = structlog.get_logger()


class Term:
    """One term of one partition, from `open` on: what lies before knows nothing."""

    def __init__(
        self, partition: int, world: World, inbox: Inbox, relay: Relay, turns: Turns, shredder: Shredder | None
    ) -> None:
        self.partition, self.world, self._shredder = partition, world, shredder
        self.inbox, self.relay, self.turns = inbox, relay, turns
        self._tasks = asyncio.TaskGroup()
        self._gaps: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self._healing: set[str] = set()
        self._open = False

    @property
    def has_room(self) -> bool:
        """Whether more may be fetched."""
        settings = self.world.settings
        return self.inbox.waiting < settings.room_records and len(self.relay) < settings.outbox_limit

    async def serve(self, end: int, begun: "Stopwatch") -> None:
        """Drain up to `end`, judge, then serve until an exception ends it: that of any of its tasks."""
        async with self._tasks:
            self._tasks.create_task(self.relay.run())
            if self._shredder:
                self._tasks.create_task(self._shredder.run(self.relay))
            self._tasks.create_task(self._heal())
            self._open = True
            await self.world.source.seek(self.partition, self.inbox.expected, {TRIGGERS})
            begun.step("seek")
            while self.inbox.gathered[TRIGGERS] < end:
                await self.turns.turn()
            await self.turns.judge()
            await self.world.source.resume(self.partition, [topic for topic in INPUTS if topic != TRIGGERS])
            begun.step("drain")
            self.world.watch.began(self.partition, begun.steps)
            while True:
                await self.turns.turn()

    def put(self, topic: str, fetch: Fetch) -> None:
        """A fetch comes in from the agent. Never waits."""
        if not self._open or (topic != TRIGGERS and not self.turns.ready):
            return  # also what an earlier term asked for: the drain gathers `triggers` only
        back = self.inbox.put(topic, fetch)
        if back is not None and topic not in self._healing:
            self._healing.add(topic)
            self._gaps.put_nowait((topic, back))  # no task: a group that is shutting down takes none

    async def _heal(self) -> None:
        """Where something before what came is missing: go back for it, if the log still has it."""
        while True:
            topic, position = await self._gaps.get()
            await self._go_back(topic, position)
            self._healing.discard(topic)

    async def _go_back(self, topic: str, position: int) -> None:
        first, end = (await self.world.source.bounds(self.partition))[topic]
        if not first <= position <= end:
            raise Halt(BOUNDS.format(topic=topic, partition=self.partition, position=position, first=first, end=end))
        log.info("going back", topic=topic, partition=self.partition, position=position)
        await self.world.source.seek(self.partition, {topic: position}, {topic})


class Stopwatch:
    """How long the steps of a beginning took, seconds."""

    def __init__(self, world: World) -> None:
        self._now, self._since = world.now, world.now()
        self.steps: dict[str, float] = {}

    def step(self, name: str) -> None:
        now = self._now()
        self.steps[name], self._since = now - self._since, now


async def begin(partition: int, world: World, outlet: Outlet) -> tuple[Term, int, Stopwatch]:
    """Acquire, fence, ask the end, open. Answers the term, the end of its drain, and the watch."""
    begun, token, slot = Stopwatch(world), world.nonce(), world.store.slot(partition)
    try:
        await slot.acquire(token)
        begun.step("acquire")
        await outlet.fence()
        begun.step("fence")
        bounds = await world.source.bounds(partition)
        begun.step("end")
        opened = await slot.open(token)
    except Missing:
        raise Halt(MISSING.format(partition=partition)) from None
    begins = check(partition, world.settings, opened, bounds)
    inbox = Inbox(partition, begins, world.source.ends)

    def seen(taken: Sequence[Leaving], seconds: float) -> None:
        if taken:
            world.watch.left(partition, taken, seconds)
        if relay.letters:
            inbox.arrived.set()  # there is something to commit

    shredder = Shredder(partition, slot, world, lambda: turns.committed) if world.vault else None
    relay = Relay(slot, outlet, seen, shredder.put if shredder else None)
    turns = Turns(partition, slot, inbox, relay, world, token, opened)
    return Term(partition, world, inbox, relay, turns, shredder), bounds[TRIGGERS][1], begun


def check(partition: int, settings: Settings, opened: Opened, bounds: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """Where to go on. Halts rather than guess."""
    made_for = int(opened.meta["partitions"])
    if made_for != settings.partitions:
        raise Halt(
            f"partition {partition}: the state was made for {made_for} partitions, KAIROS_PARTITIONS says "
            f"{settings.partitions}; the number is fixed for the life of an installation"
        )
    if why := outdated(opened.meta) or unlike(opened.meta, settings.kept()):
        raise Halt(f"partition {partition}: {why}")
    begins = positions(opened.meta)
    for topic, position in begins.items():
        first, end = bounds[topic]
        if not first <= position <= end:
            raise Halt(BOUNDS.format(topic=topic, partition=partition, position=position, first=first, end=end))
    return begins


MISSING = (
    "partition {partition}: wanted a state in Redis, found none. A new installation: run `kairos init`. An old one: "
    "this is another Redis or an emptied one; restore it, nothing starts at zero by itself"
)
BOUNDS = (
    "{topic}-{partition}: the state goes on at {position}, the log holds {first} to {end}. The topic was made anew, "
    "lost records, or kept them for too short a time; nothing is guessed"
)
