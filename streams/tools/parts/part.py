"""One server process on loopback: start it, wait until it answers, stop it, kill it, start it again as it was.

How it works. A recipe (Tansu, Apache, Valkey, ...) says what to run and how to ask whether it answers; this file owns
the process. Only `start`, `stop` and `kill` wait: they repeat `settle` and `ending`, which the guard calls in its own
loop.
"""

import random
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import IO, ClassVar, Self

TICK = 0.01
"""Seconds between two looks at a process we wait for."""
GRACE = 10.0
"""Seconds a process has between SIGTERM and SIGKILL."""


class Missing(Exception):
    """A part cannot be had on this machine; the text says what is missing and how to get it."""


class Failed(Exception):
    """A part did not get ready; the text ends with the last lines of its log."""


def free_port() -> int:
    """A port nobody listens on, below those the system gives to clients.

    A client that keeps trying a stopped server on one of *those* ports will meet itself one day, and keep the port.
    """
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Part(ABC):
    """A server that keeps its port and its data over restarts. Not for several threads at once."""

    kind: ClassVar[str]
    durable: ClassVar[bool] = True
    """Do its data outlive its process?"""
    patience: ClassVar[float] = 30.0
    """Seconds from start to the first answer."""

    def __init__(self, folder: Path, port: int = 0, log: Path | None = None) -> None:
        """`folder` is the part's own and need not exist; port 0 takes a free one at the first start."""
        self.folder = folder
        self.log = log or folder / "log.txt"
        self.leash: Callable[[], None] | None = None
        """Called in the child before it becomes the server; the guard ties its children to itself here."""
        self._port, self._movable = port, port == 0
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline = 0.0

    @abstractmethod
    def command(self) -> list[str]:
        """What to run."""

    @abstractmethod
    def answers(self) -> bool:
        """Does the server answer a real question? Asked often, returns soon, raises OSError for no."""

    def check(self) -> None:
        """Can it be had here without asking the network? Raises Missing."""
        self.command()

    def obtain(self) -> None:
        """Fetch what it is made of, if need be. Raises Missing."""
        self.check()

    def prepare(self) -> None:  # noqa: B027 - most parts need nothing
        """What must be there before the process starts; runs at each start."""

    def environment(self) -> dict[str, str]:
        """Variables of the process: none of ours, since servers read them as settings."""
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}

    @property
    def port(self) -> int:
        """Where it listens; chosen when first asked for."""
        self._port = self._port or free_port()
        return self._port

    @property
    def address(self) -> str:
        """What clients are given."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id; 0 when it does not run."""
        return self._process.pid if self._process and self.exit_code() is None else 0

    def exit_code(self) -> int | None:
        """How the last process ended; None while it runs or before the first."""
        return self._process.poll() if self._process else None

    def start(self) -> Self:
        """Start and wait for an answer. Raises Failed, Missing."""
        self.spawn()
        while not self.settle():
            time.sleep(TICK)
        return self

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after a grace; returns when it is gone."""
        self.signal(signal.SIGTERM)
        while not self.ending():
            time.sleep(TICK)

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self.signal(signal.SIGKILL)
        while not self.ending():
            time.sleep(TICK)

    def restart(self) -> Self:
        """Stop, and start again: same port, same data if it is durable."""
        self.stop()
        return self.start()

    def spawn(self) -> None:
        """Start the process and return at once; call `settle` until it says yes."""
        if self.pid:
            raise Failed(f"{self.kind}: runs already, pid {self.pid}")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        with self.log.open("ab") as log:
            self._process = self._popen(log)
        self._deadline = time.monotonic() + self.patience

    def settle(self) -> bool:
        """Is it ready? Raises Failed when it ended or time is over."""
        code = self.exit_code()
        if code is not None:
            if not self._moves():
                raise Failed(f"{self.kind}: wanted an answer at {self.address}, it ended with {code}\n{self.tail()}")
            self.spawn()
            return False
        if self._asks():
            self._movable = False
            return True
        if time.monotonic() > self._deadline:
            self.kill()
            raise Failed(f"{self.kind}: no answer at {self.address} in {self.patience:g} s\n{self.tail()}")
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if it runs; SIGSTOP and SIGCONT are the pause and its end."""
        if self._process and self.pid:
            self._process.send_signal(number)
            if number == signal.SIGTERM:
                self._process.send_signal(signal.SIGCONT)  # a paused process would not hear it
        self._deadline = time.monotonic() + GRACE

    def ending(self) -> bool:
        """After a signal to end: is it gone? Kills when the grace is over."""
        if not self.pid:
            return True
        if time.monotonic() > self._deadline:
            self.signal(signal.SIGKILL)
        return False

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log, indented."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join("  " + line for line in text.splitlines()[-lines:])

    def _popen(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=self.workplace(),
            env=self.environment(),
            preexec_fn=self.leash,
        )

    def workplace(self) -> Path:
        """The folder the process runs in."""
        return self.folder

    def _moves(self) -> bool:
        """Another port, if the one we chose was taken meanwhile. Decided by looking: logs differ."""
        if not self._movable or not _taken(self._port):
            return False
        self._port = 0
        return True

    def _asks(self) -> bool:
        try:
            return self.answers()
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _taken(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(0.5)
        return sock.connect_ex(("127.0.0.1", port)) == 0
