"""The asker's side of the guard: parts in a process of their own, which go when we go.

with Guarded() as guard:
    kafka, redis = guard.add({"name": "kafka", "kind": "apache"}, {"name": "redis", "kind": "redis-server"})
    kafka.address
    kafka.stop()
    kafka.start()  # same port, same data
"""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from .parts import Failed
from .parts.part import GRACE

PATIENCE = 90.0
"""Most seconds for a part to get where it was told to; the parts themselves give up earlier."""


class Ward:
    """A part under guard, as the asker sees it."""

    def __init__(self, guard: "Guarded", name: str) -> None:
        self._guard, self.name = guard, name
        self.state, self.why = "starting", ""
        self.address, self.pid = "", 0

    def start(self) -> Self:
        """Start again, on the same port; returns when it answers. Raises Failed."""
        self._order("start")
        return self.wait("ready", "done")

    def stop(self) -> None:
        """SIGTERM, then SIGKILL; returns when it is gone."""
        self._order("stop")
        self.wait("down")

    def kill(self) -> None:
        """SIGKILL; returns when it is gone. Also a part marked `restart` then stays down: it was told to."""
        self._order("kill")
        self.wait("down")

    def restart(self) -> Self:
        """Stop and start."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """SIGSTOP: the process is there and says nothing."""
        self._order("pause")
        self.wait("paused")

    def resume(self) -> None:
        """SIGCONT."""
        self._order("resume")
        self.wait("ready")

    def wait(self, *states: str) -> Self:
        """Until it is in one of the states. Raises Failed when it is not in time, or failed, or the guard ended."""
        self._guard.wait(lambda: self.state in (*states, "failed"), f"{self.name}: wanted {' or '.join(states)}")
        if self.state not in states:
            raise Failed(f"{self.name}: {self.why}")
        return self

    def _order(self, what: str) -> None:
        self.state = f"told to {what}"
        self._guard.send(do=what, name=self.name)

    def hear(self, line: dict[str, Any]) -> None:
        """News of the part, from the guard."""
        self.state, self.why = line["is"], line["why"]
        self.address, self.pid = line["address"], line["pid"]


class Guarded:
    """A guard process and the parts in it. Ends with `close`, or with us."""

    def __init__(self) -> None:
        self.wards: dict[str, Ward] = {}
        self.folder = Path()
        self.ended = False
        """Is the guard gone, and all parts with it?"""
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "streams.tools.guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us, not for the parts
        )
        self._reader = threading.Thread(target=self._read, name="guard", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id of the guard."""
        return self._process.pid

    def add(self, *specs: dict[str, Any]) -> list[Ward]:
        """Start parts, all at once; returns when each is ready (or done). Raises Failed."""
        wards = [Ward(self, spec["name"]) for spec in specs]
        self.wards |= {ward.name: ward for ward in wards}
        self.send(parts=specs)
        return [ward.wait("ready", "done") for ward in wards]

    def send(self, **order: object) -> None:
        """One line to the guard; when it is gone, `wait` will say so."""
        stdin = self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            if stdin:
                stdin.write(json.dumps(order).encode() + b"\n")
                stdin.flush()

    def wait(self, holds: Callable[[], bool], wanted: str, seconds: float = PATIENCE) -> None:
        """Until something holds. Raises Failed when time is over or the guard ended."""
        with self._changed:
            self._changed.wait_for(lambda: holds() or self.ended, seconds)
        if not holds():
            raise Failed(f"{wanted}; {self.why()}")

    def close(self) -> None:
        """End all parts and the guard; returns when they are gone."""
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin:
                self._process.stdin.close()
        try:
            self._process.wait(GRACE * 4)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout
        for text in self._process.stdout:
            self._hear(json.loads(text))
        self._process.wait()
        if self.folder.name:
            shutil.rmtree(self.folder, ignore_errors=True)  # a guard that was killed could not
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def _hear(self, line: dict[str, Any]) -> None:
        with self._changed:
            if "folder" in line:
                self.folder = Path(line["folder"])
            elif line["name"] in self.wards:
                self.wards[line["name"]].hear(line)
            self._changed.notify_all()

    def why(self) -> str:
        """What is known about the end of the guard, or of a wait."""
        died = [f"{ward.name} {ward.state}: {ward.why}" for ward in self.wards.values() if ward.state == "died"]
        return "\n".join(died) or ("the guard ended" if self.ended else "it took too long")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
