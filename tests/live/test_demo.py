"""`kairos demo` as a process: the books balance, and nothing is left however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streams.tools.parts import Missing, Tansu, Valkey

ROOT = Path(__file__).parents[2]
PLAYS = {"discount-push", "cart-abandoned", "browse-abandoned", "first-purchase-thanks", "complement"}

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path) -> None:
    """Left out where the embedded servers are not installed."""
    try:
        Tansu(tmp_path).check()
        Valkey(tmp_path).check()
    except Missing as exc:
        pytest.skip(str(exc))


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """In a folder of its own, and with one for temporary files: what is left there was not cleaned up."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KAIROS_")}
    environ |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    command = [sys.executable, "-m", "streams.cli", "demo", *arguments]
    return subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def gone(folder: Path, seconds: float = 20.0) -> bool:
    """No file of it, and no process that has the folder in its command or works in it."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if not list(folder.iterdir()) and not processes_in(folder):
            return True
        time.sleep(0.1)
    return False


def processes_in(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in os.readlink(process / "cwd") and process.name != str(os.getpid()):
                found.append(process.name)
        except OSError:
            continue
    return found


def test_every_play_is_seen_and_the_books_balance(tmp_path: Path) -> None:
    process = start(tmp_path, "--for", "20s", "--rate", "80", "--seed", "5", "--json")
    out, told = process.communicate(timeout=110)
    assert process.returncode == 0, told
    found = json.loads(out)
    assert found["books"]["balanced"] and found["books"]["outbox"] == 0
    assert set(found["triggers"]) == PLAYS
    assert found["books"]["rejected"] > 0 and found["books"]["topics"]["feedback"]["records"] > 0
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p99"]
    assert gone(tmp_path)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_nothing_is_left_whatever_ends_it(tmp_path: Path, number: signal.Signals, code: int) -> None:
    process = start(tmp_path, "--for", "60s")
    assert process.stdout
    for line in process.stdout:
        if " because " in line:
            break
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == code
    assert gone(tmp_path)
