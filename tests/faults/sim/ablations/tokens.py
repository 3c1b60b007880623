"""Guards without which a zombie, or a store that went back in time, is believed: tokens, positions, the cache."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from msgspec.structs import replace as changed

import streams.engine.partition as partition_room
import streams.engine.term as term_room
import streams.engine.turn as turn_room
from schemas.turn import decode_turn, encode_turn
from streams.engine.relay import Leaving
from streams.engine.turn import Turns
from streams.state.memory import MemorySlot
from streams.state.store import TOKEN_BYTES, Commit, Committed, Opened
from tests.faults.sim.ablations.put import Put
from tests.faults.sim.clock import OWNER


def token_in_commit(put: Put) -> None:
    """A commit is written whatever token is stored."""
    honest = MemorySlot.commit

    async def commit(self: MemorySlot, commit: Commit) -> Committed:
        return await honest(self, replace(commit, token=await self.held() or commit.token))

    put(MemorySlot, "commit", commit)


def token_in_load(put: Put) -> None:
    """Values are given to anyone.

    A load of nobody asks whether the slot is still our own: that is `idle_proof`."""
    honest = MemorySlot.load

    async def load(self: MemorySlot, tokens: tuple[bytes, bytes], customers: Sequence[bytes]) -> list[bytes | None]:
        if not customers:
            return await honest(self, tokens, customers)
        return [await self.customer(customer) for customer in customers]

    put(MemorySlot, "load", load)


def nonce(put: Put) -> None:
    """Tokens are counted: the next one is the one before, plus one."""
    pack, begin = Turns._pack, term_room.begin

    def counted(self: Turns, *args: Any) -> tuple[Commit, list[Leaving]]:
        commit, leaving = pack(self, *args)
        record = changed(decode_turn(commit.record), after=following(commit.token))
        return replace(commit, new_token=record.after, record=encode_turn(record)), leaving

    async def count(partition: int, world: Any, outlet: Any) -> Any:
        stored = (await OWNER.get().history.primaries[partition].slot.meta())["token"]
        return await begin(partition, replace(world, nonce=lambda: following(stored)), outlet)

    put(Turns, "_pack", counted)
    put(partition_room, "begin", count)


def following(token: bytes) -> bytes:
    return (int.from_bytes(token, "big") + 1).to_bytes(TOKEN_BYTES, "big")


def acquire_compares(put: Put) -> None:
    """A late acquire is written over any token."""
    honest = MemorySlot.take

    async def take(self: MemorySlot, token: bytes, _: bytes) -> None:
        await honest(self, token, await self.held())

    put(MemorySlot, "take", take)


def offsets_from_redis(put: Put) -> None:
    """A term goes on where the consumer group's committed offsets say."""

    def check(partition: int, _: int, opened: Opened, bounds: Any) -> dict[str, int]:
        group = OWNER.get().history.broker.group
        return {topic: group.get((topic, partition), 0) for topic in bounds}

    put(term_room, "check", check)


def cache_keeps_unsettled(put: Put) -> None:
    """The cache drops whom the commit being sent has changed."""
    honest = Turns._evict
    put(Turns, "_evict", lambda self, wanted, keep: honest(self, wanted, ()))


def idle_proof(put: Put) -> None:
    """An idle term never asks whether the slot is still its own."""
    put(turn_room, "PROOF", 1e6)


def revocation(put: Put) -> None:
    """A revoked partition is cancelled, and that is that."""

    def stop(self: Any) -> None:
        self.term = None
        self.task.cancel()

    put(partition_room.Partition, "stop", stop)
