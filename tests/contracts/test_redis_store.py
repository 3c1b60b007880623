"""The contract, kept in Redis and in Valkey, and what only a real server can do: be away, be full, forget."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from redis._parsers.base import BaseParser
from redis.asyncio.connection import Connection

from streams.state.outage import passes
from streams.state.redis import RedisStore
from streams.state.server import unfit
from streams.state.store import Commit, Exists, Missing, Unavailable, Unfit
from tests.contracts.servers import Gate, RedisServer, redis_binary, valkey_binary
from tests.contracts.store_contract import ODD, StoreContract, opened, token, turn

PARTS = ("meta", "customers", "timers", "outbox", "turns")


class RedisMachine:
    """Takes the five keys of a slot back in time."""

    def __init__(self, server: RedisServer, app: str) -> None:
        self.server, self.app = server, app

    async def save(self, partition: int) -> Any:
        return {key: self.server.ask("DUMP", key) for key in self._keys(partition)}

    async def restore(self, partition: int, saved: Any) -> None:
        for key in self._keys(partition):
            self.server.ask("DEL", key)
            if saved[key] is not None:
                self.server.ask("RESTORE", key, 0, saved[key])

    def _keys(self, partition: int) -> list[str]:
        return [f"{{{self.app}:{partition:03}}}:{part}" for part in PARTS]


@asynccontextmanager
async def connected(url: str, app: str, **options: Any) -> AsyncIterator[RedisStore]:
    store = RedisStore(url, app, **options)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    yield from running(redis_binary(), tmp_path_factory)


@pytest.fixture(scope="module")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    yield from running(valkey_binary(), tmp_path_factory)


@pytest.fixture
def app() -> str:
    return f"test-{secrets.token_hex(4)}"


class RedisContract(StoreContract):
    """The contract on a server shared by its tests, each with an app of its own."""

    @pytest.fixture
    async def store(self, server: RedisServer, app: str) -> AsyncIterator[RedisStore]:
        async with connected(server.url, app) as store:
            await store.prepare()
            yield store

    @pytest.fixture
    def machine(self, server: RedisServer, app: str) -> RedisMachine:
        return RedisMachine(server, app)


class TestRedisStore(RedisContract):
    @pytest.fixture
    def server(self, redis_server: RedisServer) -> RedisServer:
        return redis_server

    async def test_a_commit_touches_only_its_own_keys(self, server: RedisServer, store: RedisStore, app: str) -> None:
        await opened(store, 1)
        await opened(store, 2)
        before = dump(server)
        pairs = [(name, b"value") for name in ODD]
        await store.slot(1).commit(turn(1, customers=pairs, outbox=pairs, wake=[(name, 1.0) for name in ODD]))
        changed = {key for key, value in dump(server).items() if before.get(key) != value}
        assert changed == {f"{{{app}:001}}:{part}".encode() for part in PARTS}
        assert dump(server).keys() >= before.keys()

    async def test_what_an_engineer_sees(self, server: RedisServer, store: RedisStore, app: str) -> None:
        slot = await opened(store, 17)
        await slot.commit(turn(1, customers=[(b"ann", b'{"cart":{}}')], wake=[(b"ann", 1754000000.5)]))
        tag = f"{{{app}:017}}"
        assert server.ask("HGET", f"{tag}:customers", "ann") == b'{"cart":{}}'
        assert server.ask("HGET", f"{tag}:meta", "next:triggers") == b"7"
        assert server.ask("ZRANGE", f"{tag}:timers", 0, -1, "WITHSCORES") == [b"ann", b"1754000000.5"]
        await store.publish("v1", b"plays: []")
        assert server.ask("GET", f"{{{app}}}:playbook") == b"v1"
        assert server.ask("HGET", f"{{{app}}}:playbooks", "v1") == b"plays: []"

    async def test_a_key_of_another_kind_stops_a_commit_before_it_writes(
        self, server: RedisServer, store: RedisStore, app: str
    ) -> None:
        slot = await opened(store)
        server.ask("SET", f"{{{app}:000}}:outbox", "mischief")
        before = dump(server)
        with pytest.raises(ValueError, match="wanted a hash as key 4, got a string"):
            await slot.commit(turn(1, customers=[(b"ann", b"1")], outbox=[(b"i", b"e")]))
        assert dump(server) == before

    async def test_create_does_not_adopt_what_is_left_of_a_slot(
        self, server: RedisServer, store: RedisStore, app: str
    ) -> None:
        slot = await opened(store)
        await slot.commit(turn(1, customers=[(b"ann", b"1")]))
        server.ask("DEL", f"{{{app}:000}}:meta")
        with pytest.raises(Missing):
            await slot.acquire(token(5))
        with pytest.raises(Exists):
            await slot.create(4, {})

    async def test_lost_replies_are_asked_for_again(self, server: RedisServer, app: str) -> None:
        async with Gate(server.port) as gate, connected(f"redis://127.0.0.1:{gate.port}", app) as store:
            calls = [b"FUNCTION", b"kairos_create", b"kairos_acquire", b"kairos_commit", b"kairos_trim"]
            gate.lose = [call + b"\r\n" for call in calls]
            await store.prepare()
            slot = await opened(store)
            answer = await slot.commit(turn(1, wake=[(b"ann", 2.5)], outbox=[(b"i", b"e")], until=3.0))
            await slot.trim([b"i"])
            assert (gate.lost, answer.next_due, answer.due) == (5, 2.5, [b"ann"])
            assert await slot.records() == [b"A" + token(1), b"turn 1"]
            assert await slot.outbox_size() == 0

    async def test_redis_py_stumbling_over_a_closed_connection_is_asked_again(
        self, store: RedisStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slot = await opened(store)
        faults = [TypeError("'NoneType' object is not callable"), AttributeError("'NoneType' object has no attribute")]
        send = Connection.send_packed_command

        async def stumble(self: Connection, *arguments: Any, **options: Any) -> None:
            if faults:
                raise faults.pop()
            await send(self, *arguments, **options)

        monkeypatch.setattr(Connection, "send_packed_command", stumble)
        assert await slot.records() == [b"A" + token(1)]
        assert not faults
        faults.append(TypeError("unhashable type: 'list'"))
        with pytest.raises(TypeError, match="unhashable"):
            await slot.records()

    async def test_one_may_be_cancelled_while_another_goes_on(self, store: RedisStore) -> None:
        slot = await opened(store)
        names = [b"%d" % n for n in range(5_000)]
        await slot.commit(turn(1, customers=[(name, name) for name in names]))
        loads = [asyncio.create_task(slot.load((token(2), token(2)), names)) for _ in range(20)]
        await asyncio.sleep(0)
        for n, load in enumerate(loads):
            await asyncio.sleep(0.001)
            if n % 2:
                load.cancel()
        results = await asyncio.gather(*loads, return_exceptions=True)
        assert all(result == names for result in results if not isinstance(result, asyncio.CancelledError))
        assert await slot.load((token(2), token(2)), names) == names

    async def test_patience_ends_with_address_and_call(self, server: RedisServer, app: str) -> None:
        server.ask("CONFIG", "SET", "maxmemory", "1")
        try:
            async with connected(server.url, app, patience=0.3) as store:
                with pytest.raises(
                    Unavailable, match=f"127.0.0.1:{server.port}: HSET: no answer in 0.3 s.*OutOfMemoryError"
                ):
                    await store.publish("v1", b"plays: []")
        finally:
            server.ask("CONFIG", "SET", "maxmemory", "0")

    @pytest.mark.parametrize(
        ("away", "back"),
        [
            (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
            (("CONFIG", "SET", "min-replicas-to-write", "1"), ("CONFIG", "SET", "min-replicas-to-write", "0")),
            (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        ],
        ids=["full", "too few replicas", "demoted"],
    )
    async def test_what_passes_is_waited_for(
        self, server: RedisServer, store: RedisStore, away: tuple[str, ...], back: tuple[str, ...]
    ) -> None:
        slot = await opened(store)
        server.ask(*away)
        with structlog.testing.capture_logs() as lines:
            try:
                commits = [asyncio.create_task(slot.commit(turn(1, customers=[(b"ann", b"1")]))) for _ in range(3)]
                await asyncio.sleep(0.3)
                assert not any(commit.done() for commit in commits)
            finally:
                server.ask(*back)
            await asyncio.gather(*commits)
        assert await slot.customer(b"ann") == b"1"
        assert [line["event"] for line in lines] == ["redis away, calls wait", "redis back"]
        assert lines[0]["call"] == "kairos_commit"

    async def test_a_full_redis_still_lets_triggers_leave(self, server: RedisServer, store: RedisStore) -> None:
        slot = await opened(store)
        await slot.commit(turn(1, outbox=[(b"i", b"e")]))
        server.ask("CONFIG", "SET", "maxmemory", "1")
        try:
            await slot.trim([b"i"])
            assert (await slot.open(token(2))).outbox == []
        finally:
            server.ask("CONFIG", "SET", "maxmemory", "0")

    async def test_a_busy_redis_is_waited_for(self, server: RedisServer, store: RedisStore) -> None:
        slot = await opened(store)
        server.ask("CONFIG", "SET", "busy-reply-threshold", "50")
        endless = asyncio.create_task(asyncio.to_thread(ask_quietly, server, "EVAL", "while true do end", 0))
        await asyncio.sleep(0.2)
        commit = asyncio.create_task(slot.commit(turn(1)))
        await asyncio.sleep(0.3)
        assert not commit.done()
        server.ask("SCRIPT", "KILL")
        await endless
        await commit

    async def test_a_silent_redis_is_asked_again(self, server: RedisServer, app: str) -> None:
        async with connected(server.url, app, timeout=0.2) as store:
            await store.prepare()
            slot = await opened(store)
            server.ask("CLIENT", "PAUSE", "700", "ALL")
            await slot.commit(turn(1))
            assert await slot.records() == [b"A" + token(1), b"turn 1"]

    async def test_an_evicting_redis_is_refused(self, server: RedisServer, store: RedisStore) -> None:
        server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(Unfit, match=r"wanted maxmemory-policy noeviction.*got allkeys-lru"):
                await store.prepare()
        finally:
            server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")

    async def test_a_login_that_is_refused_is_not_tried_for_ever(self, server: RedisServer, app: str) -> None:
        url = server.url.replace("redis://", "redis://nobody:wrong@")
        async with connected(url, app) as store:
            with pytest.raises(Unfit, match=r"WRONGPASS|invalid username-password") as refused:
                await store.prepare()
        assert ":wrong@" not in str(refused.value)

    async def test_a_user_without_the_right_is_told(self, server: RedisServer, app: str) -> None:
        server.ask("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@all", "-fcall", "-fcall_ro")
        async with connected(server.url.replace("redis://", "redis://reader:secret@"), app) as store:
            with pytest.raises(Unfit, match="kairos_held"):
                await store.slot(0).acquire(token(1))

    async def test_a_single_server_is_no_cluster(self, server: RedisServer, app: str) -> None:
        async with connected(server.url.replace("redis:", "redis+cluster:"), app) as store:
            with pytest.raises(Unfit, match="Cluster mode is not enabled"):
                await store.prepare()

    async def test_an_unexpected_error_is_a_bug(self, server: RedisServer, store: RedisStore, app: str) -> None:
        server.ask("SET", f"{{{app}:000}}:meta", "mischief")
        with pytest.raises(Exception, match="WRONGTYPE"):
            await store.slot(0).acquire(token(1))

    async def test_functions_that_were_lost_come_back(self, server: RedisServer, store: RedisStore) -> None:
        slot = await opened(store)
        server.ask("FUNCTION", "FLUSH")
        with pytest.raises(Missing, match="neither its state nor our functions"):
            await store.slot(1).acquire(token(1))
        await slot.commit(turn(1))
        server.ask("FUNCTION", "FLUSH")
        await store.slot(1).create(4, {})


class TestValkeyStore(RedisContract):
    @pytest.fixture
    def server(self, valkey_server: RedisServer) -> RedisServer:
        return valkey_server


class TestRestarts:
    """A server of its own, which is killed."""

    @pytest.fixture
    def server(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
        yield from running(redis_binary(), tmp_path_factory, "--appendonly", "yes", "--appendfsync", "always")

    async def test_commits_go_on_where_a_kill_stopped_them(self, server: RedisServer, app: str) -> None:
        async with connected(server.url, app) as store:
            await store.prepare()
            slot = await opened(store)
            with structlog.testing.capture_logs() as lines:
                committing = asyncio.create_task(commit_many(slot.commit, 400))
                for _ in range(3):
                    await asyncio.sleep(0.1)
                    await asyncio.to_thread(server.kill)
                    await asyncio.sleep(0.1)
                    await asyncio.to_thread(server.start)
                await committing
            assert await slot.records() == [b"A" + token(1), *(b"turn %d" % n for n in range(1, 401))]
            assert sorted([item async for item in slot.customers()]) == sorted((b"%d" % n, b"x") for n in range(1, 401))
            assert (await slot.meta())["seq"] == b"400"
        assert {line["event"] for line in lines} == {"redis away, calls wait", "redis back"}

    async def test_an_empty_redis_in_its_place_stops_us(self, server: RedisServer, app: str) -> None:
        async with connected(server.url, app) as store:
            await store.prepare()
            slot = await opened(store)
            await slot.commit(turn(1))
            server.kill()
            server.options = ()
            server.start()
            for call in (lambda: slot.commit(turn(2)), lambda: slot.acquire(token(9))):
                with pytest.raises(Missing):
                    await call()
            await store.prepare()
            with pytest.raises(Missing):
                await slot.commit(turn(2))

    async def test_patience_when_nobody_is_there(self, server: RedisServer, app: str) -> None:
        server.kill()
        async with connected(server.url, app, patience=0.2) as store:
            with pytest.raises(Unavailable, match="HGETALL"):
                await store.slot(0).meta()
            with pytest.raises(Unavailable, match="INFO"):
                await store.prepare()


def test_servers_that_are_unfit() -> None:
    good = {"redis_version": "7.0.15", "maxmemory_policy": "noeviction", "redis_mode": "standalone"}
    assert unfit(good, clustered=False) is None
    assert unfit(good | {"redis_version": "10.2.1"}, clustered=True) is None
    assert "got 6.2.14" in str(unfit(good | {"redis_version": "6.2.14"}, clustered=False))
    assert "got nothing" in str(unfit({"maxmemory_policy": "noeviction"}, clustered=False))
    assert "got nothing" in str(unfit({"redis_version": "7.2.4"}, clustered=False))
    assert "+cluster" in str(unfit(good | {"redis_mode": "cluster"}, clustered=False))


@pytest.mark.parametrize(
    "reply",
    [
        "LOADING Redis is loading the dataset in memory",
        "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "READONLY You can't write against a read only replica.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "MISCONF Errors writing to the AOF file: No space left on device",
        "NOREPLICAS Not enough good replicas to write.",
        "CLUSTERDOWN The cluster is down",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "ERR max number of clients reached",
    ],
)
def test_what_passes(reply: str) -> None:
    assert passes(BaseParser.parse_error(reply))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "reply",
    [
        "REFUSED another token is stored",
        "SHAPE lengths do not add up",
        "ERR Function not found",
        "ERR unknown command 'FCALL'",
        "ERR user_function:12: attempt to index a nil value script: kairos_commit",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "NOAUTH Authentication required.",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "NOPERM User reader has no permissions to run the 'fcall' command",
        "MOVED 3999 127.0.0.1:6381",
        "CROSSSLOT Keys in request don't hash to the same slot",
    ],
)
def test_what_is_an_answer(reply: str) -> None:
    assert not passes(BaseParser.parse_error(reply))  # type: ignore[no-untyped-call]


def running(binary: str, folders: pytest.TempPathFactory, *options: str) -> Iterator[RedisServer]:
    server = RedisServer(binary, folders.mktemp("server"), *options)
    server.start()
    yield server
    server.stop()


def dump(server: RedisServer) -> dict[bytes, Any]:
    return {key: server.ask("DUMP", key) for key in server.ask("KEYS", "*")}


def ask_quietly(server: RedisServer, *command: Any) -> None:
    try:
        server.ask(*command)
    except Exception as error:  # the script is killed
        assert "killed" in str(error)


async def commit_many(commit: Any, count: int) -> None:
    for n in range(1, count + 1):
        changes: dict[str, Any] = {"customers": [(b"%d" % n, b"x")], "meta": {"seq": b"%d" % n}}
        await commit(Commit(token(n), token(n + 1), 0.0, b"turn %d" % n, 0, **changes))
        await asyncio.sleep(0.002)
