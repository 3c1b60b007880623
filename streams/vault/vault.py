"""Who has which data key: one that seals, all that open, and their end.

How it works. The topic `keys` is the truth, Redis a copy, memory a copy of that. *Sealing* needs one good key: known
here, or in Redis, or made anew; a new one is used only after Kafka has it. So who seals never reads the topic: what
Redis has lost costs a second key. Two who make one at once have made two; every record names its own.

*Opening* needs that very key: memory, then Redis, then the topic from its beginning, which brings all of it back into
Redis. A record whose key was shredded is passed over. One whose key nobody has heard of means that `keys` was lost, and
is no reason to guess: `NoKey`.

*The end* of a key is a word in its place that holds no key. A word is never overwritten by an older one (`Shelf.keep`).
Whose id may come to be another's must not lose a key that the next one's records are sealed with: it is retired first,
which every writer heeds within FRESH seconds, and shredded when all that was sealed with it is known to be read.
"""

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeVar

from msgspec import Struct

from processors.turn import Lost, Record
from schemas.datakey import FROM, GONE, KID_BYTES, DataKey, decode_key, encode_key, headers_of, kid_of, name_of
from schemas.topics import partition_of
from streams.vault import NoKey
from streams.vault.cipher import Masters, Pen, UnknownMaster, Unopened, new_key
from streams.vault.ledger import Ledger
from streams.vault.shelf import Away, Shelf

FRESH: Final = 20.0
"""Seconds after which who seals looks again whether the key is still good."""
CACHE: Final = 50_000
"""Keys in memory, for sealing and for opening."""

V = TypeVar("V")


class Plain(Struct, gc=False):
    """A record that was sealed."""

    key: bytes
    value: bytes
    offset: int
    timestamp: int


@dataclass(slots=True)
class Read:
    """What became of the records of a topic."""

    topic: str
    plain: list[Record] = field(default_factory=list)
    opened: set[bytes] = field(default_factory=set)
    """Customers of sealed records among them."""
    lost: list[Lost] = field(default_factory=list)
    """Their key was shredded."""
    odd: list[tuple[Record, str]] = field(default_factory=list)
    """Sealed with another key than they say, or for another place; and what is wrong."""


