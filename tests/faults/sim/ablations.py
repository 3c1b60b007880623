"""The guards of design.md, section 6, taken away one at a time: the simulator must miss each of them.

How it works. An ablation puts something else in the place of a function of the engine, the fold or the store in memory,
for the time of a history. `test_sim` names, for each, a seed whose history breaks without it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from msgspec.structs import replace as changed

import streams.engine.partition as partition_room
import streams.engine.term as term_room
import streams.engine.turn as turn_room
from processors import caps, outcome, plays, policies, returns
from processors.decide import Decider
from processors.outcome import Outcomes
from processors.turn import Turn
from schemas.customer import Sent
from schemas.trigger import Check, trigger_id
from schemas.turn import TurnRecord, decode_turn, encode_turn
from streams.engine.inbox import Inbox
from streams.engine.relay import Leaving, Relay
from streams.engine.term import Term
from streams.engine.turn import Turns
from streams.state.memory import MemorySlot
from streams.state.store import TOKEN_BYTES, Commit, Committed, Opened
from tests.faults.sim.clock import OWNER
from tests.faults.sim.lines import Line, Way

Put = Callable[[Any, str, Any], None]
"""Puts a value in the place of an attribute: owner, name, value."""


# -- tokens and positions


def token_in_commit(put: Put) -> None:
    """A commit is written whatever token is stored."""
    honest = MemorySlot.commit

    async def commit(self: MemorySlot, commit: Commit) -> Committed:
        return await honest(self, replace(commit, token=await self.held() or commit.token))

    put(MemorySlot, "commit", commit)


def token_in_load(put: Put) -> None:
    """Values are given to anyone."""

    async def load(self: MemorySlot, _: tuple[bytes, bytes], customers: Sequence[bytes]) -> list[bytes | None]:
        return [await self.customer(customer) for customer in customers]

    put(MemorySlot, "load", load)


def nonce(put: Put) -> None:
    """Tokens are counted: the next one is the one before, plus one."""
    pack, begin = Turns._pack, term_room.begin

    def counted(self: Turns, *args: Any) -> tuple[Commit, list[Leaving]]:
        commit, leaving = pack(self, *args)
        record = changed(decode_turn(commit.record), after=following(commit.token))
        return replace(commit, new_token=record.after, record=encode_turn(record)), leaving

    async def count(partition: int, world: Any, outlet: Any) -> Any:
        stored = (await OWNER.get().history.primaries[partition].slot.meta())["token"]
        return await begin(partition, replace(world, nonce=lambda: following(stored)), outlet)

    put(Turns, "_pack", counted)
    put(partition_room, "begin", count)


def following(token: bytes) -> bytes:
    return (int.from_bytes(token, "big") + 1).to_bytes(TOKEN_BYTES, "big")


def acquire_compares(put: Put) -> None:
    """A late acquire is written over any token."""
    honest = MemorySlot.take

    async def take(self: MemorySlot, token: bytes, _: bytes) -> None:
        await honest(self, token, await self.held())

    put(MemorySlot, "take", take)


def offsets_from_redis(put: Put) -> None:
    """A term goes on where the consumer group's committed offsets say."""

    def check(partition: int, _: int, opened: Opened, bounds: Any) -> dict[str, int]:
        group = OWNER.get().history.broker.group
        return {topic: group.get((topic, partition), 0) for topic in bounds}

    put(term_room, "check", check)


def cache_keeps_unsettled(put: Put) -> None:
    """The cache drops whom the commit being sent has changed."""
    honest = Turns._evict
    put(Turns, "_evict", lambda self, wanted, keep: honest(self, wanted, ()))


def idle_proof(put: Put) -> None:
    """An idle term never asks whether the slot is still its own."""
    put(turn_room, "PROOF", 1e6)


def revocation(put: Put) -> None:
    """A revoked partition is cancelled, and that is that."""

    def stop(self: Any) -> None:
        self.term = None
        self.task.cancel()

    put(partition_room.Partition, "stop", stop)


