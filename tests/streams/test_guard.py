"""Whoever starts servers may die in any way: nothing may stay behind. Stand-ins for servers are small commands."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.tools.guarded import Guarded
from streams.tools.parts import Failed, Part

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print(1); time.sleep(600)"]

ASKER = """
import json, signal, sys, time
from streams.tools.guarded import Guarded
signal.signal(signal.SIGINT, signal.default_int_handler)
guard = Guarded()
wards = guard.add(*json.loads(sys.argv[1]))
print(json.dumps({"guard": guard.pid, "folder": str(guard.folder), "pids": [w.pid for w in wards]}), flush=True)
time.sleep(600)
"""


def heed_hang_ups() -> None:
    """Under `nohup` a process begins by ignoring them."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def runs(pid: int) -> bool:
    """Is there such a process, and is it more than a zombie nobody waits for?"""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self").exists():
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def soon(holds: Callable[[], bool], seconds: float = 8.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


@pytest.fixture
def guard() -> Iterator[Guarded]:
    with Guarded() as guard:
        yield guard


class Asker:
    """A process that starts two sleepers under a guard, for us to do away with."""

    def __init__(self) -> None:
        specs = [{"name": f"sleeper-{i}", "kind": "command", "argv": SLEEPER} for i in range(2)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", ASKER, json.dumps(specs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=heed_hang_ups,
        )
        assert self.process.stdout
        said = json.loads(self.process.stdout.readline())
        self.guard, self.pids, self.folder = (
            int(said["guard"]),
            [int(pid) for pid in said["pids"]],
            Path(said["folder"]),
        )

    def nothing_left(self) -> bool:
        return not any(map(runs, [self.guard, *self.pids])) and not self.folder.exists()


@pytest.fixture
def asker() -> Iterator[Asker]:
    asker = Asker()
    assert all(map(runs, [asker.guard, *asker.pids])) and asker.folder.exists()
    yield asker
    asker.process.kill()
    asker.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_when_the_asker_dies(asker: Asker, number: signal.Signals) -> None:
    asker.process.send_signal(number)
    assert soon(asker.nothing_left)


def test_nothing_is_left_after_ctrl_c(asker: Asker) -> None:
    os.killpg(asker.process.pid, signal.SIGINT)
    assert soon(asker.nothing_left)


def test_nothing_is_left_when_the_guard_is_asked_to_end(asker: Asker) -> None:
    os.kill(asker.guard, signal.SIGINT)  # no reason to end
    time.sleep(0.2)
    assert runs(asker.guard)
    os.kill(asker.guard, signal.SIGTERM)
    assert soon(asker.nothing_left)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent's life")
def test_nothing_is_left_when_the_guard_is_killed(asker: Asker) -> None:
    os.kill(asker.guard, signal.SIGKILL)
    assert soon(asker.nothing_left)


def test_who_ignores_sigterm_is_killed(guard: Guarded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    part = Sleeper(tmp_path)
    monkeypatch.setattr("streams.tools.parts.part.GRACE", 0.3)
    part.start()
    assert soon(lambda: part.log.stat().st_size > 0)
    part.stop()
    assert part.exit_code() == -signal.SIGKILL


class Sleeper(Part):
    """A part that will not end by itself."""

    kind = "sleeper"

    def command(self) -> list[str]:
        return [STUBBORN[0], "-u", *STUBBORN[1:]]

    def answers(self) -> bool:
        return True


def test_a_part_marked_restart_comes_back(guard: Guarded) -> None:
    (worker,) = guard.add({"name": "worker", "kind": "command", "argv": SLEEPER, "restart": True})
    for _ in range(2):
        before = worker.pid
        os.kill(before, signal.SIGKILL)
        assert soon(lambda before=before: worker.state == "ready" and worker.pid not in (0, before))  # type: ignore[misc]


def test_all_ends_when_another_part_dies(guard: Guarded) -> None:
    server, other = guard.add(*({"name": name, "kind": "command", "argv": SLEEPER} for name in ("server", "other")))
    pids = [server.pid, other.pid]
    os.kill(server.pid, signal.SIGKILL)
    assert soon(lambda: guard.ended and not any(map(runs, pids)))
    with pytest.raises(Failed, match="server died: ended with -9"):
        other.start()


def test_a_command_that_is_meant_to_end(guard: Guarded) -> None:
    (good,) = guard.add({"name": "good", "kind": "command", "argv": [sys.executable, "-c", "pass"], "once": True})
    assert good.state == "done"
    bad = {"name": "bad", "kind": "command", "argv": [sys.executable, "-c", "exit('no such topic')"], "once": True}
    with pytest.raises(Failed, match="no such topic"):
        guard.add(bad)
    assert not guard.ended


def test_a_command_that_does_not_start(guard: Guarded) -> None:
    with pytest.raises(Failed, match="no-such-program"):
        guard.add({"name": "absent", "kind": "command", "argv": ["/no-such-program"]})


def test_a_command_that_never_answers(guard: Guarded) -> None:
    spec = {"name": "mute", "kind": "command", "argv": [sys.executable, "-c", "exit(3)"], "url": "http://127.0.0.1:9/x"}
    with pytest.raises(Failed, match="ended with 3"):
        guard.add(spec)


def test_orders(guard: Guarded) -> None:
    (ward,) = guard.add({"name": "sleeper", "kind": "command", "argv": SLEEPER, "restart": True})
    pid = ward.pid
    ward.stop()
    assert not runs(pid) and ward.pid == 0
    ward.start()
    ward.pause()
    ward.stop()
    ward.restart().kill()
    assert ward.state == "down"
