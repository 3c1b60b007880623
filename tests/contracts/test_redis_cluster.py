"""The contract in Redis Cluster, and what only a cluster does: spread slots, and move them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from redis.crc import key_slot

from streams.state.redis import RedisStore
from streams.state.server import read_library
from streams.state.store import Missing, Unavailable, Unfit
from tests.contracts.servers import RedisCluster, RedisServer, redis_binary
from tests.contracts.store_contract import StoreContract, opened, token, turn
from tests.contracts.test_redis_store import PARTS, RedisMachine, app, connected

__all__ = ["app"]


class ClusterMachine:
    def __init__(self, cluster: RedisCluster, app: str) -> None:
        self.cluster, self.app = cluster, app

    async def save(self, partition: int) -> Any:
        return await self._machine(partition).save(partition)

    async def restore(self, partition: int, saved: Any) -> None:
        await self._machine(partition).restore(partition, saved)

    def _machine(self, partition: int) -> RedisMachine:
        return RedisMachine(holder(self.cluster, f"{{{self.app}:{partition:03}}}"), self.app)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    cluster = RedisCluster(redis_binary(), tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


class TestRedisCluster(StoreContract):
    @pytest.fixture
    async def store(self, cluster: RedisCluster, app: str) -> AsyncIterator[RedisStore]:
        async with connected(cluster.url, app) as store:
            await store.prepare()
            yield store

    @pytest.fixture
    def machine(self, cluster: RedisCluster, app: str) -> ClusterMachine:
        return ClusterMachine(cluster, app)

    async def test_slots_spread_and_each_is_whole(self, cluster: RedisCluster, store: RedisStore, app: str) -> None:
        for partition in range(12):
            slot = await opened(store, partition)
            await slot.commit(turn(1, customers=[(b"ann", b"1")], wake=[(b"ann", 1.0)], outbox=[(b"i", b"e")]))
        used = set()
        for partition in range(12):
            shard = holder(cluster, f"{{{app}:{partition:03}}}")
            used.add(shard.port)
            keys = sorted(f"{{{app}:{partition:03}}}:{part}".encode() for part in PARTS)
            assert sorted(shard.ask("KEYS", f"{{{app}:{partition:03}}}:*")) == keys
        assert len(used) == 3

    async def test_a_commit_is_sent_once(self, cluster: RedisCluster, store: RedisStore) -> None:
        slot = await opened(store)
        await slot.commit(turn(1))
        for shard in cluster.servers:
            assert not any("getkeys" in name for name in shard.ask("INFO", "COMMANDSTATS"))

    async def test_every_primary_is_looked_at(self, cluster: RedisCluster, store: RedisStore) -> None:
        last = cluster.servers[2]
        last.ask("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
        try:
            with pytest.raises(Unfit, match="volatile-lru"):
                await store.prepare()
        finally:
            last.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")

    async def test_a_url_without_cluster_is_refused(self, cluster: RedisCluster, app: str) -> None:
        async with connected(cluster.servers[0].url, app) as store:
            with pytest.raises(Unfit, match="wanted redis\\+cluster://"):
                await store.prepare()

    async def test_a_slot_that_moves_is_followed(self, cluster: RedisCluster, store: RedisStore, app: str) -> None:
        """Also to a shard that has not got our functions."""
        slot = await opened(store)
        await slot.commit(turn(1, customers=[(b"ann", b"1")]))
        tag = f"{{{app}:000}}"
        source = holder(cluster, tag)
        target = next(shard for shard in cluster.servers if shard is not source)
        target.ask("FUNCTION", "FLUSH")
        move(source, target, tag)
        try:
            await slot.commit(turn(2, customers=[(b"bob", b"2")]))
            assert await slot.load((token(3), token(3)), [b"ann", b"bob"]) == [b"1", b"2"]
            assert [item async for item in slot.customers()] == [(b"ann", b"1"), (b"bob", b"2")]
            assert await slot.records() == [b"A" + token(1), b"turn 1", b"turn 2"]
        finally:
            move(target, source, tag)
        await slot.commit(turn(3))

    async def test_an_empty_shard_without_functions_stops_us(
        self, cluster: RedisCluster, store: RedisStore, app: str
    ) -> None:
        shard = holder(cluster, f"{{{app}:000}}")
        shard.ask("FUNCTION", "FLUSH")
        try:
            with pytest.raises(Missing):
                await store.slot(0).acquire(token(1))
        finally:
            shard.ask("FUNCTION", "LOAD", "REPLACE", read_library())

    @pytest.mark.parametrize("patience", [15_000, 300], ids=["noticed by nobody", "noticed by the others"])
    async def test_a_shard_that_was_away_is_waited_for(
        self, cluster: RedisCluster, store: RedisStore, app: str, patience: int
    ) -> None:
        """With `patience` milliseconds the others stop to answer too: CLUSTERDOWN."""
        for shard in cluster.servers:
            shard.ask("CONFIG", "SET", "cluster-node-timeout", patience)
        slots = [await opened(store, partition) for partition in range(6)]
        shard = holder(cluster, f"{{{app}:000}}")
        await asyncio.to_thread(shard.kill)
        try:
            commits = [asyncio.create_task(slot.commit(turn(1, customers=[(b"ann", b"1")]))) for slot in slots]
            await asyncio.sleep(1.5)
            assert not commits[0].done()
        finally:
            await asyncio.to_thread(shard.start)
        await asyncio.gather(*commits)
        for slot in slots:
            assert await slot.records() == [b"A" + token(1), b"turn 1"]
            assert await slot.customer(b"ann") == b"1"
        for shard in cluster.servers:
            shard.ask("CONFIG", "SET", "cluster-node-timeout", 15_000)

    async def test_prepare_waits_for_every_primary(
        self, cluster: RedisCluster, store: RedisStore, app: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("streams.state.server.PRIMARY_SECONDS", 0.3)
        shard = cluster.servers[2]
        await asyncio.to_thread(shard.kill)
        try:
            async with connected(cluster.url, app, patience=1.0) as hasty:
                with pytest.raises(Unavailable):
                    await hasty.prepare()
            preparing = asyncio.create_task(store.prepare())
            await asyncio.sleep(1.0)
            assert not preparing.done()
        finally:
            await asyncio.to_thread(shard.start)
        await preparing

    async def test_connections_that_were_cut_are_made_again(self, cluster: RedisCluster, store: RedisStore) -> None:
        slots = [await opened(store, partition) for partition in range(6)]
        for n in range(1, 4):
            for shard in cluster.servers:
                shard.ask("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")
            for slot in slots:
                await slot.commit(turn(n))
        for slot in slots:
            assert len(await slot.records()) == 4


def holder(cluster: RedisCluster, tag: str) -> RedisServer:
    """The shard that holds the keys with this hash tag."""
    slot = key_slot(tag.encode())
    for first, last, (_, port, *_), *_ in cluster.servers[0].ask("CLUSTER", "SLOTS"):
        if first <= slot <= last:
            return next(server for server in cluster.servers if server.port == port)
    raise AssertionError(f"nobody holds {tag}")


def move(source: RedisServer, target: RedisServer, tag: str) -> None:
    """What `redis-cli --cluster reshard` does, for one hash slot."""
    slot = key_slot(tag.encode())
    ids = [server.ask("CLUSTER", "MYID").decode() for server in (source, target)]
    keys = source.ask("KEYS", f"{tag}:*")
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
    source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
    for server in (target, source):
        server.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[1])
