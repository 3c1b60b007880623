"""The same histories on a real redis-server: its Lua functions instead of the store in memory.

`RedisSlot` is the real one too; below it a plain client answers at once, since virtual time cannot wait for a socket.
"""

from itertools import count
from typing import Any, cast

import redis

from streams.state.redis import RedisSlot
from streams.state.server import Server, read_library
from streams.state.store import Slot
from tests.faults.sim.history import Outcome, run
from tests.faults.sim.run import prepare


class Direct:
    """What a RedisSlot asks, answered within the call."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def ask(self, key: str, *command: Any, patience: float | None = None) -> Any:
        return self.client.execute_command(*command)


class RedisKeeper:
    """Slots in a redis-server, each in an app of its own."""

    def __init__(self, port: int) -> None:
        self.client = cast(Any, redis.Redis(port=port, protocol=2))
        self.client.execute_command("FUNCTION", "LOAD", "REPLACE", read_library())
        self.client.flushdb()
        self._apps = count()

    def make(self, partition: int) -> Slot:
        server = cast(Server, Direct(self.client))
        return RedisSlot(server, f"sim-{next(self._apps)}", partition, None)

    def save(self, slot: RedisSlot) -> Any:
        with self.client.pipeline(transaction=False) as pipeline:
            for key in slot._keys:
                pipeline.dump(key)
            return pipeline.execute()

    def restore(self, slot: RedisSlot, content: Any) -> None:
        self.client.delete(*slot._keys)
        for key, value in zip(slot._keys, content, strict=True):
            if value is not None:
                self.client.restore(key, 0, value)

    def customers(self, slot: RedisSlot) -> dict[bytes, bytes]:
        return cast(dict[bytes, bytes], self.client.hgetall(slot._customers))

    def timers(self, slot: RedisSlot) -> dict[bytes, float]:
        return dict(cast(list[tuple[bytes, float]], self.client.zrange(slot._timers, 0, -1, withscores=True)))


def play_both(port: int, seeds: list[int]) -> list[tuple[Outcome, Outcome]]:
    """Histories in memory and in the redis-server at `port`."""
    prepare()
    return [(run(seed), run(seed, RedisKeeper(port))) for seed in seeds]
