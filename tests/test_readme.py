"""README's tables are what the code says."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from streams import metrics, settings
from tests.faults.sim import guards

README = Path(__file__).parents[1] / "README.md"


def part(name: str) -> str:
    """What stands in README between the marks of this name."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README.read_text(), re.S)
    assert found, f"README has no place for {name}"
    return found[1].strip()


@pytest.mark.parametrize("module", [settings, metrics, guards], ids=lambda module: module.__name__)
def test_table(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    assert part(name) == module.table().strip(), f"python -m {module.__name__} prints what belongs there"


@pytest.mark.parametrize(("name", "report"), [("grid", "kairos-faults.md"), ("linked", "kairos-faults-linked.md")])
def test_what_the_grid_found_is_the_reports(name: str, report: str) -> None:
    lines = README.with_name("tests").joinpath("faults", report).read_text().splitlines()
    assert [line for line in part(name).splitlines() if line and line not in lines] == []
