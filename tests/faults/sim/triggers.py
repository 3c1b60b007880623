"""What left the house, as who reads `triggers` with read_committed sees it: ids, contents, caps."""

from collections import defaultdict
from hashlib import blake2b
from typing import TYPE_CHECKING

from schemas.playbook import Cap
from schemas.trigger import Trigger, decode_trigger
from tests.faults.sim.kafka import Row
from tests.faults.sim.playbooks import APP

if TYPE_CHECKING:
    from tests.faults.sim.history import History


class Triggers:
    """The visible triggers of one partition."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = [row for row in rows if row.transaction is not None]  # others are a stranger's rubbish
        self.all = [decode_trigger(row.value or b"") for row in self.rows]
        self.of: dict[bytes, list[Trigger]] = defaultdict(list)
        for trigger in self.all:
            self.of[trigger.customer.encode()].append(trigger)
        self.ids = {trigger.id for trigger in self.all}

    def faults(self, history: "History") -> list[str]:
        found = self._ids()
        playbook, margin = next(iter(history.folds.values())).playbook, 2 * history.profile.clock_bound
        cooled = [(p.id, Cap(per="play", most=1, within=p.cooldown)) for p in playbook.plays if p.cooldown]
        for key, sent in self.of.items():
            for cap in playbook.policies.caps:
                for group, some in grouped(cap.per, sent).items():
                    found += over(key, cap, group, some, margin)
            for id, cap in cooled:
                found += over(key, cap, id, [one for one in sent if one.play == id], margin)
        return found + self._receipts(history)

    def _ids(self) -> list[str]:
        """Each id once, and the same in every history."""
        found: list[str] = []
        contents: dict[str, bytes] = {}
        occurrences: dict[tuple[str, str, str], str] = {}
        for row, one in zip(self.rows, self.all, strict=True):
            if one.id in contents:
                kind = "id repeated" if contents[one.id] == row.value else "two contents"
                found.append(f"{kind}: {one.id} of {one.customer} at {row.offset}")
            contents[one.id] = row.value or b""
            about = one.play, one.customer, one.occurrence
            if occurrences.setdefault(about, one.id) != one.id:
                found.append(f"two ids: {about} is {one.id} and {occurrences[about]}")
            if one.id != expected_id(*about) or row.key != one.customer.encode():
                found.append(f"id: wanted {expected_id(*about)} for {about}, got {one.id}")
        return found

    def _receipts(self, history: "History") -> list[str]:
        """Caps by the time of receiving: senders drop what has expired, by a clock of their own."""
        found: list[str] = []
        playbook, bound = next(iter(history.folds.values())).playbook, history.profile.clock_bound
        received = [(row.timestamp / 1000, one) for row, one in zip(self.rows, self.all, strict=True)]
        kept = [(at, one) for at, one in received if at < one.expires + bound / 2]
        for cap in playbook.policies.caps:
            for key in self.of:
                for group, some in grouped(cap.per, [one for _, one in kept if one.customer.encode() == key]).items():
                    ids = {one.id for one in some}
                    times = sorted(at for at, one in kept if one.id in ids)
                    if (most := max(sum(t <= at < t + cap.within for at in times) for t in times)) > cap.most:
                        found.append(f"cap received: {key!r} {group}: {most} in {cap.within} s")
        return found


def grouped(per: str, sent: list[Trigger]) -> dict[str, list[Trigger]]:
    """What a cap counts together."""
    groups: dict[str, list[Trigger]] = defaultdict(list)
    for one in sent:
        groups[one.channel if per == "channel" else "all"].append(one)
    return groups


def over(key: bytes, cap: Cap, group: str, sent: list[Trigger], margin: float) -> list[str]:
    """Windows that hold too much: each begins with a trigger, and is longer by what that one may lie unsent."""
    for first in sent:
        end = first.expires + cap.within + margin
        inside = sorted({(one.decided, one.id) for one in sent if first.decided <= one.decided < end})
        if len(inside) > cap.most:
            return [f"cap: {key!r} {cap.per} {group}: {inside} in {end - first.decided:.1f} s, wanted {cap.most}"]
    return []


def expected_id(play: str, customer: str, occurrence: str) -> str:
    framed = b""
    for part in (APP, play, customer, occurrence):
        data = part.encode()
        framed += str(len(data)).encode() + b":" + data
    return blake2b(framed, digest_size=12).hexdigest()
