"""One partition of this worker: term after term, until it is revoked."""

import asyncio
import random

from aiokafka.errors import KafkaError

from streams.engine.fetch import Fetch
from streams.engine.term import MISSING, Term, begin
from streams.engine.world import Halt, World
from streams.state.store import Missing, Refused

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
STEADY = 10.0
"""Seconds after which a term counts as good, and the back-off begins anew."""
HALTED_WAIT = 15.0
"""Seconds between looks whether what halted the partition was mended."""


class Partition:
    """The ordered task of one partition number."""

    def __init__(self, number: int, world: World) -> None:
        self.number, self.world = number, world
        self.halted = ""
        """Why it stands still; empty: it does not."""
        self.term: Term | None = None
        self._revoked = False
        self.task = asyncio.create_task(self._run(), name=f"partition-{number}")

    @property
    def ready(self) -> bool:
        """Serving: drained, judged, all topics read."""
        return self.term is not None and self.term.turns.ready

    @property
    def has_room(self) -> bool:
        """Whether fetches may go on. Without a term nothing is taken."""
        return self.term is not None and self.term.has_room

    def put(self, topic: str, fetch: Fetch) -> None:
        """A fetch comes in from the agent. Never waits."""
        if self.term is not None:
            self.term.put(topic, fetch)

    def stop(self) -> None:
        """Revoked: let go at once. All that counts is in the slot."""
        self.term, self._revoked = None, True
        self.task.cancel()

    async def _run(self) -> None:
        wait = FIRST_WAIT
        while not self._revoked:
            since = self.world.now()
            try:
                await self._serve()
            except* Halt as group:
                self._halt(str(deepest(group)))
            except* Missing:  # Redis was emptied under a running term
                self._halt(MISSING.format(partition=self.number))
            except* (Refused, KafkaError, ConnectionError, TimeoutError) as group:
                self.halted = ""
                self.world.watch.ended(self.number, deepest(group))
            # any other exception is a bug, and ends the process
            wait = FIRST_WAIT if self.world.now() - since > STEADY else min(wait * 2, LONGEST_WAIT)
            pause = HALTED_WAIT if self.halted else wait
            await asyncio.sleep(random.uniform(pause / 2, pause))  # if we are the zombie, the revocation comes first
        raise asyncio.CancelledError  # it was lost: a task group drops it when a task of its own fails just then

    async def _serve(self) -> None:
        outlet = self.world.outlet(self.number)
        try:
            self.term, end, begun = await begin(self.number, self.world, outlet)
            await self.term.serve(end, begun)
        finally:
            self.term = None
            await outlet.close()

    def _halt(self, why: str) -> None:
        if why != self.halted:
            self.halted = why
            self.world.watch.halted(self.number, why)


def deepest(exc: BaseException) -> BaseException:
    """The first plain exception inside a group."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return exc
