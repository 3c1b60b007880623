"""On the path of a process whose fold shall not be the compiled one (`pytest --pure`): Python runs it at its start."""

import sys

for core in ("processors._core", "processors._hearing"):
    sys.modules[core] = None  # type: ignore[assignment]
