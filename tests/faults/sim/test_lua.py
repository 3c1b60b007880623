"""Fewer histories, on the Lua functions in a real redis-server: nothing is broken, and they are those of memory."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.contracts.servers import RedisServer, redis_binary
from tests.contracts.test_redis_store import running
from tests.faults.sim.lua import play_both

SEEDS = range(1, 31)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    yield from running(redis_binary(), tmp_path_factory)


def test_histories_on_redis_are_those_in_memory(server: RedisServer) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for memory, redis in pool.submit(play_both, server.port, list(SEEDS)).result():
            assert not redis.faults, f"seed {redis.seed}"
            assert memory.counts == redis.counts, f"seed {redis.seed}"
