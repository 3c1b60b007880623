"""The guard: a process that starts others and makes sure that none of them outlives the one who asked.

`python -m streams.tools.guard` reads JSON lines from stdin and writes JSON lines to stdout.

    {"parts": [{"name": "kafka", "kind": "tansu"}, ...]}     start these; more such lines may follow
    {"do": "stop"|"kill"|"start"|"pause"|"resume", "name": "kafka"}

Fields of a part: `name`, `kind`, `restart` (start it again when it dies), `once` (it is meant to end), `log` (a file),
and what its recipe takes (`port`, `aof`, `argv`, `url`, ...). Answers: `{"folder": ...}` first, then for each change
`{"name", "is": "ready"|"paused"|"down"|"died"|"failed"|"done", "pid", "address", "why"}`.

How it works. One loop without threads looks at stdin and at every child. When stdin closes (the asker is gone, however
it died), on SIGTERM, or when a child died that is not to be restarted, it ends all children, those asked for last first
(workers while their broker still answers), removes the temporary folder and exits. Should the guard itself be killed,
Linux kills its children (PR_SET_PDEATHSIG); elsewhere they stay.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .parts import KINDS
from .parts.part import TICK, Failed, Missing, Part

LOOK = 0.05
"""Seconds between two looks at the children when nothing is under way."""
LONGEST_PAUSE = 5.0
"""Most seconds before a process that keeps dying is started again."""

SIGNALS = {"stop": signal.SIGTERM, "kill": signal.SIGKILL, "pause": signal.SIGSTOP, "resume": signal.SIGCONT}


class Child:
    """One part under guard, and where it stands: starting, ready, paused, ending, down, or waiting for a new start."""

    def __init__(self, name: str, part: Part, restart: bool, once: bool) -> None:
        self.name, self.part = name, part
        self._restart, self._once = restart, once
        self._state, self._was_ready = "down", False
        self._pause, self._since = 0.0, 0.0

    @property
    def settled(self) -> bool:
        """Is there nothing to wait for?"""
        return self._state in ("ready", "paused", "down")

    def start(self) -> None:
        """Start it; the rest follows in `look`."""
        self._since = time.monotonic()
        try:
            self.part.spawn()
            self._state = "starting"
        except (Failed, Missing, OSError) as exc:
            self._fail(str(exc))

    def order(self, what: str) -> None:
        """What the asker wants done with it."""
        if what == "start":
            return self.start()
        self.part.signal(SIGNALS[what])
        if what in ("stop", "kill"):
            self._state = "ending"
        else:
            self._become("paused" if what == "pause" else "ready")

    def look(self) -> bool:
        """Follow what happened to it. False when it died and all must end."""
        if self._state == "starting":
            self._look_starting()
        elif self._state == "ending" and self.part.ending():
            self._become("down")
        elif self._state == "waiting" and time.monotonic() >= self._since + self._pause:
            self.start()
        elif self._state in ("ready", "paused") and self.part.exit_code() is not None:
            return self._died()
        return True

    def _look_starting(self) -> None:
        if self._once:
            return self._look_once()
        try:
            if self.part.settle():
                self._was_ready = True
                self._become("ready")
        except (Failed, Missing, OSError) as exc:
            self._fail(str(exc))

    def _look_once(self) -> None:
        code = self.part.exit_code()
        if code is not None:
            self._become("down", said="done" if code == 0 else "failed", why=self.part.tail() if code else "")

    def _fail(self, why: str) -> None:
        """It did not start: news at its first start, a longer pause at a later one."""
        if self._restart and self._was_ready:
            return self._wait()
        self._become("down", said="failed", why=why)

    def _died(self) -> bool:
        self._become("down", said="died", why=f"ended with {self.part.exit_code()}\n{self.part.tail()}")
        if self._restart:
            self._wait()
        return self._restart

    def _wait(self) -> None:
        """Who lived for long is started at once; who keeps dying, later and later."""
        lived = time.monotonic() - self._since
        self._pause = 0.0 if lived > LONGEST_PAUSE else min(LONGEST_PAUSE, self._pause * 2 + 0.25)
        self._since, self._state = time.monotonic(), "waiting"

    def _become(self, state: str, said: str = "", why: str = "") -> None:
        self._state = state
        say(name=self.name, **{"is": said or state}, pid=self.part.pid, address=self.part.address, why=why)


class Guard:
    """All children, the temporary folder, and the loop."""

    def __init__(self) -> None:
        self._children: dict[str, Child] = {}
        self._waves: list[list[Child]] = []
        self._rest = b""
        self._ends = False
        self._leash = leash()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._end)
        signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which children would inherit
        self.folder = Path(tempfile.mkdtemp(prefix="kairos-guard-"))

    def run(self) -> None:
        """Until the asker is gone, or SIGTERM, or the death of a child nobody restarts."""
        while not self._ends and self._listen() and all([child.look() for child in self._children.values()]):
            pass

    def end(self) -> None:
        """Stop all: those started together are asked together, and each has the same grace."""
        for wave in reversed(self._waves):
            for child in wave:
                child.part.signal(signal.SIGTERM)
            while not all([child.part.ending() for child in wave]):
                time.sleep(TICK)

    def _end(self, *_: object) -> None:
        self._ends = True

    def _listen(self) -> bool:
        """Wait a little for orders and obey them. False when the asker is gone."""
        calm = all(child.settled for child in self._children.values())
        ready, _, _ = select.select([0], [], [], LOOK if calm else TICK)
        if not ready:
            return True
        data = os.read(0, 65536)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        return bool(data)

    def _obey(self, order: dict[str, Any]) -> None:
        if "parts" in order:
            self._waves.append([self._make(**spec) for spec in order["parts"]])
            for child in self._waves[-1]:
                child.start()
        if "do" in order:
            self._children[order["name"]].order(order["do"])

    def _make(
        self, name: str, kind: str, restart: bool = False, once: bool = False, log: str = "", **recipe: Any
    ) -> Child:
        part = KINDS[kind](self.folder / name, log=Path(log) if log else None, **recipe)
        part.leash = self._leash
        self._children[name] = Child(name, part, restart, once)
        return self._children[name]


def leash() -> Any:
    """What a child calls before it becomes a server, so that it dies with us; None where there is no such call."""
    if sys.platform != "linux":
        return None
    prctl, guard = ctypes.CDLL(None).prctl, os.getpid()

    def tie() -> None:
        prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != guard:
            os._exit(1)

    return tie


def say(**line: object) -> None:
    """One JSON line to the asker, who may be gone. Unbuffered, so nothing is left to flush at exit."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(line).encode() + b"\n")


def main() -> None:
    """Guard until the end, and leave nothing behind."""
    guard = Guard()
    folder = guard.folder
    try:
        say(folder=str(folder), pid=os.getpid())
        guard.run()
    finally:
        guard.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
