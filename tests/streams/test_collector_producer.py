"""The collector's producer, where Kafka's client lets it down."""

import asyncio
from typing import Any

import pytest

from streams.collector import producer
from streams.metrics import COLLECTOR, Metrics
from streams.settings import read_settings


class Stuck:
    """A producer of aiokafka that never ends: seen after two of three brokers were killed."""

    def __init__(self) -> None:
        self._message_accumulator = self
        self.client = self
        self.failed: list[Exception] = []

    def fail_all(self, exc: Exception) -> None:
        self.failed.append(exc)

    async def close(self) -> None:
        await asyncio.sleep(3600)

    stop = close


async def test_a_connection_that_never_closes_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "CLOSE_SECONDS", 0.05)
    stuck: Any = Stuck()
    lost = producer.Producer(read_settings(), Metrics(COLLECTOR))
    await asyncio.wait_for(lost._disconnect(stuck), 5)
    assert stuck.failed
