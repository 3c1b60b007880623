"""All checks over the evidence, in one screen."""

import json
from collections import Counter
from typing import Any

from tests.faults.verifier import promises
from tests.faults.verifier.again import fold_again
from tests.faults.verifier.evidence import DEAD, Evidence, families
from tests.faults.verifier.facts import Facts, Reference, stored
from tests.faults.verifier.findings import Findings
from tests.faults.verifier.graph import PARTS
from tests.faults.verifier.joint import check_joint_caps, check_known
from tests.faults.verifier.occurrences import check_occurrences
from tests.faults.verifier.persons import SOURCES, check_persons, check_spread, check_stretches, odd
from tests.faults.verifier.plays import read_book
from tests.faults.verifier.turns import Chain, check_books, counted, follow, starts_of

FORGOTTEN = -1.0
"""Decided time of a trigger whose customer was erased: nobody knows it any more."""


def check(evidence: Evidence, *, whole: bool = True) -> Findings:
    """Every invariant. `whole`: the logs hold all that ever was in them; else nothing is said of what is gone."""
    found = Findings()
    reference = Reference(evidence)
    found.figures["records"] = sum(len(evidence.log(t, p).entries) for t in SOURCES for p in range(evidence.partitions))
    found.figures["customers"] = len(reference.customers)
    found.figures["applied"] = sum(reference.applied.values())
    found.figures["duplicates"] = sum(reference.duplicates.values())
    if whole:
        promises.check_ledger(evidence, reference, found)
    refolded: dict[str, Any] = {}
    chains: dict[int, Chain] = {}
    for partition in range(evidence.partitions):
        if not evidence.slots[partition].meta:
            found.wrong("partition without a state", partition)
            continue
        chain = chains[partition] = follow(evidence, partition, starts_of(evidence, partition), found)
        check_books(evidence, partition, found)
        check_facts(evidence, partition, reference, found)
        check_counts(evidence, partition, reference, found)
        refolded |= fold_again(evidence, partition, chain, found).refused
    check_families(evidence, found)
    check_dead_letters(evidence, reference, whole, found)
    outcome = promises.look(evidence, found)
    check_decided(evidence, outcome, found)
    check_sent(evidence, outcome, found)
    check_erased(evidence, reference, found)
    if evidence.current:
        book = read_book(evidence.playbooks[evidence.current])
        promises.check_caps(book, outcome, found)
    if evidence.current and whole:
        check_occurrences(evidence, book, reference, outcome, refolded, found)
        check_joint_caps(evidence, book, reference, outcome, chains, found)
    if whole:
        check_persons(evidence, reference, found)
        check_known(evidence, reference, outcome, found)
    promises.check_timers(evidence, outcome, found)
    return found


def check_families(evidence: Evidence, found: Findings) -> None:
    """All partitions keep the same families of facts."""
    for partition, slot in evidence.slots.items():
        if slot.meta and families(slot.meta) != evidence.kept:
            found.wrong("slots keep different facts", f"partition {partition}: {slot.meta['facts']!r}")


def check_facts(evidence: Evidence, partition: int, reference: Reference, found: Findings) -> None:
    """The state's facts are the fold of the log, exactly."""
    wanted = dict(reference.of_partition(partition))
    states = {key: json.loads(value) for key, value in evidence.slots[partition].customers.items()}
    for key in wanted.keys() | states.keys():
        state, facts = states.get(key), wanted.get(key, {})
        if state is None:
            found.wrong("customer is not in the state", f"partition {partition}: {key!r}")
            continue
        for topic in SOURCES:
            if (topic in state) != (topic in facts):
                found.wrong(f"facts of {topic} differ", f"{key!r}: in the {'state' if topic in state else 'log'} only")
            elif (partition, key) in reference.touched:
                found.figures["logs beside erasures, not compared"] += topic in state
            elif topic in state and reference.beyond(key.decode()):
                found.figures["logs with too many links, not compared"] += 1
            elif topic in state:
                check_stretches(reference, key.decode(), topic, reference.pieces[partition, key, topic], state, found)
                _check_going(key, topic, stored(state[topic]), facts[topic], found)


def _check_going(key: bytes, topic: str, have: Facts, wanted: Facts, found: Findings) -> None:
    """The facts of the stretch that goes on."""
    if have == wanted:
        return
    more = have.get("events", 0) - wanted.get("events", 0)
    kind = "a messageId was applied twice, or invented" if more > 0 else "an event was lost" if more else "facts differ"
    found.wrong(kind, f"{topic} of {key!r}: {odd(have, wanted)}")


