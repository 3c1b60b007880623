"""Which functions run compiled: where `processors._core` was built, those that are marked here are taken from it.

The marked function is its twin: it says what is done, it serves where there is no compiler, and the compiled one calls
it in the rare cases. Both give the same bytes; the tests of one are those of the other (`pytest --pure`).
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

try:
    from processors import _core as core
except ImportError:
    core = None  # type: ignore[assignment]

COMPILED: Final = core is not None
TWINS: Final[dict[str, Callable[..., Any]]] = core.twins if core is not None else {}
"""Name -> the function of Python, also where the compiled one serves."""


def compiled(twin: F) -> F:
    """The compiled function of the same name, or this one."""
    TWINS[twin.__name__] = twin
    return twin if core is None else getattr(core, twin.__name__)  # type: ignore[no-any-return]
