"""On the path of a process that shall not use compiled functions (`pytest --pure`): Python runs it at its start."""

import sys

for room in ("processors", "schemas.wire", "streams.collector"):
    sys.modules[f"{room}._core"] = None  # type: ignore[assignment]
