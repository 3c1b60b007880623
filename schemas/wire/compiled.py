"""Which functions read calls and make records: those of `schemas.wire._core` where it was built, else their twins."""

from typing import Final

from schemas.compiled import core
from schemas.wire import calls, records

found = core("schemas.wire._core")
COMPILED: Final = found is not None

read_call, read_batch, convert = calls.read_call, calls.read_batch, records.convert
if found is not None:
    read_call, read_batch, convert = found.read_call, found.read_batch, found.convert
