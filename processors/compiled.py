"""Which functions run compiled: where the cores were built, those that are marked here are taken from them.

The marked function is its twin: it says what is done, it serves where there is no compiler, and the compiled one calls
it in the rare cases. Both give the same bytes; the tests of one are those of the other (`pytest --pure`).
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from schemas.compiled import core

F = TypeVar("F", bound=Callable[..., Any])

TWINS: Final[dict[str, Callable[..., Any]]] = {}
"""Name -> the function of Python, also where the compiled one serves."""


def compiled_in(name: str) -> Callable[[F], F]:
    """Marks functions of a core: gives the compiled function of the same name, or the function itself."""
    found = core(f"processors.{name}")

    def compiled(twin: F) -> F:
        TWINS[twin.__name__] = twin
        return twin if found is None else getattr(found, twin.__name__)

    return compiled


COMPILED: Final = core("processors._core") is not None
compiled = compiled_in("_core")
