"""Which functions read calls and make records: those of `schemas.wire._core` where it was built, else their twins."""

from typing import Final

from schemas.wire import calls, records

try:
    from schemas.wire import _core as core
except ImportError:
    core = None  # type: ignore[assignment]

COMPILED: Final = core is not None

read_call = calls.read_call if core is None else core.read_call
read_batch = calls.read_batch if core is None else core.read_batch
convert = records.convert if core is None else core.convert
