"""Persons with several ids in several partitions, which come to light in the middle of it all.

Each history tells a few stories: a log-in, a card, a chain of ids, two devices at once, a shared device, a link that is
taken back. What links an id is an event like any other: it may come late, twice, or not be readable.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from processors.markers import markers
from schemas.identity import Marker
from schemas.topics import partition_of
from tests.faults.sim.clock import START

if TYPE_CHECKING:
    from tests.faults.sim.traffic import Traffic

NAMES: Final = (
    *("Product Viewed",) * 5,
    *("Product Added",) * 3,
    *("Order Completed",) * 2,
    *("Products Searched", "Customer Identified", "Checkout Started", "feedback"),
)
"""What an id does, each as often as it is here."""
CLAIMING: Final = ("Customer Identified", "Customer Identified", "Product Added", "Order Completed")
STORIES: Final = ("logs_in", "has_a_card", "has_a_chain", "is_renamed", "has_devices", *("shares", "lends") * 2)


class Crowd:
    """The persons of one history."""

    def __init__(self, traffic: "Traffic") -> None:
        self.traffic, self.history, self.chance = traffic, traffic.history, traffic.chance
        self.persons: list[set[bytes]] = []
        """Ids that have to do with each other."""
        self.leaver = b""
        """Whose person asks to be forgotten."""
        self._steps: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []
        """(share of the history's time, what happens then, of whom)."""
        for story in self.chance.sample(STORIES, 2):
            self.persons.append(set())
            getattr(self, f"_{story}")()
        if self.history.leaves:
            self.leaver = self.chance.choice(sorted(id for id in self.ids if id.startswith(b"user")))
            self._at(self.chance.uniform(0.4, 0.7), self._erase, self.leaver)

    @property
    def ids(self) -> set[bytes]:
        return set().union(*self.persons)

    def kin(self, id: bytes) -> set[bytes]:
        """All ids of its story, itself among them."""
        return next((person for person in self.persons if id in person), {id})

    def live(self) -> None:
        """All of it."""
        for share, step, args in self._steps:
            self.history.later(share * (self.history.profile.seconds - 1.0), step, *args)

    # -- stories

    def _logs_in(self) -> None:
        """Looks around, says who it is, and comes by both ids from there on."""
        visitor = self._id("visitor")
        user = self._id("user", visitor)
        at = self.chance.uniform(0.2, 0.6)
        self._meet(user, visitor, at)
        self._busy(visitor, 9)
        self._busy(user, 5, at, 1.0, visitor)

    def _has_a_card(self) -> None:
        """Buys at the till with a card, of which the shop learns only later whose it is."""
        card = self._id("card")
        user = self._id("user", card)
        self._meet(user, card, self.chance.uniform(0.2, 0.8))
        self._busy(card, 8)
        self._busy(user, 8, names=card)

    def _has_a_chain(self) -> None:
        """A visitor shows a card, and the card is a user's: which of the two is known first is left to chance."""
        visitor = self._id("visitor")
        card = self._id("card", visitor)
        user = self._id("user", card)
        self._meet(card, visitor, self.chance.uniform(0.1, 0.7))
        self._meet(user, card, self.chance.uniform(0.1, 0.7))
        self._busy(visitor, 7)
        self._busy(card, 5)
        self._busy(user, 4)

    def _is_renamed(self) -> None:
        """A visitor logs in, and the user gets another name."""
        visitor = self._id("visitor")
        old = self._id("user", visitor)
        new = self._id("user", old)
        self._meet(old, visitor, self.chance.uniform(0.1, 0.5))
        self._meet(new, old, self.chance.uniform(0.3, 0.8))
        self._busy(visitor, 7)
        self._busy(old, 5)
        self._busy(new, 4, 0.4)

    def _has_devices(self) -> None:
        """Two devices at once, and both log in at one moment."""
        phone, laptop = self._id("device"), self._id("visitor")
        user, at = self._id("user", phone), self.chance.uniform(0.2, 0.6)
        for device in (phone, laptop):
            self._meet(user, device, at)
            self._busy(device, 6)
        self._busy(user, 4, at, 1.0, laptop)

    def _shares(self) -> None:
        """One device: somebody logs in, then another one does; a third makes it everybody's."""
        device = self._id("visitor")
        self._busy(device, 12)
        moments = sorted(self.chance.uniform(0.1, 0.9) for _ in range(self.chance.choice((2, 2, 3))))
        for moment in moments:
            user = self._id("user", device)
            self._meet(user, device, moment)
            self._busy(user, 3)

    def _lends(self) -> None:
        """A card is found not to be a user's; and then to be it after all, or another one's."""
        card = self._id("card")
        user = self._id("user", card)
        at = self.chance.uniform(0.1, 0.4)
        self._meet(user, card, at)
        self._busy(card, 9)
        self._busy(user, 5)
        if self.chance.random() < 0.5:
            visitor = self._id("visitor", card)
            self._meet(card, visitor, self.chance.uniform(0.1, 0.8))
            self._busy(visitor, 5)
        self._at(at + self.chance.uniform(0.1, 0.3), self._split, card, user)
        if self.chance.random() < 0.7:
            other = self.chance.choice((user, self._id("user", card)))
            self._meet(other, card, at + self.chance.uniform(0.35, 0.55))
            self._busy(other, 3, 0.5)

    # -- what they are made of

    def _id(self, kind: str, unlike: bytes = b"") -> bytes:
        """A new id; most often not of the partition of `unlike`."""
        colon, partitions = "-" if kind in ("user", "visitor") else ":", self.history.profile.partitions
        apart = bool(unlike) and partitions > 1 and self.chance.random() < 0.85
        while True:
            id = f"{kind}{colon}{self.traffic.number()}".encode()
            if not apart or partition_of(id, partitions) != partition_of(unlike, partitions):
                self.persons[-1].add(id)
                return id

    def _at(self, share: float, step: Callable[..., None], *args: Any) -> None:
        self._steps.append((min(share, 1.0), step, args))

    def _busy(self, id: bytes, many: int, since: float = 0.0, until: float = 1.0, names: bytes = b"") -> None:
        """It does so many things; `names`: an id that some of them name."""
        for _ in range(many):
            named = names if self.chance.random() < 0.4 else b""
            self._at(self.chance.uniform(since, until), self._do, id, NAMES, named)

    def _meet(self, greater: bytes, lesser: bytes, at: float) -> None:
        """An event says that two ids are one person's; others say so again."""
        self._at(at, self._do, greater, CLAIMING, lesser)
        while self.chance.random() < 0.4:
            self._at(self.chance.uniform(at, at + 0.3), self._do, greater, CLAIMING, lesser)

    def _do(self, id: bytes, names: tuple[str, ...], named: bytes) -> None:
        self.traffic.do(id, self.chance.choice(names), naming(named) if named else {})

    def _split(self, lesser: bytes, owner: bytes) -> None:
        """Often the store then forgets what led to the link, so that the same link is made again."""
        self._mark(lesser, Marker("split", owner.decode(), by="simulator", why="lent"))
        if self.chance.random() < 0.5:
            partition = partition_of(owner, self.history.profile.partitions)
            self.history.later(self.chance.uniform(0.5, 3.0), self.history.nemesis.forget, partition)

    def _erase(self, id: bytes) -> None:
        self._mark(id, Marker("erase", id.decode(), by="simulator", why="asked"))

    def _mark(self, id: bytes, marker: Marker) -> None:
        """What a command puts into the logs."""
        now, partition = START + self.history.loop.time(), partition_of(id, self.history.profile.partitions)
        for _, message in markers(id.decode(), marker, f"command-{self.traffic.number()}", now):
            self.traffic.append(message.topic, partition, id, message.value)


def naming(id: bytes) -> dict[str, Any]:
    """Fields of an event that names another id."""
    kind, colon, value = id.decode().partition(":")
    if colon:
        return {"links": [{"kind": kind, "id": value}]}
    name = id.decode()
    return {"anonymous": name} if name.startswith("visitor") else {"links": [{"kind": "user", "id": name}]}
