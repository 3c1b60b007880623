"""`kairos dev` as a process: what it says, what it remembers, how it ends. Our own commands are stand-ins here."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from streams.tools.parts import Missing, Tansu, Valkey
from tests.streams.test_guard import heed_hang_ups, runs, soon

ROOT = Path(__file__).parents[2]
STANDIN = [sys.executable, str(Path(__file__).with_name("standin.py"))]
START = f"import streams.tools.stage as s; s.PROGRAM = {STANDIN!r}; from streams.cli import main; main()"
EMBEDDED = ["--kafka", "tansu", "--redis", "valkey"]

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path) -> None:
    """Left out where the embedded servers are not installed."""
    try:
        Tansu(tmp_path).check()
        Valkey(tmp_path).check()
    except Missing as exc:
        pytest.skip(str(exc))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `kairos dev` with arguments and variables, in a folder of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KAIROS_")}
        process = subprocess.Popen(
            [sys.executable, "-c", START, "dev", *arguments],
            cwd=tmp_path,
            env=clean | {"PYTHONPATH": str(ROOT)} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_hang_ups,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The one line of `--json`."""
    assert process.stdout
    line: dict[str, Any] = json.loads(process.stdout.readline())
    return line


def variables(url: str) -> dict[str, str]:
    """With which variables a stand-in runs."""
    with urlopen(url + "/readyz") as answer:
        return dict(line.split("=", 1) for line in answer.read().decode().splitlines() if line.startswith("KAIROS_"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 0)])
def test_it_says_where_all_is_and_cleans_up(start: Start, tmp_path: Path, number: signal.Signals, code: int) -> None:
    process = start("--json", *EMBEDDED, "--workers", "2", "--partitions", "3")
    line = said(process)
    assert list(line) == ["collector", "api", "kafka", "redis", "write_keys", "pids"]
    assert list(line["pids"]) == ["collector", "worker-0", "worker-1", "api"] and all(map(runs, line["pids"].values()))
    assert (tmp_path / ".kairos" / "init.log").read_text() == f"init {line['kafka']} {line['redis']} 3\n"
    process.send_signal(number)
    assert process.wait(20) == code
    assert not any(map(runs, line["pids"].values()))
    assert not (tmp_path / ".kairos" / "dev.json").exists()


def test_our_commands_get_their_settings(start: Start) -> None:
    line = said(start("--json", *EMBEDDED, KAIROS_LINGER_MS="7", KAIROS_PARTITIONS="2"))
    keys = line["write_keys"]
    got = variables(line["collector"])
    assert got["KAIROS_WRITE_KEYS"] == f"browser:web:{keys['browser']},server:backend:{keys['server']}"
    assert got["KAIROS_KAFKA"] == line["kafka"] and got["KAIROS_REDIS"] == line["redis"]
    assert (got["KAIROS_LINGER_MS"], got["KAIROS_SESSION_SECONDS"], got["KAIROS_PARTITIONS"]) == ("7", "2", "2")


def test_a_dead_worker_is_started_again_and_remembered(start: Start, tmp_path: Path) -> None:
    before = said(start("--json", *EMBEDDED))["pids"]["worker-0"]
    os.kill(before, signal.SIGKILL)
    assert soon(lambda: json.loads((tmp_path / ".kairos/dev.json").read_text())["pids"]["worker-0"] != before)


def test_nothing_is_left_when_it_is_killed(start: Start) -> None:
    process = start("--json", *EMBEDDED)
    pids = said(process)["pids"].values()
    process.kill()
    assert soon(lambda: not any(map(runs, pids)))


def test_only_one_in_a_folder(start: Start) -> None:
    said(start("--json", *EMBEDDED))
    second = start("--json", *EMBEDDED)
    _, err = second.communicate(timeout=30)
    assert second.returncode == 2 and "runs in this folder already" in err


def test_what_init_complains_of_is_shown(start: Start) -> None:
    process = start("--json", *EMBEDDED, STANDIN_INIT="playbook: no such play")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "") and "init: " in err and "playbook: no such play" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--kafka", "nowhere"], 2, "HOST:PORT"),
        (["--kafka", "127.0.0.1:9"], 1, "no broker answers"),
        (["--kafka", "tansu", "--redis", "http://x"], 2, "KAIROS_REDIS"),
        (["--partitions", "0"], 2, "--partitions"),
    ],
)
def test_wrong_usage(start: Start, arguments: list[str], code: int, words: str) -> None:
    process = start("--json", *arguments)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code and words in err


def test_servers_of_ones_own_are_left_alone(start: Start, tmp_path: Path) -> None:
    with Tansu(tmp_path / "kafka") as kafka, Valkey(tmp_path / "redis") as redis:
        process = start("--json", "--kafka", kafka.address, "--redis", redis.address)
        line = said(process)
        assert (line["kafka"], line["redis"]) == (kafka.address, redis.address)
        process.terminate()
        assert process.wait(20) == 0
        assert kafka.answers() and redis.answers()


def test_people_get_lines_to_copy(start: Start) -> None:
    process = start(*EMBEDDED)
    assert process.stdout
    text = "".join(iter(process.stdout.readline, "  see the books       kairos books\n"))
    assert "/v1/track -d" in text and "kairos customer ann" in text
