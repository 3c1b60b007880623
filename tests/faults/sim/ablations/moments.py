"""Guards of time and of identity: when a timer fires, which id a trigger has, what a turn record must hold."""

from typing import Any

from msgspec.structs import replace as changed

import streams.engine.turn as turn_room
from processors import outcome, plays
from processors.outcome import Outcomes
from processors.turn import Turn
from schemas.trigger import trigger_id
from schemas.turn import TurnRecord, encode_turn
from streams.engine.inbox import Inbox
from tests.faults.sim.ablations.put import Put
from tests.faults.sim.clock import OWNER


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
