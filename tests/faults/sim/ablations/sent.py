"""Guards of what has left the house: outbox, sent memory, caps."""

from collections.abc import Callable, Sequence
from typing import Any

from processors import caps, policies, returns
from processors.outcome import sent_of
from processors.turn import Turn
from schemas.customer import Sent
from schemas.trigger import Trigger
from streams.engine.relay import Leaving
from streams.engine.turn import Turns
from tests.faults.sim.ablations.put import Put
from tests.faults.sim.lines import Line, Way


def trim_after_acknowledgement(put: Put) -> None:
    """The outbox is trimmed before Kafka is asked."""
    send = Way.send

    async def early(self: Way, leaving: Any) -> list[Leaving]:
        await Line(self.worker, self.partition).trim([id.encode() for id, _ in leaving])
        return await send(self, leaving)

    put(Way, "send", early)


def read_back(put: Put) -> None:
    """What left the house is not remembered when it is read back."""

    def forget(outcomes: Any, turn: Turn[Any], key: bytes, customer: Any, trigger: Trigger) -> Sent:
        turn.returned.append(trigger.id)
        return sent_of(trigger)

    put(returns, "read_back", forget)


def known_id(put: Put) -> None:
    """What was sent is proposed again."""
    put(policies, "remembered", lambda customer, id, also=(): False)


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

    def forget(self: Turns, fold: Any, turn: Turn[Any], gathered: Any, unread: Any = ()) -> None:
        pending = self._pending
        decide(self, fold, turn, gathered, unread)
        left = which(turn)
        self._left = [id for id in self._left if id not in left]
        gone = {*turn.returned, *turn.revoked} - left
        self._pending = [item for item in pending if item[0] not in gone]

    put(Turns, "_decide", forget)


def two_sided_windows(put: Put) -> None:
    """Caps look back only."""

    def fullest(others: Sequence[Sent], one: Sent, within: float) -> int:
        return 1 + sum(o.decided <= one.decided < o.decided + o.span + within for o in others)

    put(caps, "fullest", fullest)