class Vault:
    """The data keys of all customers, for one process. `count` is told what happens: made, shredded."""

    def __init__(
        self,
        masters: Masters,
        ledger: Ledger,
        shelf: Shelf,
        partitions: int,
        count: Callable[[str, int], None],
        *,
        seals: bool = True,
        fresh: float = FRESH,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.seals, self.fresh = seals, fresh
        """`seals`: False where records are only opened any more."""
        self._masters, self._ledger, self._shelf, self._partitions = masters, ledger, shelf, partitions
        self._count, self._clock, self._now = count, clock, now
        self._pens: dict[bytes, Pen] = {}
        self._coming: dict[bytes, asyncio.Task[dict[bytes, Pen]]] = {}
        self._known: dict[bytes, Pen | None] = {}
        """Name of a key -> who opens with it; None: shredded."""

    async def close(self) -> None:
        await self._ledger.close()
        await self._shelf.close()

    # -- sealing

    async def pens(self, customers: Iterable[bytes]) -> dict[bytes, Pen]:
        """What to seal with. Raises kafka.Unavailable."""
        wanted, now = set(customers), self._clock()
        pens = {one: pen for one in wanted if (pen := self._pens.get(one)) and now - pen.since < self.fresh}
        stale = wanted - pens.keys()
        if asking := [one for one in stale if one not in self._coming]:
            task = asyncio.create_task(self._renew(asking, now))
            self._coming |= dict.fromkeys(asking, task)
            task.add_done_callback(self._renewed)
        if coming := {self._coming[one] for one in stale}:
            await asyncio.wait(coming)  # unlike `gather` it leaves them alone when this request is cancelled
            for task in coming:
                pens |= {one: pen for one, pen in task.result().items() if one in stale}
        return pens

    def _renewed(self, task: "asyncio.Task[dict[bytes, Pen]]") -> None:
        self._coming = {one: other for one, other in self._coming.items() if other is not task}
        if not task.cancelled():
            task.exception()  # told to who waits; a request that was cancelled does not ask any more

    async def _renew(self, customers: Collection[bytes], since: float) -> dict[bytes, Pen]:
        """Pens that are good as of `since`, which is before anything was asked."""
        groups = self._by_partition(customers).items()
        found = await asyncio.gather(*(self._renew_in(partition, some, since) for partition, some in groups))
        return {one: pen for pens in found for one, pen in pens.items()}

    async def _renew_in(self, partition: int, customers: list[bytes], since: float) -> dict[bytes, Pen]:
        pens, pointed = await self._found(partition, customers, since)
        if missing := [one for one in customers if one not in pens]:
            pens |= await self._made(partition, missing, pointed, since)
        for customer, pen in pens.items():
            self._pens.pop(customer, None)
            self._pens[customer] = pen
        trim(self._pens, CACHE)
        return pens

    async def _found(self, partition: int, customers: list[bytes], since: float) -> tuple[dict[bytes, Pen], set[bytes]]:
        """Pens by what Redis holds; and of whom it names a key, good or not."""
        try:
            kids = await self._shelf.look(partition, customers, patient=False)
            named = {one: kid for one, kid in zip(customers, kids, strict=True) if kid}
            names = [name_of(*item) for item in named.items()]
            words = await self._shelf.look(partition, names, patient=False) if names else []
        except Away:
            return {}, set()
        pens = {}
        for (customer, kid), word in zip(named.items(), words, strict=True):
            if kid == GONE:
                pens[customer] = Pen(customer, GONE, new_key(), since)
            elif word and (key := decode_key(word)).writes and (pen := self._unwrapped(customer, kid, key, since)):
                pens[customer] = pen
        return pens, set(named)

    def _unwrapped(self, customer: bytes, kid: bytes, word: DataKey, since: float) -> Pen | None:
        """None: another master key has wrapped it, so we seal with one of our own."""
        try:
            return Pen(customer, kid, self._masters.unwrap(name_of(customer, kid), word), since)
        except (UnknownMaster, Unopened):
            return None

    async def _made(
        self, partition: int, customers: list[bytes], pointed: set[bytes], since: float
    ) -> dict[bytes, Pen]:
        """New keys, which Kafka has taken."""
        pens, words = {}, {}
        for customer in customers:
            kid, key = secrets.token_hex(KID_BYTES).encode(), new_key()
            pens[customer] = pen = Pen(customer, kid, key, since)
            words[pen.name] = encode_key(self._masters.wrap(pen.name, key, self._now()))
        await self._ledger.append(partition, words)
        self._count("made", len(pens))
        try:
            stands = await self._shelf.keep(partition, words, patient=False)
            kids = {customer: pen.kid for customer, pen in pens.items()}
            await self._shelf.keep(partition, {c: kid for c, kid in kids.items() if c not in pointed}, patient=False)
            await self._shelf.put(partition, {c: kid for c, kid in kids.items() if c in pointed}, patient=False)
        except Away:
            return pens
        over = {name for name, word in zip(words, stands, strict=True) if not decode_key(word).writes}
        if again := [customer for customer, pen in pens.items() if pen.name in over]:
            pens |= await self._made(partition, again, set(again), since)  # shredded before it was used
        return pens

    # -- opening

    async def read(self, batches: Sequence[tuple[str, Sequence[Record]]]) -> list[Read]:
        """Records of topics as they were before they were sealed; what never was stays as it is. Waits for Redis.
        Raises kafka.Unavailable and KafkaError where Kafka is needed and away, NoKey."""
        sealed = {
            name_of(record.key, kid): record.key
            for _, records in batches
            for record in records
            if (kid := kid_of(record)) and record.key
        }
        known = await self._ciphers(sealed)
        return [self._opened(topic, records, known) for topic, records in batches]

    async def values(self, topic: str, records: Sequence[Record]) -> list[bytes | None]:
        """What each record says; None: nobody can read it any more, or it was never sealed for this place. Raises as
        `read`."""
        (read,) = await self.read([(topic, records)])
        unread = {id(one.record) for one in read.lost} | {id(record) for record, _ in read.odd}
        plain = iter(read.plain)
        return [None if id(record) in unread else next(plain).value for record in records]

    def _opened(self, topic: str, records: Sequence[Record], known: Mapping[bytes, Pen | None]) -> Read:
        read = Read(topic)
        for record in records:
            key, kid = record.key, kid_of(record)
            if not kid or key is None:
                read.plain.append(record)
            elif (pen := known[name_of(key, kid)]) is None:
                read.lost.append(Lost(record, dict(headers_of(record)).get(FROM, b"").decode(errors="replace")))
            else:
                try:
                    value = pen.open(topic, record.value or b"")
                    read.plain.append(Plain(key, value, record.offset, record.timestamp))
                    read.opened.add(key)
                except Unopened as wrong:
                    read.odd.append((record, str(wrong)))
        return read

    async def _ciphers(self, sealed: Mapping[bytes, bytes]) -> dict[bytes, Pen | None]:
        """Of each name (-> customer) who opens with it, None where it was shredded."""
        found = {name: self._known[name] for name in sealed if name in self._known}
        missing = {name: customer for name, customer in sealed.items() if name not in found}
        for name in [name for name in missing if name.endswith(GONE_NAME)]:
            found[name] = None
            del missing[name]
        if missing:
            words = await self._words(missing)
            fresh = {name: self._opener(name, missing[name], word) for name, word in words.items()}
            self._known |= fresh
            trim(self._known, CACHE)
            found |= fresh
        return found

    def _opener(self, name: bytes, customer: bytes, word: DataKey) -> Pen | None:
        if word.shredded:
            return None
        try:
            return Pen(customer, name[len(customer) + 1 :], self._masters.unwrap(name, word))
        except (UnknownMaster, Unopened) as wrong:
            raise NoKey(WRAPPED.format(customer=customer.decode(errors="replace"), wrong=wrong)) from None

    async def _words(self, names: Mapping[bytes, bytes]) -> dict[bytes, DataKey]:
        """The last words, from Redis and else from the topic."""
        words: dict[bytes, DataKey] = {}
        for partition, some in self._by_partition(set(names.values())).items():
            here = [name for name, customer in names.items() if customer in set(some)]
            stands = await self._shelf.look(partition, here, patient=True)
            words |= {name: decode_key(word) for name, word in zip(here, stands, strict=True) if word}
            if missing := [name for name in here if name not in words]:
                words |= await self._restored(partition, missing)
        return words

    async def _restored(self, partition: int, missing: list[bytes]) -> dict[bytes, DataKey]:
        """Bring all of the topic's partition back into Redis; answers the words that were missing there."""
        last: dict[bytes, bytes] = {}
        wanted = set(missing)
        async for batch in self._ledger.read(partition):
            if not batch:
                continue
            ends = {name: word for name, word in batch if decode_key(word).shredded}
            alive = {name: word for name, word in batch if name not in ends}
            await self._shelf.keep(partition, alive, patient=True)
            await self._shelf.put(partition, {n: w if KID_MARK in n else GONE for n, w in ends.items()}, patient=True)
            last.update({name: word for name, word in batch if name in wanted})
        if lost := wanted - last.keys():
            customer, _, kid = min(lost).partition(KID_MARK)
            raise NoKey(LOST.format(kid=kid.decode(), customer=customer.decode(errors="replace"), more=len(lost) - 1))
        return {name: decode_key(word) for name, word in last.items()}

    # -- the end

    async def retire(self, partition: int, customers: Collection[bytes]) -> list[bytes]:
        """Nothing more is sealed with the keys these customers have now, once FRESH seconds are over. Answers the names
        of the keys. Raises kafka.Unavailable, KafkaError."""
        words = await self._all_of(partition, customers)
        now = self._now()
        for word in words.values():
            word.retired = word.retired or now
        retired = {name: encode_key(word) for name, word in words.items()}
        await self._shelf.put(partition, retired, gone=list(customers), patient=True)
        for customer in customers:
            self._pens.pop(customer, None)
        return list(words)

    async def retired(self, partition: int, names: Collection[bytes]) -> bool:
        """Whether they still are: Redis may have gone back to where they were not."""
        words = await self._shelf.look(partition, list(names), patient=True)
        return all(word is not None and not decode_key(word).writes for word in words)

    async def shred(self, partition: int, customers: Collection[bytes]) -> None:
        """All keys of these customers, for good. Raises kafka.Unavailable, KafkaError."""
        names = await self._all_of(partition, customers)
        await self.destroy(partition, [*names, *customers])
        await self._shelf.put(partition, dict.fromkeys(customers, GONE), patient=True)
        for customer in customers:
            self._pens.pop(customer, None)

    async def destroy(self, partition: int, names: Collection[bytes]) -> None:
        """The keys of these names."""
        if not names:
            return
        words = dict.fromkeys(names, encode_key(DataKey(shredded=self._now())))
        await self._ledger.append(partition, words)
        keys = {name: word for name, word in words.items() if KID_MARK in name}
        await self._shelf.put(partition, keys, patient=True)
        self._known |= dict.fromkeys(keys)
        trim(self._known, CACHE)
        self._count("shredded", len(keys))

    async def _all_of(self, partition: int, customers: Collection[bytes]) -> dict[bytes, DataKey]:
        """The keys these customers have, by the topic: Redis may have forgotten one. Or it has gone back in time, and
        holds one that was shredded: no more."""
        wanted, words = set(customers), dict[bytes, bytes]()
        async for batch in self._ledger.read(partition):
            words |= {name: w for name, w in batch if KID_MARK in name and name.partition(KID_MARK)[0] in wanted}
        keys = {name: decode_key(word) for name, word in words.items()}
        ended = {name: words[name] for name, key in keys.items() if key.shredded}
        await self._shelf.put(partition, ended, patient=True)
        return {name: key for name, key in keys.items() if name not in ended}

    def _by_partition(self, customers: Iterable[bytes]) -> dict[int, list[bytes]]:
        found = defaultdict(list)
        for customer in customers:
            found[partition_of(customer, self._partitions)].append(customer)
        return found


KID_MARK: Final = name_of(b"", b"")
GONE_NAME: Final = name_of(b"", GONE)
WRAPPED: Final = (
    "keys: the data key of {customer!r} cannot be unwrapped: {wrong}. Give the master key it was wrapped with in "
    "KAIROS_ENCRYPTION_KEYS, after the first"
)
LOST: Final = (
    "keys: a record is sealed with key {kid} of {customer!r} ({more} more), which is neither in the topic `keys` nor "
    "shredded. The topic was made anew or lost records; nothing is guessed"
)


def trim(cache: dict[bytes, V], most: int) -> None:
    """Forget the oldest."""
    for name in list(islice(cache, max(0, len(cache) - most))):
        del cache[name]
