"""Guards of how a term begins: fence, end, drain, judge, relay."""

from dataclasses import replace
from typing import Any

import streams.engine.partition as partition_room
import streams.engine.term as term_room
from processors.decide import Decider
from streams.engine.term import Term
from tests.faults.sim.ablations.put import Put
from tests.faults.sim.clock import OWNER
from tests.faults.sim.lines import Way


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

        async def bounds(self, partition: int) -> Any:
            answer, self.answer = self.answer, None
            return answer or await self.source.bounds(partition)

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