# -- timers, ids, the turn record


def timer_catch_up(put: Put) -> None:
    """Timers fire by the clock alone."""
    put(Inbox, "caught_up", lambda self: OWNER.get().now())


def clock_margin(put: Put) -> None:
    """Clocks are taken to be equal."""
    honest = Inbox.caught_up
    put(Inbox, "caught_up", lambda self: honest(self) + OWNER.get().history.profile.clock_bound)


def deterministic_ids(put: Put) -> None:
    """The id of a trigger depends on when it was decided."""
    settle, moment = Outcomes.settle, [0.0]

    def note(self: Outcomes, turn: Turn[Any], proposal: Any) -> bool:
        moment[0] = turn.now
        return settle(self, turn, proposal)

    put(Outcomes, "settle", note)
    put(outcome, "trigger_id", lambda app, play, key, about: trigger_id(app, play, key, f"{about}@{moment[0]}"))


def tick_in_the_turn_record(put: Put) -> None:
    """The turn record holds neither `now` nor `until`."""

    def forget(record: TurnRecord) -> bytes:
        return encode_turn(changed(record, now=0.0, until=0.0))

    put(turn_room, "encode_turn", forget)


def times_compared(put: Put) -> None:
    """What ends a silence ends it by order of arrival."""

    def stop(turn: Any, customer: Any, decisions: Any, play: Any) -> bool:
        if play.id not in decisions.waiting:
            return False
        plays.conclude(turn, decisions, play.id, "timer:cancelled")
        return True

    put(plays, "over", lambda *_: False)
    put(plays, "stop", stop)


# -- what was sent


def trim_after_acknowledgement(put: Put) -> None:
    """The outbox is trimmed before Kafka is asked."""
    send = Way.send

    async def early(self: Way, leaving: Any) -> list[Leaving]:
        await Line(self.worker, self.partition).trim([id.encode() for id, _ in leaving])
        return await send(self, leaving)

    put(Way, "send", early)


def read_back(put: Put) -> None:
    """What left the house is not remembered when it is read back."""
    put(returns, "read_back", lambda outcomes, turn, key, customer, trigger: turn.returned.append(trigger.id))


def known_id(put: Put) -> None:
    """What was sent is proposed again."""
    put(policies, "POLICIES", (lambda case: Check("known", True), *policies.POLICIES[1:]))


def read_back_takes_out(put: Put) -> None:
    """The commit that reads a trigger back leaves it in the outbox."""
    _leave_in(put, lambda turn: set(turn.returned))


def whatever_the_trim_said(put: Put) -> None:
    """The commit that reads a trigger back trusts an answered trim."""
    trim, answered = Line.trim, set[str]()

    async def note(self: Line, ids: Sequence[bytes]) -> None:
        await trim(self, ids)
        answered.update(id.decode() for id in ids)

    put(Line, "trim", note)
    _leave_in(put, lambda turn: answered.intersection(turn.returned))


def _leave_in(put: Put, which: Callable[[Turn[Any]], set[str]]) -> None:
    decide = Turns._decide

    def forget(self: Turns, fold: Any, turn: Turn[Any], gathered: Any) -> None:
        pending = self._pending
        decide(self, fold, turn, gathered)
        left = which(turn)
        self._left = [id for id in self._left if id not in left]
        gone = {*turn.returned, *turn.revoked} - left
        self._pending = [item for item in pending if item[0] not in gone]

    put(Turns, "_decide", forget)


def acknowledged_once(put: Put) -> None:
    """What is handed to the relay twice in a term is sent twice."""

    def again(self: Relay, leaving: Any) -> None:
        self._queue.extend(leaving)
        self._some.set()

    put(Relay, "put", again)


def two_sided_windows(put: Put) -> None:
    """Caps look back only."""

    def fullest(others: Sequence[Sent], one: Sent, within: float) -> int:
        return 1 + sum(o.decided <= one.decided < o.decided + o.span + within for o in others)

    put(caps, "fullest", fullest)


