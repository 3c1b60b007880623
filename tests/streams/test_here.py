"""What other commands learn from the folder `kairos dev` runs in."""

from pathlib import Path

import pytest

from streams.settings import read_settings
from streams.tools import here

KNOWN = {
    "app": "kairos",
    "kafka": "127.0.0.1:12345",
    "redis": "redis://127.0.0.1:12346/0",
    "partitions": 3,
    "facts": "likes",
    "host": "127.0.0.1",
    "port": 12347,
    "collector": "http://127.0.0.1:12347",
    "write_keys": {"browser": "b" * 32, "server": "s" * 32},
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_where_nothing_runs_nothing_is_known() -> None:
    assert here.remembered() == {} and here.settings_here({}) == {}


def test_settings_while_it_runs() -> None:
    with here.sole():
        here.remember(KNOWN)
        assert here.remembered() == KNOWN
        settings = read_settings(**here.settings_here({}))
    assert (settings.kafka, settings.redis, settings.partitions) == (KNOWN["kafka"], KNOWN["redis"], 3)
    assert settings.kept() == {"likes"}
    keys = settings.keys()
    assert [(key.kind, key.source) for key in keys] == [("browser", "web"), ("server", "backend")]
    assert here.remembered() == {}


def test_a_variable_wins() -> None:
    with here.sole():
        here.remember(KNOWN)
        assert "partitions" not in here.settings_here({"KAIROS_PARTITIONS": "8"})
        assert here.settings_here({"KAIROS_KAFKA": "k:1", "KAIROS_REDIS": "redis://r"}) == {}


def test_a_file_left_behind_is_not_believed() -> None:
    with here.sole():
        here.remember(KNOWN)
        left = Path(".kairos/dev.json").read_text()
    Path(".kairos/dev.json").write_text(left)
    with pytest.raises(here.NotRunning, match=r"no longer runs: start it again, or remove the file"):
        here.settings_here({})


def test_two_at_once_are_refused() -> None:
    with here.sole(), pytest.raises(here.RunsAlready), here.sole():
        pass
