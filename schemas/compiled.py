"""Compiled cores: extension modules made of the `.pyx` files, each with a twin in Python that does the same."""

from importlib import import_module
from types import ModuleType


def core(name: str) -> ModuleType | None:
    """A core by its full name; None where none was built. One that cannot be loaded, or lacks something, is an error:
    else nobody would notice that Python serves."""
    try:
        return import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name:
            raise
        return None
