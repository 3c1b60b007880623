"""README's tables are what the code says."""

import re
from pathlib import Path

import pytest

from streams import metrics, settings

README = Path(__file__).parents[1] / "README.md"


def part(name: str) -> str:
    """What stands in README between the marks of this name."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README.read_text(), re.S)
    assert found, f"README has no place for {name}"
    return found[1].strip()


@pytest.mark.parametrize(("name", "table"), [("settings", settings.table()), ("metrics", metrics.table())])
def test_table(name: str, table: str) -> None:
    assert part(name) == table.strip(), f"python -m streams.{name} prints the table that belongs there"


def test_what_the_grid_found_is_the_reports() -> None:
    report = README.with_name("tests").joinpath("faults", "kairos-faults.md").read_text().splitlines()
    assert [line for line in part("grid").splitlines() if line and line not in report] == []
