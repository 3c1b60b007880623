"""What the ids of one person sent counts together: from the moment when one was told of it by another."""

import json
from collections.abc import Mapping

from tests.faults.verifier.evidence import Evidence
from tests.faults.verifier.facts import Reference
from tests.faults.verifier.findings import Findings
from tests.faults.verifier.graph import PARTS
from tests.faults.verifier.plays import Book, Cap
from tests.faults.verifier.promises import Outcome, Trigger
from tests.faults.verifier.turns import Chain


def check_known(evidence: Evidence, reference: Reference, outcome: Outcome, found: Findings) -> None:
    """A person knows of all that was sent, by whichever of their ids."""
    for who, triggers in outcome.by_customer.items():
        person = reference.graph.root(who[1].decode())
        if who in reference.touched:
            continue
        partition, key = evidence.place(person.encode())
        state = json.loads(evidence.slots[partition].customers.get(key, b"{}"))
        sent = [*state.get("decisions", {}).get("sent", ()), *state.get("identity", {}).get("sent", ())]
        for id in {trigger["id"] for trigger in triggers} - {one["id"] for one in sent}:
            found.wrong("sent, and its person does not know", f"{person}: {outcome.visible[id]}")
        found.figures["triggers of ids that belong to others"] += len(triggers) if key != who[1] else 0


def check_joint_caps(
    evidence: Evidence,
    book: Book,
    reference: Reference,
    outcome: Outcome,
    chains: Mapping[int, Chain],
    found: Findings,
) -> None:
    """No window around a decision holds more than a cap allows, of what that id had sent till then and of what it had
    been told that others sent. How far it had read is told by the turn that decided."""
    reads = {partition: _reads(evidence, partition, chain) for partition, chain in chains.items()}
    for who, triggers in outcome.by_customer.items():
        told = reference.joined(who[1].decode()) if who not in reference.touched else []
        for one in triggers if told else ():
            at = reads[who[0]].get(one["decided"])
            if at is None:
                found.figures["triggers decided in lost turns, caps of their id only"] += 1
                continue
            known = {sent["id"]: sent for offset, _, sent in told if offset < at and sent["id"] in outcome.visible}
            own = {sent["id"]: sent for sent in triggers if sent["decided"] <= one["decided"]}
            found.figures["decisions under caps of several ids"] += bool(known.keys() - own.keys())
            for cap in book.caps:
                _within(cap, one, [*(known | own).values()], who[1], found)


def _reads(evidence: Evidence, partition: int, chain: Chain) -> dict[float, int]:
    """When a turn was -> up to where `parts` had been read before it."""
    at, found = evidence.log(PARTS, partition).first, dict[float, int]()
    for turn in chain.turns:
        found.setdefault(turn.now, at)
        at = turn.ranges.get(PARTS, (at, at))[1]
    return found


def _within(cap: Cap, one: Trigger, sent: list[Trigger], key: bytes, found: Findings) -> None:
    times = sorted(other["decided"] for other in sent if cap.alike(one, other))
    for start in times:
        window = [time for time in times if start <= time < start + cap.within]
        if one["decided"] in window and len(window) > cap.most:
            found.wrong("cap of a person exceeded", f"{key!r} {cap}: {window} at {one['decided']}")
            return
