"""Whose word on the end of a log counts.

A leader that was just elected may not know how far its log is committed: for a while the ends in its fetch answers lie
before records that were acknowledged (KIP-207), and a timer would fire beside a cancel that nobody can read yet. So a
leader is proven before its ends count: `bounds` is asked, which a leader answers only when it knows. A fetch that
fails, or goes to another broker than the last one, puts it in doubt again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

from aiokafka.errors import KafkaError

from streams.kafka import Place, Unavailable

PAUSE = 0.1
"""Seconds before leaders that gave no answer are asked again."""


class Leaders:
    """The proven leaders of the logs one consumer reads. `prove` asks who leads them; `leader` says who answered."""

    def __init__(
        self, prove: Callable[[Collection[Place]], Awaitable[object]], leader: Callable[[Place], int | None]
    ) -> None:
        self._prove, self._leader = prove, leader
        self._proven: dict[Place, int] = {}
        self._wanted: set[Place] = set()
        self._asked: set[Place] = set()
        """Being asked; what is doubted again meanwhile is not among them any more."""
        self._asking: asyncio.Task[None] | None = None

    def knows(self, place: Place, node: int) -> bool:
        """Whether broker `node` is the proven leader."""
        return self._proven.get(place) == node

    def doubt(self, place: Place) -> None:
        """Something is wrong: what was asked before counts no more."""
        self._proven.pop(place, None)
        self._asked.discard(place)
        self.want(place)

    def want(self, place: Place) -> None:
        """Have the leader of a log proven."""
        if place in self._asked:
            return
        self._wanted.add(place)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        while self._wanted:
            self._asked, self._wanted = self._wanted, set()
            try:
                await self._prove(list(self._asked))
            except (Unavailable, KafkaError):
                self._wanted |= self._asked
                await asyncio.sleep(PAUSE)
            else:
                led = {place: self._leader(place) for place in self._asked}
                self._proven.update({place: node for place, node in led.items() if node is not None})
            self._asked = set()

    async def stop(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking
