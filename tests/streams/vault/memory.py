"""A vault whose topic and hash lie in memory, and may be taken away."""

import secrets
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence

from processors.turn import Record
from streams.kafka import Unavailable
from streams.vault.cipher import Masters
from streams.vault.shelf import Away
from streams.vault.vault import Vault


class MemoryLedger:
    """The topic."""

    def __init__(self) -> None:
        self.words: dict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
        self.away = False
        self.reads = 0

    async def append(self, partition: int, words: Mapping[bytes, bytes]) -> None:
        if self.away:
            raise Unavailable("the topic is away")
        self.words[partition] += words.items()

    async def read(self, partition: int) -> AsyncGenerator[list[tuple[bytes, bytes]], None]:
        self.reads += 1
        if self.away:
            raise Unavailable("the topic is away")
        for one in list(self.words[partition]):
            yield [one]

    async def close(self) -> None:
        """Nothing is open."""


class MemoryShelf:
    """The hash."""

    def __init__(self) -> None:
        self.words: dict[int, dict[bytes, bytes]] = defaultdict(dict)
        self.away = False

    async def look(self, partition: int, names: Sequence[bytes], *, patient: bool) -> list[bytes | None]:
        self._asked()
        return [self.words[partition].get(name) for name in names]

    async def keep(self, partition: int, items: Mapping[bytes, bytes], *, patient: bool) -> list[bytes]:
        self._asked()
        return [self.words[partition].setdefault(name, word) for name, word in items.items()]

    async def put(
        self, partition: int, items: Mapping[bytes, bytes], gone: Sequence[bytes] = (), *, patient: bool
    ) -> None:
        self._asked()
        self.words[partition].update(items)
        for name in gone:
            self.words[partition].pop(name, None)

    async def close(self) -> None:
        """Nothing is open."""

    def _asked(self) -> None:
        if self.away:
            raise Away


class Sealed:
    """A record in a log."""

    def __init__(self, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]] = (), offset: int = 0) -> None:
        self.key, self.value, self.headers, self.offset, self.timestamp = key, value, headers, offset, 0


class House:
    """One topic and one hash, and as many processes as ask for a vault."""

    def __init__(self, partitions: int = 1) -> None:
        self.partitions = partitions
        self.ledger, self.shelf = MemoryLedger(), MemoryShelf()
        self.masters = [secrets.token_bytes(32)]
        self.counts: Counter[str] = Counter()
        self.clock = 0.0

    def vault(self, *masters: bytes, fresh: float = 20.0) -> Vault:
        def count(what: str, many: int) -> None:
            self.counts[what] += many

        keys = Masters(masters or self.masters)
        clock = lambda: self.clock  # noqa: E731 - it moves
        return Vault(keys, self.ledger, self.shelf, self.partitions, count, fresh=fresh, clock=clock)


async def sealed(vault: Vault, topic: str, key: bytes, *values: bytes) -> list[Record]:
    """Records as a writer would leave them."""
    pen = (await vault.pens([key]))[key]
    return [Sealed(key, pen.seal(topic, value), pen.headers, at) for at, value in enumerate(values)]
