"""One turn: gather, decide, commit. Everything that changes a customer goes through here.

How it works. `gather` takes what has arrived, `decide` folds it, customer by customer, `commit` sends all of it to the
slot in one call under a new token. That call is in flight while the next turn gathers and decides; it is settled
before the next commit is sent, and only then is it true: only then do its triggers go to the relay and may customers
leave the cache. A refused commit raises `Refused`, the term ends, and all that is known here dies with it.

A turn that changed nobody (triggers read back as expected) sends nothing: its positions, and the ids that leave the
outbox, ride with the next commit, or with an empty one after half a second of idleness. The commit answers who is due,
so timers need no polling.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from processors.turn import Fault, Fold, Turn, by_customer
from schemas.datakey import Shred, encode_shred
from schemas.topics import KEYS, TRIGGERS, partition_of
from schemas.turn import Message, TurnRecord, decode_message, encode_message, encode_turn
from streams.engine.inbox import Batch, Inbox
from streams.engine.poison import Poison, letters
from streams.engine.relay import Leaving, Relay
from streams.engine.world import Halt, World
from streams.state.store import Commit, Committed, Opened, Slot
from streams.vault import NoKey

if TYPE_CHECKING:
    from streams.vault.vault import Read

IDLE_COMMIT = 0.5
"""Seconds after which positions that moved without a change are committed."""
PROOF = 10.0
"""Seconds of idleness after which a term asks whether the slot is still its own: else it would not see that the store
went back in time before the next event comes."""
LEFT_MOST = 1000
"""Triggers read back, known already, whose ids ride with the next commit; more than so many make one."""
NEAR = 0.01
"""Seconds between looks at the clock while a timer is due and the logs are not yet read up to it."""


@dataclass(slots=True)
class Flight:
    """A commit on its way."""

    commit: Commit
    answer: "asyncio.Task[Committed]"
    leaving: list[Leaving]
    wanted: set[bytes]
    """Customers this turn looked at: the youngest in the cache."""
    positions: dict[str, int]
    turn: Turn[Any]
    since: float


@dataclass(slots=True)
class Gathered:
    """What one turn is made of."""

    batches: list[Batch] = field(default_factory=list)
    due: list[bytes] = field(default_factory=list)
    judged: list[Leaving] | None = None
    opened: set[bytes] = field(default_factory=set)
    """Customers of whom something was sealed, and could be opened."""


class Turns:
    """The turns of one term."""

    def __init__(
        self, partition: int, slot: Slot, inbox: Inbox, relay: Relay, world: World, token: bytes, opened: Opened
    ) -> None:
        self.partition, self.inbox, self.world = partition, inbox, world
        self.ready = False
        """False while the term drains: only `triggers` is read, no timer fires, nothing is sent."""
        self.committed = dict(inbox.gathered)
        """Positions the slot is known to hold."""
        self._slot, self._relay, self._token = slot, relay, token
        self._customers: dict[bytes, Any] = {}
        self._poison = Poison(world.settings.poison_percent)
        self._written = dict(inbox.gathered)
        self._counts = Counter({n[6:]: int(v) for n, v in opened.meta.items() if n.startswith("count:")})
        self._sequence = int(opened.meta["seq"])
        self._pending = sorted(
            ((id.decode(), decode_message(entry)) for id, entry in opened.outbox), key=lambda item: item[1].sequence
        )
        self._left: list[str] = []
        """Ids that leave the outbox with the next commit: seen in Kafka, or revoked."""
        self._flight: Flight | None = None
        self._next_due: float | None = None
        self._due: list[bytes] = []

    async def turn(self) -> None:
        """Gather what has come, decide, commit."""
        await self._run(await self._gather())

    async def judge(self) -> None:
        """The commit that ends the drain: decide again what waits, then hand it to the relay."""
        await self._run(Gathered(judged=self._pending))
        await self._settle()
        self._pending = []
        self.ready = True

    async def _run(self, gathered: Gathered) -> None:
        fold = self.world.fold()
        keys = await self._load(gathered)
        read = await self._open(gathered) if self.world.vault else []
        until = self.inbox.caught_up() - self.world.settings.clock_bound if self.ready else 0.0
        turn = Turn(self.world.now(), until, self._customers)
        self._decide(fold, turn, gathered, read)
        something = turn.changed or turn.messages or turn.counts or turn.faults or gathered.judged is not None
        if something or not gathered.batches or len(self._left) > LEFT_MOST:
            await self._commit(fold, turn, gathered, keys)

    # -- gather

    async def _gather(self) -> Gathered:
        """What has arrived; while nothing has, wait for the commit in flight, a timer, or half a second of idleness."""
        while not self.inbox and not self._due:
            if self._flight:
                await self._settle()
                continue
            if (wait := self._wait()) is not None and wait <= 0:
                break  # an empty turn: its commit answers who is due
            self.inbox.arrived.clear()
            moved = self.inbox.gathered != self._written or self._relay.letters
            limit = min(wait or PROOF, IDLE_COMMIT if moved else PROOF)
            try:
                async with asyncio.timeout(limit):  # `wait_for` may lose a cancellation, Python 3.11's does
                    await self.inbox.arrived.wait()
            except TimeoutError:
                if moved and limit == IDLE_COMMIT:
                    break  # an empty turn commits the positions
                if limit == PROOF:
                    await self._slot.load((self._token, self._token), [])
        if self._flight and self._flight.answer.done():
            await self._settle()  # what it sends need not wait for this turn
        due, self._due = self._due, []
        return Gathered(self.inbox.take(self.world.settings.turn_records), due)

    def _wait(self) -> float | None:
        """Seconds until the next timer may fire; None: there is none."""
        if not self.ready or self._next_due is None:
            return None
        bound = self.world.settings.clock_bound
        if self._next_due <= self.inbox.caught_up() - bound:
            return 0.0
        return max(NEAR, self._next_due + bound - self.world.now())

    async def _load(self, gathered: Gathered) -> set[bytes]:
        """Bring the customers of a turn into the cache; answers their keys. Keys of other partitions stay out."""
        wanted = {r.key for _, fetch in gathered.batches for r in fetch.records if r.key is not None}
        wanted.update(gathered.due)
        wanted.update(m.key for _, m in gathered.judged or () if m.key is not None and m.topic == TRIGGERS)
        count = self.world.settings.partitions
        known = self._customers  # asked one by one: a difference of the two sets would walk the whole cache
        missing = [k for k in wanted if k not in known and partition_of(k, count) == self.partition]
        if missing:
            coming = self._flight.commit.new_token if self._flight else self._token
            values = await self._slot.load((self._token, coming), missing)
            fold = self.world.fold()
            for key, value in zip(missing, values, strict=True):
                self._customers[key] = fold.blank() if value is None else fold.decode(value)
        return wanted

    async def _open(self, gathered: Gathered) -> "list[Read]":
        """Put what was sealed back as it was. Answers what of it nobody can read, or not as it says."""
        assert self.world.vault
        try:
            found = await self.world.vault.read([(topic, fetch.records) for topic, fetch in gathered.batches])
        except NoKey as exc:
            raise Halt(str(exc)) from None
        for (_, fetch), read in zip(gathered.batches, found, strict=True):
            fetch.records = read.plain
            gathered.opened |= read.opened
        return [read for read in found if read.lost or read.odd]

    # -- decide

    def _decide(self, fold: Fold[Any], turn: Turn[Any], gathered: Gathered, unread: "Sequence[Read]" = ()) -> None:
        """Fold it all."""
        for read in unread:
            if read.lost:
                fold.pass_over(turn, read.topic, read.lost)
            turn.faults += [Fault(read.topic, record, "unopened", wrong) for record, wrong in read.odd]
        for key, records in by_customer((topic, fetch.records) for topic, fetch in gathered.batches).items():
            fold.absorb(turn, key, records)
            self._write(fold, turn, key)
        for key in gathered.due:
            fold.awaken(turn, [key])
            self._write(fold, turn, key)
        if turn.erased:
            gathered.judged = self._pending_of(turn.erased)
        if gathered.judged is not None:
            pending = [(id, m.key or b"") for id, m in gathered.judged if m.topic == TRIGGERS]
            fold.judge(turn, pending)
            for key in {key for _, key in pending}:
                self._write(fold, turn, key)
        read_all = sum(len(fetch.records) for _, fetch in gathered.batches) + sum(len(read.odd) for read in unread)
        self._poison.watch(read_all, turn.faults)
        self._left += turn.returned + turn.revoked
        if self.ready:
            self._recall(turn.revoked)
        else:
            gone = {*turn.returned, *turn.revoked}
            self._pending = [item for item in self._pending if item[0] not in gone]

    def _write(self, fold: Fold[Any], turn: Turn[Any], key: bytes) -> None:
        """Encode a customer who changed, at once: all of it is in the processor's cache now, and will not be later."""
        if key in turn.changed:
            turn.values[key] = fold.encode(self._customers[key])

    def _pending_of(self, customers: list[bytes]) -> list[Leaving]:
        """Triggers of these that are decided, and not on their way yet."""
        flying = self._flight.leaving if self._flight else []
        mine = [item for item in flying if item[1].topic == TRIGGERS and item[1].key in customers]
        return sorted(self._relay.waiting(customers) + mine, key=lambda item: item[1].sequence)

    def _recall(self, ids: list[str]) -> None:
        if ids:
            self._relay.recall(ids)
            if self._flight:
                self._flight.leaving = [item for item in self._flight.leaving if item[0] not in ids]

    # -- commit

    async def _commit(self, fold: Fold[Any], turn: Turn[Any], gathered: Gathered, wanted: set[bytes]) -> None:
        commit, leaving = self._pack(turn, gathered, fold.version)
        await self._settle(wanted)
        if gathered.judged is not None and not self.ready:
            leaving = self._pending
        answer = asyncio.create_task(self._slot.commit(commit))
        answer.add_done_callback(heard)
        self._flight = Flight(commit, answer, leaving, wanted, dict(self._written), turn, self.world.now())
        self.world.watch.turned(self.partition, turn, sum(len(fetch.records) for _, fetch in gathered.batches))

    def _pack(self, turn: Turn[Any], gathered: Gathered, version: str) -> tuple[Commit, list[Leaving]]:
        leaving = [*turn.messages, *letters(turn, self.partition)]
        for _, message in leaving:
            message.sequence = self._sequence = self._sequence + 1
        if self.world.vault:
            leaving += self._shreds(turn, gathered.opened)
        before = self._flight.commit.new_token if self._flight else self._token
        after = self.world.nonce()
        ahead = {t: (self._written[t], p) for t, p in self.inbox.gathered.items() if p != self._written[t]}
        judged = None if gathered.judged is None else [id.encode() for id, _ in gathered.judged]
        record = TurnRecord(before, after, turn.now, turn.until, version, ahead, gathered.due, judged)
        self._written = dict(self.inbox.gathered)
        commit = Commit(
            token=before,
            new_token=after,
            until=turn.until,
            record=encode_turn(record),
            keep=self.world.settings.turn_history,
            meta=self._meta(turn, ahead, bool(leaving)),
            customers=[(k, turn.values[k]) for k in turn.changed],
            wake=[(k, at) for k, at in turn.wake.items() if at is not None],
            sleep=[k for k, at in turn.wake.items() if at is None],
            outbox=[(id.encode(), encode_message(message)) for id, message in leaving],
            left=[id.encode() for id in self._left + self._relay.letters],
        )
        self._left, self._relay.letters = [], []
        return commit, leaving

    def _meta(self, turn: Turn[Any], ahead: dict[str, tuple[int, int]], leaving: bool) -> dict[str, bytes]:
        meta = {f"next:{topic}": b"%d" % end for topic, (_, end) in ahead.items()}
        for name, count in turn.counts.items():
            self._counts[name] += count
            meta[f"count:{name}"] = b"%d" % self._counts[name]
        if leaving:
            meta["seq"] = b"%d" % self._sequence
        return meta

    def _shreds(self, turn: Turn[Any], opened: set[bytes]) -> list[Leaving]:
        """Wishes to shred keys, behind all that follows from the erasure: it is told by what they make unreadable."""
        wishes = []
        for customer, forever in (turn.shred | dict.fromkeys(turn.late & opened, True)).items():
            self._sequence += 1
            wish = Message(KEYS, customer, encode_shred(Shred(forever)), [], sequence=self._sequence)
            wishes.append((f"shred:{self._sequence}", wish))
        return wishes

    async def _settle(self, keep: Collection[bytes] = ()) -> None:
        """Wait for the commit in flight. Only now is it true. `keep`: customers the next commit may change."""
        if self._flight is None:
            return
        flight = self._flight
        answer = await flight.answer
        self._next_due, self._due = answer.next_due, answer.due
        self._token, self._flight = flight.commit.new_token, None
        self.committed = flight.positions
        if flight.leaving:
            self._relay.put(flight.leaving)
        self._evict(flight.wanted, keep)
        self.world.watch.committed(self.partition, flight.turn, self.world.now() - flight.since)

    def _evict(self, wanted: Collection[bytes], keep: Collection[bytes]) -> None:
        """Keep the cache within its bound, the youngest last. Never a customer of a turn whose commit is not known: a
        load could be older."""
        customers, most = self._customers, self.world.settings.cache_customers
        if len(customers) <= most:
            return
        for key in (*wanted, *keep):
            if key in customers:
                customers[key] = customers.pop(key)
        surplus = len(customers) - max(most, sum(key in customers for key in keep))
        for key in list(islice(customers, surplus)):
            del customers[key]


def heard(answer: "asyncio.Task[Committed]") -> None:
    """A term that ends leaves its commit in flight: what became of it interests nobody, and asyncio need not log it."""
    if not answer.cancelled():
        answer.exception()
