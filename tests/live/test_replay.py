"""Replays as people run them: against a real log, of golden rows and of real files where there are any."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from schemas.event import decode_event
from streams import kafka
from streams.settings import Settings, read_settings
from tests.parts import Parts
from tests.streams.tools.replay.test_readers import REES46, RETAIL

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("KAIROS_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture
async def settings(parts: Parts) -> Settings:
    made = read_settings(kafka=parts.kafka.address, topic_prefix=f"t{uuid4().hex[:8]}-")
    await kafka.create_topics(made)
    return made


def start(settings: Settings, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "streams.cli", "replay", *map(str, arguments), "--via", "kafka", "--json"]
    environ = {"PATH": os.environ["PATH"], "KAIROS_REDIS": "redis://127.0.0.1:1", **settings.environment()}
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def replayed(settings: Settings, *arguments: str | Path, code: int = 0) -> dict[str, float]:
    process = start(settings, *arguments)
    out, told = process.communicate(timeout=60)
    assert process.returncode == code, told
    found: dict[str, float] = json.loads(out)
    assert found["read"] == found["accepted"] + found["rejected"]
    return found


async def logged(settings: Settings, topic: str) -> list[tuple[str, str, float]]:
    """(customer, message id, event time) of all records."""
    found = []
    async for batch in kafka.read_log(settings, [settings.topic(topic)]):
        for record in batch:
            event = decode_event(record.value or b"")
            found.append(((record.key or b"").decode(), event.id, event.time))
    return sorted(found)


@pytest.mark.parts(needs="kafka")
async def test_a_second_replay_has_the_same_ids_at_other_times(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(REES46)
    assert replayed(settings, path, "--format", "rees46")["accepted"] == 3
    first = await logged(settings, "clickstream")
    assert abs(first[0][2] - (time.time() - 5)) < 60  # the file spans five seconds, and ends now
    replayed(settings, path, "--format", "rees46")
    both = await logged(settings, "clickstream")
    assert (len(first), len(both), len({id for _, id, _ in both})) == (1, 2, 1)
    replayed(settings, path, "--format", "rees46", "--keep-times")
    assert 1569888000.0 in [at for _, _, at in await logged(settings, "clickstream")]


@pytest.mark.parts(needs="kafka")
async def test_ctrl_c_ends_with_the_books_so_far(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(RETAIL)
    process = start(settings, path, "--format", "online-retail", "--speed", "1")
    while not await logged(settings, "pos"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=20)
    assert process.returncode == 130, told
    found = json.loads(out)
    assert found["read"] == found["accepted"] + found["rejected"] and found["accepted"] == 2


@pytest.mark.parts("embedded", needs="kafka")
def test_wrong_use_is_told_in_a_sentence(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(RETAIL)
    for arguments, code, said in (
        (["--format", "rees46"], 2, "line 1: wanted columns event_time"),
        (["--format", "online-retail", "--speed", "fast"], 2, "wanted a multiple"),
    ):
        process = start(settings, path, *arguments)
        _, told = process.communicate(timeout=60)
        assert process.returncode == code
        assert said in " ".join(told.split()) and "Traceback" not in told


@pytest.mark.parts("embedded", needs="kafka")
@pytest.mark.parametrize(
    ("name", "form", "accepted", "rejected"),
    [
        ("rees46-2019-10-head.csv.gz", "rees46", 17_434, 1),
        ("online-retail.csv.gz", "online-retail", 25_900, 0),
        ("otto-sample.jsonl", "otto", 862, 0),
    ],
)
def test_real_files(settings: Settings, name: str, form: str, accepted: int, rejected: int) -> None:
    if not (DATA / name).exists():
        pytest.skip(f"no {name} in KAIROS_TEST_DATA ({DATA})")
    found = replayed(settings, DATA / name, "--format", form)
    assert (found["accepted"], found["rejected"]) == (accepted, rejected)
    assert found["seconds"] < 45
