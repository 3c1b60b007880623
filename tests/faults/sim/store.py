"""The primary that keeps a slot, with all it ever held: so it can go back to any of it.

How it works. A `Keeper` knows how to take a slot's content and to put it back, in memory or in a redis-server; the
slot itself is the real one. Calls are applied at one instant: `at_once`.
"""

from typing import Any, Protocol

from schemas.topics import PARTS
from schemas.turn import decode_turn
from streams.state.memory import MemorySlot
from streams.state.store import Commit, Slot
from tests.faults.sim.clock import at_once


class Keeper(Protocol):
    """Makes slots and copies what they hold."""

    def make(self, partition: int) -> Slot: ...
    def save(self, slot: Any) -> Any: ...
    def restore(self, slot: Any, content: Any) -> None: ...
    def customers(self, slot: Any) -> dict[bytes, bytes]: ...
    def timers(self, slot: Any) -> dict[bytes, float]: ...


class MemoryKeeper:
    """Slots in memory."""

    def make(self, partition: int) -> Slot:
        return MemorySlot(partition)

    def save(self, slot: MemorySlot) -> Any:
        return slot.snapshot()

    def restore(self, slot: MemorySlot, content: Any) -> None:
        slot.restore(content)

    def customers(self, slot: MemorySlot) -> dict[bytes, bytes]:
        content = slot.snapshot()
        return content.customers if content else {}

    def timers(self, slot: MemorySlot) -> dict[bytes, float]:
        content = slot.snapshot()
        return content.timers if content else {}


NO_LINKS = frozenset[str]()


def links(commit: Commit) -> frozenset[str]:
    """Whether it made links, told other ids something, was told something by them."""
    ids = [id for id, _ in commit.outbox]
    made = {"links made"} if any(id.startswith(b"mark:") for id in ids) else set()
    told = {"parts told"} if any(id.startswith((b"part:", b"belongings:")) for id in ids) else set()
    read = {"parts read"} if PARTS in decode_turn(commit.record).ranges else set()
    return frozenset(made | told | read)


class Primary:
    """One slot and its past. `take`, `commit` and `trim` make a new version."""

    def __init__(self, keeper: Keeper, partition: int) -> None:
        self.keeper, self.partition = keeper, partition
        self.slot = keeper.make(partition)
        self.versions: list[Any] = []
        self.calls: list[str] = []
        """What made each version."""
        self.links: list[frozenset[str]] = []
        """What each version has to do with links."""
        self.old: Slot | None = None
        """A primary of the past that some workers still talk to."""

    def call(self, slot: Slot, name: str, *args: Any) -> Any:
        """One call, applied now. Raises Refused, Missing."""
        answer = at_once(getattr(slot, name)(*args))
        if slot is self.slot and name not in ("held", "open", "load"):
            self.versions.append(self.keeper.save(slot))
            self.calls.append(name)
            self.links.append(links(*args) if name == "commit" else NO_LINKS)
        return answer

    def rewind(self, versions: int) -> tuple[int, frozenset[str]]:
        """Lose the last writes. Answers how many were lost, and what of them had to do with links."""
        lost = min(versions, len(self.versions) - 1)
        linked = NO_LINKS.union(*self.links[-lost:]) if lost else NO_LINKS
        if lost:
            del self.versions[-lost:], self.calls[-lost:], self.links[-lost:]
            self.keeper.restore(self.slot, self.versions[-1])
        return lost, linked

    def since_take(self) -> int:
        """How many versions there are from the last acquire on."""
        return self.calls[::-1].index("take") + 1 if "take" in self.calls else 0

    def since(self, version: Any) -> int:
        """How many versions came after one; 0 also when it is lost."""
        return next((after for after, one in enumerate(reversed(self.versions)) if one is version), 0)

    def split(self) -> None:
        """From here on two of them: what is written to the old one is lost."""
        self.old = self.keeper.make(self.partition)
        self.keeper.restore(self.old, self.versions[-1])
