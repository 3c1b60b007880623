"""What a partition needs of the world: given to it, so that tests and the simulator can give another one."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from processors.turn import Fold, Turn
from streams.engine.fetch import Ends
from streams.engine.relay import Leaving, Outlet
from streams.settings import Settings
from streams.state.store import Store

if TYPE_CHECKING:
    from streams.vault.vault import Vault


class Halt(Exception):
    """This partition cannot go on without a person; the others can. The text says what to do."""


class Source(Protocol):
    """Kafka in, for partitions: `clickstream`-p, `cart`-p and so on together."""

    ends: Ends

    async def bounds(self, partition: int) -> dict[str, tuple[int, int]]:
        """Topic -> (first position, position after the last), asked now, read_committed. Raises KafkaError."""

    async def seek(self, partition: int, positions: Mapping[str, int], resume: Collection[str]) -> None:
        """Go to these positions; fetch the topics in `resume`, hold the others."""

    async def resume(self, partition: int, topics: Collection[str]) -> None: ...


class Watch(Protocol):
    """Who looks on: metrics and logs. It changes nothing."""

    def turned(self, partition: int, turn: Turn[Any], records: int) -> None: ...
    def committed(self, partition: int, turn: Turn[Any], seconds: float) -> None: ...
    def left(self, partition: int, leaving: Collection[Leaving], seconds: float) -> None: ...
    def began(self, partition: int, steps: Mapping[str, float]) -> None: ...
    def ended(self, partition: int, why: BaseException) -> None: ...
    def halted(self, partition: int, why: str) -> None: ...


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside, behind names."""

    settings: Settings
    store: Store
    source: Source
    watch: Watch
    outlet: Callable[[int], Outlet]
    """Makes the way out of a partition, for one term."""
    fold: Callable[[], Fold[Any]]
    """The fold in force: asked anew each turn, so a playbook changes between two turns."""
    now: Callable[[], float]
    nonce: Callable[[], bytes]
    """A fresh random token."""
    vault: "Vault | None" = None
    """None: nothing is sealed, and nothing sealed can be read."""
