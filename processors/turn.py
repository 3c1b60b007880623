"""What a turn hands to the fold and gets back: the border between the engine and all that follows from what.

The engine gathers records and loads customers; a `Fold` changes the customers in place and fills the `Turn`; the
engine commits. The engine knows nothing of plays, a fold knows nothing of Kafka, Redis or clocks.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from schemas.families import ALL, Kept
from schemas.turn import Message

C = TypeVar("C")


class Record(Protocol):
    """A record of a Kafka log."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """Milliseconds since the epoch: when the log took it in."""


class Lost(Struct):
    """A record nobody can read any more: its customer's key was shredded."""

    record: Record
    sender: str = ""
    """Of a part that told something: by whom."""


class Fault(Struct, gc=False):
    """A record that could not be folded: it becomes a dead letter."""

    topic: str
    record: Record
    cause: str
    """One of a few words, for counting: undecodable, invalid, keyless, misplaced, unopened."""
    detail: str
    """What was wanted and what was got."""


class Turn(Generic[C]):
    """One turn, while it is being folded. `now` and `until` are seconds since the epoch."""

    __slots__ = (
        "changed",
        "counts",
        "customers",
        "erased",
        "faults",
        "joins",
        "kept",
        "late",
        "messages",
        "now",
        "returned",
        "revoked",
        "shred",
        "until",
        "values",
        "wake",
    )

    def __init__(self, now: float, until: float, customers: dict[bytes, C]) -> None:
        self.now = now
        self.until = until
        """Timers due by this time may fire."""
        self.customers = customers
        """All customers this turn may touch, by key; a record whose key is not here is misplaced."""
        self.kept: Kept = ALL
        """Families of facts that are kept: whoever folds says it."""
        self.changed: set[bytes] = set()
        """Customers to write."""
        self.values: dict[bytes, bytes] = {}
        """Those encoded so far, as they are since they changed last."""
        self.wake: dict[bytes, float | None] = {}
        """Customer -> when it now wants waking; None: not at all. Only of those for whom it may have changed."""
        self.messages: list[tuple[str, Message]] = []
        """(id, message) decided in this turn, in order: triggers, and what other ids must be told."""
        self.returned: list[str] = []
        """Ids of triggers read back from Kafka in this turn."""
        self.revoked: list[str] = []
        """Ids of pending triggers that must not leave."""
        self.erased: list[bytes] = []
        """Customers whose decisions were erased: what is pending of theirs must be judged at the end of this turn."""
        self.joins: dict[tuple[bytes, str], Any] = {}
        """(customer, topic) -> facts of several ids as one, as far as they were asked for in this turn (`persons`)."""
        self.shred: dict[bytes, bool] = {}
        """Ids of erased persons, whose data keys must go; True: for good, else another's records may follow."""
        self.late: set[bytes] = set()
        """Erased ids of which something came all the same: a key it was sealed with must go too."""
        self.faults: list[Fault] = []
        self.counts: Counter[str] = Counter()
        """What the books count: `applied:<topic>`, `duplicate:<topic>`, `erased:<topic>`, `trigger:<play>`,
        `refused:<play>:<policy>`, `timer:armed`, `timer:fired`, `timer:cancelled`; also `linked:<kind>`,
        `unlinked:<reason>`. Counted into the slot by the same commit."""


OfCustomer = Mapping[str, Sequence[Record]]
"""Topic -> records of one customer, by offset; topics in table order."""


def by_customer(batches: Iterable[tuple[str, Iterable[Record]]]) -> dict[bytes, dict[str, list[Record]]]:
    """What each customer is told of. Customers do not hang on each other within a turn; and one whose records come
    together is fetched from memory once, which is most of what an event costs. Records without a key are nobody's: of
    the key that is empty."""
    found: dict[bytes, dict[str, list[Record]]] = {}
    for topic, records in batches:
        for record in records:
            topics = found.get(key := record.key or b"")
            if topics is None:
                found[key] = {topic: [record]}
            elif (mine := topics.get(topic)) is not None:
                mine.append(record)
            else:
                topics[topic] = [record]
    return found


class Fold(Protocol[C]):
    """State after = fold(state before, the turn). Pure: the same turn gives the same bytes."""

    @property
    def version(self) -> str:
        """The playbook's version: in the turn record, and in each trigger."""

    def blank(self) -> C:
        """A customer nobody has seen yet."""

    def decode(self, value: bytes) -> C: ...

    def encode(self, customer: C) -> bytes: ...

    def absorb(self, turn: Turn[C], key: bytes, records: "OfCustomer") -> None:
        """Fold the records of one customer, topic by topic, in order."""

    def pass_over(self, turn: Turn[C], topic: str, lost: Sequence[Lost]) -> None:
        """Records of erased customers that nobody can read any more."""

    def spent(self, customer: C) -> bool:
        """Whether all that ever came under this id belonged to persons who were erased."""

    def awaken(self, turn: Turn[C], customers: Sequence[bytes]) -> None:
        """Fold the due timers. A customer that is not due after all only says again when it wants waking."""

    def judge(self, turn: Turn[C], pending: Sequence[tuple[str, bytes]]) -> None:
        """Decide pending triggers (id, customer) again, in order, against what was read back; fill `turn.revoked`. Of
        customers in `turn.erased` at the end of the turn that erased them."""
