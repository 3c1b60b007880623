"""README's tables are what the code says."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from streams import metrics, settings
from tests.faults.sim import guards

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("module", [settings, metrics, guards], ids=lambda module: module.__name__)
def test_table(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README.read_text(), re.S)
    assert found, f"README has no place for {name}"
    assert found[1].strip() == module.table().strip(), f"python -m {module.__name__} prints what belongs there"
