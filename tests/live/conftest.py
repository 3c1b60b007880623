"""The fixture `rivers`: makes installations for one test, and ends all that they started."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live.events import PLAYBOOK
from tests.live.river import River
from tests.parts import Parts

Rivers = Callable[..., River]


@pytest.fixture
async def rivers(parts: Parts, tmp_path: Path) -> AsyncIterator[Rivers]:
    """`rivers()`, `rivers(playbook, setting=...)`: a new river, not yet initialised."""
    made: list[River] = []

    def make(playbook: str = PLAYBOOK, **settings: Any) -> River:
        folder = tmp_path / f"{tmp_path.name}-{len(made)}"
        folder.mkdir()
        made.append(River(parts, folder, playbook, **settings))
        return made[-1]

    yield make
    for river in reversed(made):
        await river.close()
