"""What `schemas.wire.compiled` takes of the compiled core: functions by the names of their twins, typed as those."""

from schemas.wire.calls import read_batch as read_batch
from schemas.wire.calls import read_call as read_call
from schemas.wire.records import convert as convert
