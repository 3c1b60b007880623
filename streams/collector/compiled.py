"""What packs records: `streams.collector._core` where it was built, else its twin."""

from typing import Final

from schemas.compiled import core
from streams.collector import packing

found = core("streams.collector._core")
COMPILED: Final = found is not None

Packing = packing.Packing if found is None else found.Packing