# -- the beginning of a term


def drain_first(put: Put) -> None:
    """A term begins without reading what has left."""
    honest = term_room.begin

    async def begin(partition: int, world: Any, outlet: Any) -> Any:
        term, _, begun = await honest(partition, world, outlet)
        return term, -1, begun

    put(partition_room, "begin", begin)


def drain_gathers_triggers_only(put: Put) -> None:
    """Fetches of other topics are taken during the drain."""
    honest = Term.put

    def loose(self: Term, topic: str, fetch: Any) -> None:
        ready, self.turns.ready = self.turns.ready, True
        honest(self, topic, fetch)
        self.turns.ready = ready

    put(Term, "put", loose)


def fence(put: Put) -> None:
    """Each term has a producer of its own name: nobody shuts anybody out."""
    put(Way, "producer", lambda self: self.worker.history.broker.producer(f"out-{self.partition}-{id(self)}"))


def end_after_the_fence(put: Put) -> None:
    """The end of the drain is asked before the fence."""
    honest = term_room.begin
    asked: dict[tuple[Any, int], Any] = {}

    async def begin(partition: int, world: Any, outlet: Any) -> Any:
        return await honest(partition, replace(world, source=Early(world.source, partition)), outlet)

    class Early:
        def __init__(self, source: Any, partition: int) -> None:
            self.source, self.partition, self.ends = source, partition, source.ends
            self.answer: Any = None
            asked[OWNER.get(), partition] = self

        async def bounds(self, _: int) -> Any:
            return self.answer

        def __getattr__(self, name: str) -> Any:
            return getattr(self.source, name)

    shut = Way.fence

    async def ask_first(self: Way) -> None:
        early = asked[self.worker, self.partition]
        early.answer = await early.source.bounds(self.partition)
        await shut(self)

    put(partition_room, "begin", begin)
    put(Way, "fence", ask_first)


def judge(put: Put) -> None:
    """What waits is not decided again."""
    put(Decider, "judge", lambda self, turn, pending: None)


def relay_waits_for_the_drain(put: Put) -> None:
    """What waits is sent as soon as a term begins."""
    honest = Term.serve

    async def serve(self: Term, end: int, begun: Any) -> None:
        self.relay.put(self.turns._pending)
        await honest(self, end, begun)

    put(Term, "serve", serve)


GUARDS: Final[tuple[Callable[[Put], None], ...]] = (
    token_in_commit,
    token_in_load,
    nonce,
    offsets_from_redis,
    timer_catch_up,
    clock_margin,
    trim_after_acknowledgement,
    deterministic_ids,
    tick_in_the_turn_record,
    times_compared,
    read_back,
    known_id,
    drain_first,
    fence,
    end_after_the_fence,
    judge,
    relay_waits_for_the_drain,
    two_sided_windows,
    read_back_takes_out,
    acknowledged_once,
    acquire_compares,
    cache_keeps_unsettled,
    drain_gathers_triggers_only,
    whatever_the_trim_said,
    idle_proof,
    revocation,
)
ABLATIONS: Final = {guard.__name__.replace("_", "-"): guard for guard in GUARDS}

NEEDLESS: Final = {
    "acknowledged-once": "by construction: a term hands an id to its relay once, by judging or by its turn's commit",
}
"""Guards that nothing misses, and why they may go."""


@contextmanager
def ablated(name: str) -> Iterator[None]:
    """Without one guard; an empty name takes away nothing."""
    before: list[tuple[Any, str, Any]] = []

    def put(owner: Any, attribute: str, value: Any) -> None:
        before.append((owner, attribute, getattr(owner, attribute)))
        setattr(owner, attribute, value)

    try:
        if name:
            ABLATIONS[name](put)
        yield
    finally:
        for owner, attribute, value in reversed(before):
            setattr(owner, attribute, value)
