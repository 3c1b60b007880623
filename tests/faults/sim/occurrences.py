"""Each occurrence is sent, or refused with a reason that holds; each timer has one end, and none comes too early.

Worked out from the logs: `looked` has an occurrence for each product viewed; a silence is named by the event that began
it, and the last one of each customer that no event ended must have come to something.
"""

import json
from typing import TYPE_CHECKING

from schemas.playbook import Play
from schemas.topics import CLICKSTREAM, EVENTS
from schemas.trigger import Refusal, Trigger
from tests.faults.sim.facts import said
from tests.faults.sim.refold import Refolded
from tests.faults.sim.traffic import GUEST, HOST, LEAVER, PHONE
from tests.faults.sim.triggers import Triggers, expected_id

if TYPE_CHECKING:
    from tests.faults.sim.checker import Checked

LINKED = (HOST, GUEST, LEAVER, PHONE)
Happened = tuple[float, str, str, float]
"""(event time, name, message id, when the log took it in), seconds since the epoch."""


class Occurrences:
    """Occurrences and timers of one partition."""

    def __init__(self, checked: "Checked", refolded: Refolded, triggers: Triggers) -> None:
        self.checked, self.refolded, self.triggers = checked, refolded, triggers
        fold = next(iter(checked.history.folds.values()))
        self.plays = {play.id: play for play in fold.playbook.plays}
        self.caps = fold.playbook.policies.caps
        self.margin = 2 * checked.history.profile.clock_bound
        self.events = self._events()

    def _events(self) -> dict[bytes, list[Happened]]:
        """What each customer did, each message once, as first taken in."""
        found: dict[bytes, dict[str, Happened]] = {}
        for topic in EVENTS:
            for row in self.checked.rows(topic):
                event, key = said(row, topic), row.key or b""
                if event is not None and "marker" not in event and self.checked.here(key):
                    happened = event["time"], event["name"], event["id"], row.timestamp / 1000
                    found.setdefault(key, {}).setdefault(event["id"], happened)
        return {key: list(events.values()) for key, events in found.items()}

    def faults(self) -> list[str]:
        found = []
        for key, events in self.events.items():
            if key in LINKED:  # what was heard where, and what counted there, hangs on what was read when
                continue
            looked = [id for _, name, id, _ in events if name == "Product Viewed"]
            found += [self._missing("looked", key, id) for id in looked]
            silent = [play for play in self.plays.values() if play.after is not None]
            found += [self._last_silence(play, key, events) for play in silent]
        refused = [one for all in self.refolded.refused.values() for one in all]
        found += [self._needless(key, one) for key, one in refused if key not in LINKED]
        sent = [one for one in self.triggers.all if one.customer.encode() not in LINKED]
        found += [self._early(one) for one in sent if one.play in self.plays]
        return [fault for fault in found if fault] + self._ends()

    def _missing(self, play: str, key: bytes, occurrence: str) -> str:
        id = expected_id(play, key.decode(), occurrence)
        if id in self.triggers.ids or id in self.refolded.refused:
            return ""
        return f"occurrence: {play} of {key!r} for {occurrence} ({id}) was neither sent nor refused"

    def _last_silence(self, play: Play, key: bytes, events: list[Happened]) -> str:
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
                values = [row.value or b"" for row in self.checked.rows(CLICKSTREAM) if row.key == key]
                holds = any(b'"marketing": false' in value for value in values)
            case "cap" | "cooldown" | "judge" | "channel":
                holds = self._full(key, one, play)
            case "quiet":
                holds = self.checked.history.profile.quiet
            case _:
                holds = False
        return "" if holds else f"refusal: {one} of {key!r} does not hold"

    def _full(self, key: bytes, one: Refusal, play: Play) -> bool:
        """Whether a window around the refusing is full of what left, or was to leave until it was revoked."""
        left = {t.id: t for t in self.refolded.decided.values() if t.customer.encode() == key}
        left |= {t.id: t for t in self.triggers.of.get(key, ())}
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

    def _crowded(self, others: list[Trigger], at: float, end: float, caps: list[tuple[int, float]]) -> bool:
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
        events = self.events.get(one.customer.encode(), [])
        began = next((event for event in events if event[2] == one.occurrence), None)
        if began is None:
            return f"timer: {one.play} {one.id} was begun by {one.occurrence}, which is in no log"
        due = began[0] + play.after
        if one.decided < due:
            return f"timer: {one.play} {one.id} due {due} was fired at {one.decided}"
        for time, name, id, taken in events:
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
