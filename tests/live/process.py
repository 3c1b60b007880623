"""One of our commands as a process of its own, with a log that tests may read."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from processors.compiled import COMPILED

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds that anything may take on a slow machine."""
GRACE = 15.0
PATH = [ROOT] if COMPILED else [ROOT, ROOT / "tests" / "pure"]
"""Where no core serves the tests, none serves the processes they start."""


async def until(holds: Callable[[], Awaitable[T | None]], wanted: str, seconds: float = PATIENCE) -> T:
    """Ask until the answer is true, and give it; fails the test when time is over."""
    give_up = time.monotonic() + seconds
    while not (found := await holds()):
        if time.monotonic() > give_up:
            pytest.fail(f"wanted {wanted} within {seconds:g} s, got {found!r}")
        await asyncio.sleep(0.05)
    return found


class Process:
    """A command of ours. It may be started again after its end; all its runs write to one log."""

    def __init__(self, name: str, arguments: list[str], variables: Mapping[str, str], folder: Path) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KAIROS_")}
        self.name, self._arguments, self._folder = name, arguments, folder
        self._environment = clean | {"PYTHONPATH": os.pathsep.join(map(str, PATH))} | dict(variables)
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start; returns at once."""
        assert not self.runs, f"{self.name} runs already"
        tied = [sys.executable, str(Path(__file__).with_name("tied.py")), "streams.cli", *self._arguments]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                tied, cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    async def ended(self, seconds: float = PATIENCE) -> int:
        """The exit code, once it has ended."""

        async def code() -> tuple[int] | None:
            assert self._process
            found = self._process.poll()
            return None if found is None else (found,)

        return (await until(code, f"the end of {self.name}", seconds))[0]

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self._signal(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> int:
        """SIGTERM. Answers the exit code."""
        self._signal(signal.SIGTERM)
        return await self.ended()

    def pause(self) -> None:
        """SIGSTOP: it is there and does nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, politely first; returns when it is gone."""
        if not self.runs:
            return
        assert self._process
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    # -- what it said

    def text(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def said(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of one event, fields and all."""
        found = []
        for text in self.text().splitlines():
            if text.startswith("{"):
                line: dict[str, Any] = json.loads(text)
                if line.get("event") == event:
                    found.append(line)
        return found

    def tail(self, lines: int = 40) -> str:
        return "\n".join([f"-- {self.name}", *self.text().splitlines()[-lines:]])


class Served(Process):
    """A process that answers HTTP."""

    def __init__(self, name: str, arguments: list[str], variables: Mapping[str, str], folder: Path, url: str) -> None:
        super().__init__(name, arguments, variables, folder)
        self.url = url

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body; status 0: nobody answers."""
        return await asyncio.to_thread(get, self.url + path)

    async def ready(self) -> Self:
        """Once /readyz says so. Fails when the process ended instead."""

        async def yes() -> bool:
            assert self.runs, f"wanted {self.name} to get ready, it ended"
            return (await self.get("/readyz"))[0] == 200

        await until(yes, f"{self.name} ready")
        return self


def get(url: str) -> tuple[int, str]:
    """Status and body; status 0: nobody answers."""
    try:
        with urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()
    except (URLError, OSError):
        return 0, ""
