"""README's tables are what the code says."""

import re
from pathlib import Path

import pytest

from streams import metrics, settings

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize(("name", "table"), [("settings", settings.table()), ("metrics", metrics.table())])
def test_table(name: str, table: str) -> None:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README.read_text(), re.S)
    assert found, f"README has no place for {name}"
    assert found[1].strip() == table.strip(), f"python -m streams.{name} prints the table that belongs there"
