"""Carries out what an erasure asks of data keys: a wish stays in the outbox until the keys are gone.

How it works. A wish comes here when all that was decided before it is in Kafka, for it makes unreadable what led there.
The keys of an erased id itself go at once: whatever comes of it later counts for nobody. An id that only belonged to
the person may come to be another's (a device, a card), whose records would be sealed with the same key. So its keys are
retired; when no writer can use them any more, the ends of the logs are asked; and when the state has read up to there
and still knows of nobody else, they go. Else they stay, until retention takes what they seal.

A term that ends forgets all this; the next one finds the wishes in the outbox. Doing it twice changes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING

import structlog

from schemas.datakey import decode_shred
from streams.engine.relay import Leaving, Relay
from streams.engine.world import World
from streams.state.store import Slot

if TYPE_CHECKING:
    from streams.vault.vault import Vault

log = structlog.get_logger()
MARGIN = 2.0
"""Seconds more than a writer says it may take, for its clock and its last send."""
LOOK = 0.2

Work = Callable[[Collection[bytes]], Awaitable[None]]


class Shredder:
    """The wishes of one partition, in one term. `committed`: up to where the slot has read each topic."""

    def __init__(self, partition: int, slot: Slot, world: World, committed: Callable[[], Mapping[str, int]]) -> None:
        assert world.vault
        self._partition, self._slot, self._world, self._committed = partition, slot, world, committed
        self._vault: Vault = world.vault
        self._wishes: dict[bool, asyncio.Queue[Leaving]] = {True: asyncio.Queue(), False: asyncio.Queue()}

    def put(self, wish: Leaving) -> None:
        """Never waits."""
        self._wishes[decode_shred(wish[1].value or b"{}").forever].put_nowait(wish)

    async def run(self, relay: Relay) -> None:
        """For ever. Raises KafkaError, ConnectionError, Refused or Missing, which end the term."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._each(True, self._erased, relay))
            group.create_task(self._each(False, self._spent, relay))

    async def _each(self, forever: bool, work: Work, relay: Relay) -> None:
        """All wishes that wait, together."""
        queue = self._wishes[forever]
        while True:
            wishes = [await queue.get()]
            while not queue.empty():
                wishes.append(queue.get_nowait())
            await work({message.key for _, message in wishes if message.key is not None})
            await relay.left([id for id, _ in wishes])

    async def _erased(self, customers: Collection[bytes]) -> None:
        await self._vault.shred(self._partition, customers)
        log.info("keys shredded", partition=self._partition, ids=len(customers))

    async def _spent(self, customers: Collection[bytes]) -> None:
        while names := await self._vault.retire(self._partition, customers):
            await asyncio.sleep(self._vault.fresh + self._world.settings.ack_seconds + MARGIN)
            await self._read_up()
            if await self._vault.retired(self._partition, names):
                break
        spent = [one for one in customers if await self._is_spent(one)]
        await self._vault.destroy(self._partition, [name for name in names if name.rpartition(b"\x00")[0] in spent])
        log.info("keys shredded", partition=self._partition, ids=len(spent), kept=len(customers) - len(spent))

    async def _read_up(self) -> None:
        """Until the state has all that is in the logs now."""
        ends = {topic: end for topic, (_, end) in (await self._world.source.bounds(self._partition)).items()}
        while any(self._committed()[topic] < end for topic, end in ends.items()):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(LOOK)

    async def _is_spent(self, customer: bytes) -> bool:
        fold, value = self._world.fold(), await self._slot.customer(customer)
        return value is not None and fold.spent(fold.decode(value))
