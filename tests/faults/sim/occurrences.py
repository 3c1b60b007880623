"""Each occurrence is sent, or refused with a reason that holds; each timer has one end, and none comes too early.

Worked out from the logs: `looked` has an occurrence for each product viewed; a silence is named by the event that began
it, and the last one of each person that no event ended must have come to something. With several ids it is not looked
at under which of them: that hangs on what was read when.
"""

import json
from typing import TYPE_CHECKING

from schemas.playbook import Play
from schemas.topics import CLICKSTREAM
from schemas.trigger import Refusal, Trigger
from tests.faults.sim.kinship import Kinship, Left
from tests.faults.sim.triggers import expected_id

if TYPE_CHECKING:
    from tests.faults.sim.checker import Checked


class Occurrences:
    """Occurrences and timers of one partition."""

    def __init__(self, checked: "Checked", kinship: Kinship) -> None:
        self.checked, self.kinship = checked, kinship
        fold = next(iter(checked.history.folds.values()))
        self.plays = {play.id: play for play in fold.playbook.plays}
        self.caps = fold.playbook.policies.caps
        self.margin = 2 * checked.history.profile.clock_bound

    def faults(self) -> list[str]:
        """Of those an erasure has to do with, nothing is said."""
        gone, checked = self.kinship.gone, self.checked
        views = [(key, event) for key in checked.events for event in checked.events[key] if key not in gone]
        found = [self._missing("looked", key, id) for key, (_, name, id, _) in views if name == "Product Viewed"]
        silent = [play for play in self.plays.values() if play.after is not None]
        persons = self.kinship.persons(checked.here)
        found += [self._last_silence(play, key, ids) for key, ids in persons for play in silent]
        refused = [(key, one) for all in checked.refolded.refused.values() for key, one in all if key not in gone]
        found += [self._needless(key, one) for key, one in refused]
        sent = [one for one in checked.triggers.all if one.customer.encode() not in gone]
        found += [self._early(one) for one in sent if one.play in self.plays]
        return [fault for fault in found if fault] + self._ends()

    def _missing(self, play: str, key: bytes, occurrence: str) -> str:
        ids = [expected_id(play, one.decode(), occurrence) for one in sorted(self.kinship.kin(key))]
        if any(self.kinship.settled(id) for id in ids):
            return ""
        return f"occurrence: {play} of {key!r} for {occurrence} ({', '.join(ids)}) was neither sent nor refused"

    def _last_silence(self, play: Play, key: bytes, ids: list[bytes]) -> str:
        events = self.kinship.events(ids)
        began = max((event for event in events if event[1] in play.on), default=None)
        if began is None or any(event[1] in play.unless and event[0] >= began[0] for event in events):
            return ""
        return self._missing(play.id, key, began[2])

    # -- reasons

    def _needless(self, key: bytes, one: Refusal) -> str:
        """Why a reason does not hold; empty when it does."""
        play = self.plays.get(one.play)
        if play is None:
            return ""
        match one.reason:
            case "expired":
                holds = one.decided >= one.time + play.expires
            case "consent":
                values = self._values(self.kinship.kin(key))
                holds = any(b'"marketing": false' in value for value in values)
            case "cap" | "cooldown" | "judge" | "channel":
                holds = self._full(key, one, play)
            case "quiet":
                holds = self.checked.history.profile.quiet
            case _:
                holds = False
        return "" if holds else f"refusal: {one} of {key!r} does not hold"

    def _values(self, keys: frozenset[bytes]) -> list[bytes]:
        rows = (row for one in self.kinship.everywhere for row in one.rows(CLICKSTREAM))
        return [row.value or b"" for row in rows if row.key in keys]

    def _full(self, key: bytes, one: Refusal, play: Play) -> bool:
        """Whether a window around the refusing is full of what left, or was to leave until it was revoked."""
        left = dict(self.kinship.left(self.kinship.kin(key)))
        revoked = left.pop(one.id, None)
        at, end = one.decided, max(one.decided, one.time + play.expires)
        if one.reason == "judge" and revoked:  # what was judged is the window it was decided in
            at, end = one.time, revoked.expires
        others = list(left.values())
        cooldown = [(1, play.cooldown)] if play.cooldown else []
        caps = {per: [(cap.most, cap.within) for cap in self.caps if cap.per == per] for per in ("customer", "channel")}
        cooled = self._crowded([t for t in others if t.play == play.id], at, end, cooldown)
        capped = self._crowded(others, at, end, caps["customer"])
        full = {
            name: self._crowded([t for t in others if t.channel == name], at, end, caps["channel"])
            for name in play.channels
        }
        match one.reason:
            case "cooldown":
                return cooled
            case "cap":
                return capped
            case "judge":
                return cooled or capped or any(full.values())
        return all(full[name] for name in play.channels if f"{name}: does not reach" not in one.detail)

    def _crowded(self, others: list[Left], at: float, end: float, caps: list[tuple[int, float]]) -> bool:
        """Whether one more, decided at `at` and expiring at `end`, is one too many for a cap."""
        spans = [(at, end), *((t.decided, t.expires) for t in others)]
        return any(
            sum(start <= decided < expires + within + self.margin for decided, _ in spans) > most
            for most, within in caps
            for start, expires in spans
            if start <= at < expires + within + self.margin
        )

    # -- timers

    def _early(self, one: Trigger) -> str:
        """Whether the log held, before a timer was due, what ended its silence or began it again."""
        play = self.plays[one.play]
        if play.after is None:
            return ""
        kin = self.kinship.kin(one.customer.encode())
        events = self.kinship.events(kin)
        began = next((event for event in events if event[2] == one.occurrence), None)
        if began is None:
            return f"timer: {one.play} {one.id} was begun by {one.occurrence}, which is in no log"
        due = began[0] + play.after
        if one.decided < due:
            return f"timer: {one.play} {one.id} due {due} was fired at {one.decided}"
        for time, name, id, taken in events if len(kin) == 1 else ():  # those of other ids need not be known here
            ends = name in play.unless and time >= began[0]
            again = name in play.on and time > began[0]
            if (ends or again) and taken <= due:
                return f"timer: {one.play} {one.id} due {due} fired, {id} ({name} at {time}) was in the log at {taken}"
        return ""

    def _ends(self) -> list[str]:
        """Armed = fired + cancelled + pending."""
        counts = self.checked.counts
        waiting = [json.loads(v).get("decisions", {}).get("waiting", {}) for v in self.checked.customers.values()]
        pending = sum(map(len, waiting))
        if counts["timer:armed"] != counts["timer:fired"] + counts["timer:cancelled"] + pending:
            return [f"timers: {dict(counts)}, {pending} pending"]
        return []
