"""What must be true of what left the house: ids, caps, occurrences, timers. From the logs and the refusals kept."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults.verifier.evidence import EVENTS, Evidence
from tests.faults.verifier.facts import Reference
from tests.faults.verifier.findings import Findings
from tests.faults.verifier.plays import Book, Cap, id_of

KEPT = 20
"""Refusals a customer keeps."""

Who = tuple[int, bytes]
Trigger = dict[str, Any]


@dataclass
class Outcome:
    """All that is known of what left and what did not."""

    visible: dict[str, Trigger] = field(default_factory=dict)
    """Id -> the trigger, with `appended`: when the log took it in, seconds."""
    by_customer: dict[Who, list[Trigger]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[str, Trigger] = field(default_factory=dict)
    """Id -> the refusal, from the customers."""
    full: set[Who] = field(default_factory=set)
    """Customers whose list of refusals is full: older ones are gone."""
    waiting: dict[Who, dict[str, Trigger]] = field(default_factory=dict)
    looks: dict[Who, float] = field(default_factory=dict)
    """When segment or stage want looking at."""


def look(evidence: Evidence, found: Findings) -> Outcome:
    """Collect, and check what can be told of each trigger alone."""
    outcome = Outcome()
    contents: dict[str, bytes | None] = {}
    for partition, entry in evidence.entries("triggers"):
        try:
            trigger = json.loads(entry.value or b"")
            id, who = trigger["id"], (partition, entry.key or b"")
        except (ValueError, TypeError, KeyError):
            found.wrong("trigger nobody can read", f"triggers/{partition}/{entry.offset}")
            continue
        if id in contents:
            same = contents[id] == entry.value
            found.wrong("id visible twice" if same else "one id, two contents", f"{id} at {partition}/{entry.offset}")
            continue
        contents[id] = entry.value
        outcome.visible[id] = trigger | {"appended": entry.time / 1000.0}
        outcome.by_customer[who].append(outcome.visible[id])
        _own_words(evidence, who, trigger, dict(entry.headers), found)
    for partition, slot in evidence.slots.items():
        for key, blob in slot.customers.items():
            _keep_decisions(outcome, (partition, key), json.loads(blob).get("decisions", {}))
    found.figures["triggers"] = len(outcome.visible)
    found.figures["refusals kept"] = len(outcome.refused)
    return outcome


def _own_words(evidence: Evidence, who: Who, trigger: Trigger, headers: Mapping[str, bytes], found: Findings) -> None:
    id, customer = trigger["id"], trigger["customer"].encode()
    if id != id_of(evidence.app, trigger["play"], customer, trigger["occurrence"]):
        found.wrong("trigger id is not that of its occurrence", trigger)
    if customer != who[1]:
        found.wrong("trigger lies under another customer's key", trigger)
    if headers.get("ce_id", b"").decode() != id:
        found.wrong("trigger's header has another id", f"{headers} {id}")


def _keep_decisions(outcome: Outcome, who: Who, decisions: Mapping[str, Any]) -> None:
    refused = decisions.get("refused", [])
    for refusal in refused:
        outcome.refused[refusal["id"]] = refusal | {"who": who}
    if len(refused) >= KEPT:
        outcome.full.add(who)
    if decisions.get("waiting"):
        outcome.waiting[who] = decisions["waiting"]
    if decisions.get("look"):
        outcome.looks[who] = decisions["look"]


# -- caps


def check_caps(book: Book, outcome: Outcome, found: Findings) -> None:
    """No window holds more than a cap allows: by decided time, and by when the log took them in, the expired left out,
    for no sender sends those."""
    for who, triggers in outcome.by_customer.items():
        for cap in book.caps:
            _within(cap, triggers, "decided", who, found)
            _within(cap, [t for t in triggers if t["appended"] <= t["expires"]], "appended", who, found)


def _within(cap: Cap, triggers: list[Trigger], time: str, who: Who, found: Findings) -> None:
    for one in triggers:
        window = [t for t in triggers if cap.alike(one, t) and one[time] <= t[time] < one[time] + cap.within]
        if len(window) > cap.most:
            times = sorted(t[time] for t in window)
            found.wrong(f"cap exceeded by {time} time", f"{who} {cap}: {times}")


# -- timers


def check_timers(evidence: Evidence, outcome: Outcome, found: Findings) -> None:
    """Every timer armed is fired, cancelled or waiting; the list of timers is what the customers say; none is late."""
    for partition, slot in evidence.slots.items():
        counts = {name: int(slot.meta.get(f"count:timer:{name}", 0)) for name in ("armed", "fired", "cancelled")}
        mine = {who: waiting for who, waiting in outcome.waiting.items() if who[0] == partition}
        pending = sum(len(waiting) for waiting in mine.values())
        found.figures.update({f"timers {name}": count for name, count in counts.items() if name != "fired"})
        found.figures["timers pending"] += pending
        if counts["armed"] != counts["fired"] + counts["cancelled"] + pending:
            found.wrong("timers do not add up", f"partition {partition}: {counts}, {pending} wait")
        due = {who[1]: min(one["due"] for one in waiting.values()) for who, waiting in mine.items()}
        for (number, key), look in outcome.looks.items():
            if number == partition:
                due[key] = min(look, due.get(key, look))
        if due != slot.timers:
            odd = sorted(due.items() ^ slot.timers.items())
            found.wrong("list of timers is not what customers say", f"partition {partition}: {odd[:3]}")
        for key, when in due.items():
            if when < evidence.now - 5.0:
                found.wrong("timer overdue", f"partition {partition}, {key!r}: due {when}, now {evidence.now}")


def check_ledger(evidence: Evidence, reference: Reference, found: Findings) -> None:
    """What was answered 200 is in Kafka: as a record of an input, or as a dead letter of the collector."""
    there = set(reference.ids)
    for _, entry in evidence.entries("dead-letters"):
        if dict(entry.headers).get("place") == b"http":
            there |= ids_in(entry.value)
    for topic in (*EVENTS, "feedback"):
        for _, entry in evidence.entries(topic):
            there |= ids_in(entry.value)
    missing = evidence.answered.keys() - there
    found.figures["answered"] = len(evidence.answered)
    shredded = sum(len(log.shredded) for log in evidence.logs.values())
    found.figures["records nobody can read any more"] = shredded
    if evidence.keyless:
        found.wrong("a record is sealed with a key nobody has", evidence.keyless[0], len(evidence.keyless))
    if len(missing) > shredded:  # else it may have been one of those
        found.wrong("answered 200 and not in Kafka", min(missing), len(missing))


def ids_in(value: bytes | None) -> set[str]:
    """The message id of a record nobody else could read."""
    try:
        said = json.loads(value or b"")
    except ValueError:
        return set()
    return {said[name] for name in ("id", "messageId") if isinstance(said, dict) and isinstance(said.get(name), str)}
