"""Which functions run compiled: where the cores were built, those that are marked here are taken from them.

The marked function is its twin: it says what is done, it serves where there is no compiler, and the compiled one calls
it in the rare cases. Both give the same bytes; the tests of one are those of the other (`pytest --pure`).
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, Final, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

TWINS: Final[dict[str, Callable[..., Any]]] = {}
"""Name -> the function of Python, also where the compiled one serves."""


def compiled_in(name: str) -> Callable[[F], F]:
    """Marks functions of a core: gives the compiled function of the same name, or the function itself."""
    core = found(name)

    def compiled(twin: F) -> F:
        TWINS[twin.__name__] = twin
        return twin if core is None else getattr(core, twin.__name__)

    return compiled


def found(name: str) -> ModuleType | None:
    """A core, where it was built. One that cannot be loaded is an error: nobody would notice that Python serves."""
    try:
        return import_module(f"processors.{name}")
    except ModuleNotFoundError:
        return None


COMPILED: Final = found("_core") is not None
compiled = compiled_in("_core")
