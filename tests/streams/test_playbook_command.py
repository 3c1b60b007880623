"""`kairos playbook`, as a person and a machine call it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from processors.playbook import read_playbook
from streams.cli import app
from streams.state.memory import MemoryStore
from streams.tools import playbook

GOOD = "# teach\nplays:\n  - {id: p, on: [Product Added], occurrence: cart.id, channels: [web]}\n"
BAD = """plays:
  - id: p
    on: [Product added]
    when: cart.open && cart.totl > 3
    occurrence: cart.id
    channels: [web]
"""


def run(*args: object) -> Result:
    return CliRunner().invoke(app, ["playbook", *map(str, args)])


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    return path


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    kept = MemoryStore()
    monkeypatch.setattr(playbook, "open_store", lambda settings, patience=None: kept)
    monkeypatch.setattr("streams.tools.here.settings_here", dict)
    return kept


def test_a_good_one(good: Path) -> None:
    result = run("check", good)
    assert result.exit_code == 0
    assert result.stdout == f"{good}: good; 1 play, version {read_playbook(GOOD).version}\n"
    assert run("check", good, "--json").stdout == ""


def test_faults_for_a_person(bad: Path) -> None:
    result = run("check", bad)
    assert result.exit_code == 1
    assert (
        result.stdout
        == f"""{bad}:3:10: no event is called 'Product added' (play p)
    3 |     on: [Product added]
      |          ^
        wanted: did you mean 'Product Added'?

{bad}:4:24: unknown name 'cart.totl' (play p)
    4 |     when: cart.open && cart.totl > 3
      |                        ^
        wanted: did you mean 'cart.count'?

{bad}: 2 faults, plays p
"""
    )


def test_faults_for_a_machine(bad: Path) -> None:
    result = run("check", bad, "--json")
    assert result.exit_code == 1
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["line"], row["column"], row["play"]) for row in rows] == [(3, 10, "p"), (4, 24, "p")]
    assert all({"line", "column", "play", "what", "wanted"} <= row.keys() for row in rows)


def test_wrong_usage(tmp_path: Path) -> None:
    assert run("check", tmp_path / "none.yaml").exit_code == 2
    assert run("check").exit_code == 2
    assert run("bless").exit_code == 2


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"plays: \xff\xfe")
    result = run("check", path)
    assert result.exit_code == 1
    assert "plain text in UTF-8" in result.stdout


def test_publish_and_show(good: Path, store: MemoryStore) -> None:
    version = read_playbook(GOOD).version
    assert run("show").exit_code == 1
    assert json.loads(run("publish", good, "--json").stdout) == {"version": version, "plays": ["p"]}
    assert run("show").stdout == GOOD
    assert run("show", version).stdout == GOOD
    assert json.loads(run("show", "--json").stdout) == {"version": version, "text": GOOD}
    assert run("show", "f" * 16).exit_code == 1


def test_nothing_at_fault_is_published(good: Path, bad: Path, store: MemoryStore) -> None:
    run("publish", good)
    assert run("publish", bad).exit_code == 1
    assert run("show").stdout == GOOD


WEEKLY = """channels: {usual: {}}
plays:
  - id: p
    on: [Product Added]
    when: events.week >= 3
    occurrence: event.id
    channels: [push]
"""


def test_a_playbook_must_fit_the_facts_that_are_kept(
    tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weekly.yaml"
    path.write_text(WEEKLY)
    monkeypatch.setenv("KAIROS_FACTS", "likes")
    result = run("check", path)
    assert result.exit_code == 1 and f"{path}:5:11: events.week rests on windows" in result.stdout
    assert run("publish", path).exit_code == 1 and run("show").exit_code == 1
    monkeypatch.setenv("KAIROS_FACTS", "windows")
    assert run("publish", path).exit_code == 0 and run("show").stdout == WEEKLY


def test_words_are_what_conditions_may_ask() -> None:
    rows = [json.loads(line) for line in run("words", "--json").stdout.splitlines()]
    assert {"name": "cart.value", "type": "double"} in rows
    assert {"name": "item.price", "type": "double"} in rows
    assert "bought(text)" in run("words").stdout
