"""On the path of a process that shall not use compiled functions (`pytest --pure`): Python runs it at its start."""

import sys

for core in ("processors._core", "processors._hearing", "schemas.wire._core", "streams.collector._core"):
    sys.modules[core] = None  # type: ignore[assignment]
