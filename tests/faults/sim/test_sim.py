"""A short run of the simulator, and each guard taken away on a history that is known to break without it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.faults.sim.ablations import ABLATIONS
from tests.faults.sim.guards import BREAKS
from tests.faults.sim.history import Outcome
from tests.faults.sim.run import Report, play, play_all

CI = bool(os.environ.get("CI"))
SEEDS = range(1, 2001 if CI else 151)
RARE = set[str]() if CI else {"revoked triggers"}
"""What so short a run may miss."""


@pytest.mark.timeout(600)
def test_no_history_breaks() -> None:
    report = Report()
    for outcome in play_all(SEEDS):
        report.add(outcome)
    assert not report.broken
    assert set(report.unseen()) <= RARE


def test_a_seed_is_one_history() -> None:
    first, again = ([outcome.counts for outcome in play_all([7, 8])] for _ in range(2))
    assert first == again
    assert first[0] != first[1]


@pytest.fixture(scope="module")
def without() -> Iterator[dict[str, Outcome]]:
    """Guard -> the history without it."""
    os.environ["PYTHONHASHSEED"] = "0"  # as `play_all` has it: a seed is the same history there
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        played = pool.map(play, [[seed] for seed, _ in BREAKS.values()], BREAKS)
        yield {name: outcomes[0] for name, outcomes in zip(BREAKS, played, strict=True)}


@pytest.mark.parametrize("name", BREAKS)
def test_a_guard_is_missed(without: dict[str, Outcome], name: str) -> None:
    seed, finding = BREAKS[name]
    assert finding in {fault.partition(":")[0] for fault in without[name].faults}, f"without {name}, seed {seed}"


def test_every_guard_is_taken_away() -> None:
    assert set(BREAKS) == set(ABLATIONS)


def test_a_broken_history_says_how_to_see_it_again() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.faults.sim",
        "--seeds",
        "1",
        "--from",
        "1",
        "--ablate",
        "offsets-from-redis",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "python -m tests.faults.sim --seeds 1 --from 1 --ablate offsets-from-redis" in done.stdout
