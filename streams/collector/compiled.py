"""What packs records: `streams.collector._core` where it was built, else its twin."""

from typing import Final

from streams.collector import packing

try:
    from streams.collector import _core as core
except ImportError:
    core = None  # type: ignore[assignment]

COMPILED: Final = core is not None

Packing = packing.Packing if core is None else core.Packing
