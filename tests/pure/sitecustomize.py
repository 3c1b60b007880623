"""On the path of a process whose fold shall not be the compiled one (`pytest --pure`): Python runs it at its start."""

import sys

sys.modules["processors._core"] = None  # type: ignore[assignment]
