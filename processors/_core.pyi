"""What `processors.compiled` takes of the compiled core: functions by the names of their twins, typed as those."""

from collections.abc import Callable
from typing import Any

twins: dict[str, Callable[..., Any]]
