"""The Redis we talk to, one server or a cluster: asks until there is a definite answer, and looks whether it is fit.

How it works. Every command we send may be sent twice, so an error that can pass is answered by asking again, in place,
after a random pause of up to two seconds. redis-py's own retries are off: they would end. Calls of our functions to one
server, and those are the many, share one connection (`line.py`); all else goes through redis-py's pool.
"""

import asyncio
import random
from collections.abc import Mapping
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterDownError,
    NoPermissionError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
)

from streams.state.line import Line
from streams.state.outage import Outage, passes
from streams.state.store import Unavailable, Unfit

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
CONNECT_SECONDS = 4.0  # outlasts two lost first packets (resent after 1 s and 3 s)
PRIMARY_SECONDS = 5.0  # how long to wait for one primary before looking who is primary now
CONNECTIONS = 10_000  # no limit of ours: a partition has three calls under way at most
OLDEST = (7, 0)
CALLS = ("FCALL", "FCALL_RO")
REFUSED = (AuthenticationError, AuthorizationError, NoPermissionError, RedisClusterException)


class Server:
    """One Redis, or a cluster when the scheme is redis+cluster or rediss+cluster."""

    def __init__(self, url: str, timeout: float) -> None:
        scheme, colon, rest = url.partition("://")
        self.clustered = scheme.endswith("+cluster")
        self.address = urlsplit(url).netloc.rpartition("@")[2]
        self.outage = Outage(self.address)
        url = scheme.removesuffix("+cluster") + colon + rest
        options: dict[str, Any] = {
            "protocol": 2,  # the third version brings notifications older servers do not know, and nothing we use
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": timeout,
            "socket_connect_timeout": min(timeout, CONNECT_SECONDS),
            "socket_keepalive": True,
            "max_connections": CONNECTIONS,
        }
        kind: Any = RedisCluster if self.clustered else Redis
        self._client = kind.from_url(url, **options)
        self._line = None if self.clustered else Line(self._client.connection_pool, timeout)

    async def ask(self, key: str, *command: Any, patience: float | None = None) -> Any:
        """The definite answer to a command on `key`. Raises Unavailable after `patience` seconds, Unfit when we are not
        let in, and redis-py's error when it is an answer."""
        return await self._ask(key, command, patience)

    async def prepare(self, library: str, patience: float | None) -> None:
        """Look at every primary, then load the functions there. Raises Unfit."""
        for info in await self._ask_primaries(("INFO",), patience):
            if fault := unfit(info, self.clustered):
                raise Unfit(f"redis at {self.address}: {fault}")
        await self._ask_primaries(("FUNCTION", "LOAD", "REPLACE", library), patience)

    async def close(self) -> None:
        if self._line:
            await self._line.close()
        await self._client.aclose()
        if self.clustered:  # redis-py forgets the nodes it knew when it is closed while looking for the cluster
            await self._client.nodes_manager.aclose()
            await self._client.nodes_manager.aclose("startup_nodes")

    async def _ask_primaries(self, command: tuple[Any, ...], patience: float | None) -> list[Any]:
        """The answers of all primaries."""
        if not self.clustered:
            return [await self._ask(None, command, patience)]
        each = PRIMARY_SECONDS if patience is None else min(patience, PRIMARY_SECONDS)
        while True:
            await self._ask("", ("PING",), patience)  # finds the cluster
            try:
                return [await self._ask(node, command, each) for node in self._client.get_primaries()]
            except Unavailable:
                if patience is not None:
                    raise
            await self._client.aclose()  # another may be primary by now: find the cluster again

    async def _ask(self, target: Any, command: tuple[Any, ...], patience: float | None) -> Any:
        tries: list[BaseException] = []
        cancelled = cancellations()
        try:
            async with asyncio.timeout(patience):
                answer = await self._insist(target, command, tries)
        except TimeoutError as error:
            last = f"; last: {type(tries[-1]).__name__}: {tries[-1]}" if tries else ""
            raise Unavailable(
                f"redis at {self.address}: {_name(command)}: no answer in {patience} s, {len(tries)} tries failed{last}"
            ) from error
        if cancellations() > cancelled:
            raise asyncio.CancelledError  # redis-py waits by `wait_for`, and Python 3.11's may lose a cancellation
        return answer

    async def _insist(self, target: Any, command: tuple[Any, ...], tries: list[BaseException]) -> Any:
        try:
            while True:
                try:
                    answer = await self._send(target, command)
                except (RedisError, RedisClusterException, OSError) as error:
                    await self._wait_out(error, command, tries)
                else:
                    break
        finally:
            if tries:
                self.outage.leave()
        self.outage.answered()
        return answer

    async def _wait_out(self, error: Exception, command: tuple[Any, ...], tries: list[BaseException]) -> None:
        """Wait before the next try; raise what waiting cannot help."""
        if not passes(error):
            if isinstance(error, REFUSED):
                raise Unfit(f"redis at {self.address}: {_name(command)}: {error}") from error
            raise error
        if not tries:
            self.outage.wait()
        if len(tries) == 100:  # only the last is told
            del tries[0]
        tries.append(error)
        self.outage.explain(_name(command), error)
        if isinstance(error, (ReadOnlyError, ClusterDownError)) and self._line:
            self._line.hang_up()
            await self._client.connection_pool.disconnect(inuse_connections=False)  # the name may lead elsewhere by now
        await asyncio.sleep(random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** len(tries))))

    async def _send(self, target: Any, command: tuple[Any, ...]) -> Any:
        try:
            return await self._route(target, command)
        except (AttributeError, TypeError) as error:
            if "'NoneType' object" not in str(error):
                raise
            # redis-py stumbles over a connection that the server or another call has closed (redis/redis-py#4287)
            raise ConnectionError("the connection was closed") from error

    async def _route(self, target: Any, command: tuple[Any, ...]) -> Any:
        if self._line and command[0] in CALLS:
            return await self._line.ask(command)
        if not self.clustered:
            return await self._client.execute_command(*command)
        # redis-py would send a function call twice, the first time to ask the server which keys are in it
        await self._client.initialize()
        node = self._client.get_node_from_key(target) if isinstance(target, str) else target
        return await self._client.execute_command(*command, target_nodes=node)


def read_library() -> str:
    """The function library's source."""
    return files("streams.state").joinpath("functions.lua").read_text("utf-8")


def unfit(info: Mapping[str, Any], clustered: bool) -> str | None:
    """Why a server with this INFO cannot keep the promise; None when it can."""
    version = str(info.get("redis_version", "nothing"))
    if [int(part) for part in version.split(".")[:2] if part.isdigit()] < list(OLDEST):
        return f"wanted version 7.0 or newer, which has functions; got {version}"
    policy = info.get("maxmemory_policy", "nothing")
    if policy != "noeviction":
        return f"wanted maxmemory-policy noeviction, else customers vanish silently; got {policy}"
    if info.get("redis_mode") == "cluster" and not clustered:
        return "wanted redis+cluster:// or rediss+cluster:// in its URL, for it is part of a cluster; got no +cluster"
    return None


def cancellations() -> int:
    """How often this task was cancelled so far."""
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def _name(command: tuple[Any, ...]) -> str:
    return str(command[1] if command[0] in ("FCALL", "FCALL_RO") else command[0])
