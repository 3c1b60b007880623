"""What Faust is told."""

import asyncio
from pathlib import Path
from typing import Any

from faust.types import TP

from streams.engine.fetch import Fetch
from streams.engine.seam import Haul, Seam, SeamConsumer
from streams.settings import read_settings


class Crew:
    """Serves nothing."""

    def assigned(self, partitions: object) -> None: ...
    def revoked(self) -> None: ...
    def put(self, topic: str, partition: int, fetch: object) -> None: ...

    def has_room(self, partition: int) -> bool:
        return False

    def committed(self, topic: str, partition: int) -> None:
        return None


def test_waiting_for_redis_for_days_is_no_idleness(tmp_path: Path) -> None:
    """A worker with a poll interval left its group while Redis was away, and never came back."""
    conf = Seam(read_settings(), Crew(), str(tmp_path), lambda: None).app.conf
    assert conf.broker_max_poll_interval > 30 * 86_400


async def test_what_arrives_when_all_was_revoked_is_nobodys(tmp_path: Path) -> None:
    """A zombie that wakes asks, is told it has left the group, and only then has its answer."""
    crew = Crew()
    crew.has_room = lambda partition: True  # type: ignore[method-assign]
    mine, gone = TP("clickstream", 0), False

    class Thread:
        thread_loop = asyncio.get_running_loop()

        async def take(self, wanted: set[TP], timeout: float) -> Haul:
            if gone:
                consumer._active_partitions.clear()
            return [(*mine, Fetch([], 0, 1))]

    consumer: Any = SeamConsumer.__new__(SeamConsumer)  # Faust's own beginning would start threads
    consumer.app = Seam(read_settings(), crew, str(tmp_path), lambda: None).app
    consumer._thread, consumer.flow_active, consumer._read_offset = Thread(), True, {}
    consumer._active_partitions = {mine}
    assert [tp async for tp, _ in consumer.getmany(1.0)] == [mine]
    gone = True
    assert [tp async for tp, _ in consumer.getmany(1.0)] == []
