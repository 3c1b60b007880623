"""The contract, kept in memory."""

from typing import Any

import pytest

from streams.state.memory import MemoryStore
from tests.contracts.store_contract import StoreContract, opened, token, turn


class MemoryMachine:
    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    async def save(self, partition: int) -> Any:
        return self.store.slot(partition).snapshot()

    async def restore(self, partition: int, saved: Any) -> None:
        self.store.slot(partition).restore(saved)


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    @pytest.fixture
    def machine(self, store: MemoryStore) -> MemoryMachine:
        return MemoryMachine(store)

    async def test_a_snapshot_can_be_restored_twice(self, store: MemoryStore) -> None:
        await opened(store)
        slot = store.slot(0)
        saved = slot.snapshot()
        for _ in range(2):
            slot.restore(saved)
            await slot.commit(turn(1, customers=[(b"ann", b"1")]))
        assert await slot.records() == [b"A" + token(1), b"turn 1"]
        slot.restore(None)
        assert await slot.meta() == {}
