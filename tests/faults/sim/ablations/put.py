"""How an ablation puts something else in the place of a function of the engine."""

from collections.abc import Callable
from typing import Any

Put = Callable[[Any, str, Any], None]
"""Puts a value in the place of an attribute: owner, name, value."""