def check_counts(evidence: Evidence, partition: int, reference: Reference, found: Findings) -> None:
    """Records in = applied + duplicate + dead-lettered + erased, each as the log says."""
    for topic in (*SOURCES, PARTS):
        dead = sum(t == topic and p == partition for t, p, _ in reference.dead)
        wanted = {
            "applied": reference.applied[topic, partition],
            "duplicate": reference.duplicates[topic, partition],
            "dead_lettered": dead,
        }
        have = {what: counted(evidence, f"{what}:{topic}", partition) for what in wanted}
        erased = counted(evidence, f"erased:{topic}", partition)
        if any(number == partition for number, _ in reference.touched):
            found.figures["logs beside erasures, counted by their sum"] += 1
            have_dead = have["dead_lettered"]
            if have_dead != dead:
                found.wrong("counters differ from the log", f"{topic}-{partition}: {have_dead} dead, wanted {dead}")
        elif have != wanted:
            found.wrong("counters differ from the log", f"{topic}-{partition}: counted {have}, in the log {wanted}")
        log = evidence.log(topic, partition)
        records = len(log.entries) + len(log.shredded)
        if records != sum(have.values()) + erased:
            found.wrong("records in are not all accounted for", f"{topic}-{partition}: {records} in, {have}, {erased}")


def check_decided(evidence: Evidence, outcome: promises.Outcome, found: Findings) -> None:
    """What the slots counted as triggers is what left."""
    left = Counter((who[0], one["play"]) for who, triggers in outcome.by_customer.items() for one in triggers)
    for (partition, play), number in left.items():
        if (have := counted(evidence, f"trigger:{play}", partition)) != number:
            found.wrong("triggers counted differ from the log", f"{play}-{partition}: {have}, in the log {number}")


def check_dead_letters(evidence: Evidence, reference: Reference, whole: bool, found: Findings) -> None:
    """The dead letters are just the records nobody can fold, bytes as they were. One may come twice: it has a place."""
    wanted = {f"{topic}/{p}/{offset}": which for (topic, p, offset), which in reference.dead.items()}
    there: set[str] = set()
    for _, entry in evidence.entries(DEAD):
        headers = {name: value.decode(errors="replace") for name, value in entry.headers}
        place = headers.get("place", "")
        if place == "http":
            found.figures["dead letters of the collector"] += 1
            continue
        found.figures["dead letters repeated"] += place in there
        there.add(place)
        if not whole:
            continue  # another record may have lain in this place
        if place not in wanted:
            found.wrong("dead letter of a good record", headers)
            continue
        reason, record = wanted[place]
        if (entry.key, entry.value) != (record.key, record.value):
            found.wrong("dead letter with other bytes", headers)
        if headers.get("reason") != reason:
            found.wrong("dead letter for another reason", f"wanted {reason}: {headers}")
    for place in wanted.keys() - there:
        found.wrong("bad record without a dead letter", f"{place}: {wanted[place]}")
    found.figures["dead letters"] = len(there)


def check_erased(evidence: Evidence, reference: Reference, found: Findings) -> None:
    """Of who was erased nothing is left but that, and ids of triggers; no timer waits."""
    found.figures["erased"] += len(reference.erased)
    for partition, key in reference.erased:
        slot = evidence.slots[partition]
        state = json.loads(slot.customers.get(key, b"{}"))
        if "erased" not in state or state.keys() - {"erased", "forgotten"}:
            found.wrong("something is left of an erased customer", f"partition {partition}: {key!r} {state}")
        if left := [name for name, word in evidence.keys.items() if of(name) == key and "wrapped" in word]:
            found.wrong("a key of an erased customer is left", f"{left}")
        if key in slot.timers:
            found.wrong("a timer waits for an erased customer", f"partition {partition}: {key!r}")
    check_spread(evidence, reference, found)


def of(name: bytes) -> bytes:
    """Whose key this is."""
    return name.partition(b"\x00")[0]


def check_sent(evidence: Evidence, outcome: promises.Outcome, found: Findings) -> None:
    """What is visible is remembered as sent, with Kafka's decided time; nothing else is."""
    remembered: dict[str, float] = {}
    for slot in evidence.slots.values():
        for blob in slot.customers.values():
            remembered |= dict.fromkeys(json.loads(blob).get("forgotten", {}), FORGOTTEN)
            for one in json.loads(blob).get("decisions", {}).get("sent", []):
                remembered[one["id"]] = one["decided"]
    visible = {id: trigger["decided"] for id, trigger in outcome.visible.items()}
    for id in visible.keys() - remembered.keys():
        found.wrong("sent and not remembered", outcome.visible[id])
    for id in remembered.keys() - visible.keys():
        found.wrong("remembered as sent and never visible", id)
    for id in visible.keys() & remembered.keys():
        if remembered[id] not in (visible[id], FORGOTTEN):
            found.wrong("remembered with another time", f"{id}: {remembered[id]}, in Kafka {visible[id]}")
