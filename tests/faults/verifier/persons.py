"""One person is one person: each stretch of a log, each part that others hold of it, and what the person's view sees of
all of them, are the folds of exactly the events that are theirs.

Whose an event is, the graph says. The view is asked of the engine's own code (`whole`): it is what is judged here, not
who judges.
"""

import json
from collections import defaultdict
from typing import Any

import msgspec

from processors.persons import whole
from schemas.customer import Customer, decode_customer
from tests.faults.verifier.evidence import EVENTS, Evidence
from tests.faults.verifier.facts import Facts, Piece, Reference, stored, told
from tests.faults.verifier.findings import Findings
from tests.faults.verifier.graph import FEEDBACK

SOURCES = (*EVENTS, FEEDBACK)
TOMB = "\x00"
"""Begins the name of an owner who was erased."""
Held = dict[tuple[str, str], Facts]
"""(topic, path) -> facts of a part."""


def compared(evidence: Evidence, reference: Reference, id: str) -> bool:
    """Whether the graph alone tells what an id holds: not beside erasures, not where more links are than are kept."""
    return evidence.place(id.encode()) not in reference.touched and not any(map(reference.beyond, reference.circle(id)))


def check_stretches(
    reference: Reference, id: str, topic: str, pieces: list[Piece], state: Facts, found: Findings
) -> None:
    """What lies in the state of one log but for the stretch that goes on, and to whom all of it belongs."""
    side = state.get("identity", {}).get(topic, {})
    closed = [(one.get("at", 0), one.get("owner", ""), stored(one["facts"])) for one in side.get("closed", ())]
    wanted = [(piece.at, piece.owner, reference.folded(topic, piece.events, id)) for piece in pieces[:-1]]
    if closed != wanted:
        found.wrong("stretches differ from the log", f"{topic} of {id}: state {closed}, log {wanted}")
    if topic != FEEDBACK and (side.get("since", 0), side.get("owner", "")) != (pieces[-1].at, pieces[-1].owner):
        found.wrong("a log belongs to another than its links say", f"{topic} of {id}: {side}, wanted {pieces[-1]}")
    found.figures["stretches closed"] += len(closed)


def check_persons(evidence: Evidence, reference: Reference, found: Findings) -> None:
    """Parts held, and the facts of each person as a whole."""
    states = {key.decode(): value for slot in evidence.slots.values() for key, value in slot.customers.items()}
    parts, theirs = parts_of(evidence, reference), owned(reference)
    sizes = [len(circle) for circle in set(reference.circles.values())]
    found.figures["persons of several ids"] += sum(size > 1 for size in sizes)
    found.figures["ids of them"] += sum(size for size in sizes if size > 1)
    for id in sorted(states.keys() | parts.keys() | theirs.keys()):
        if not compared(evidence, reference, id):
            beside = evidence.place(id.encode()) in reference.touched
            found.figures[f"ids {'beside erasures' if beside else 'with too many links'}, not compared"] += 1
            continue
        value = states.get(id, b"{}")
        _check_held(reference, id, parts.get(id, {}), json.loads(value), found)
        _check_view(reference, id, decode_customer(value), theirs.get(id, {}), found)
        _check_silence(reference, id, json.loads(value), found)


def owned(reference: Reference) -> dict[str, dict[str, list[Facts]]]:
    """Person -> topic -> events that are theirs, whichever id they came by."""
    found: dict[str, dict[str, list[Facts]]] = defaultdict(lambda: defaultdict(list))
    for (_, key, topic), pieces in reference.pieces.items():
        for piece in pieces:
            if piece.events:
                owner = reference.graph.root(piece.owner) if piece.owner else key.decode()
                found[owner][topic] += piece.events
    return found


def parts_of(evidence: Evidence, reference: Reference) -> dict[str, Held]:
    """Id -> all that the logs of others say it must hold, and what it only passes on."""
    found: dict[str, Held] = defaultdict(dict)
    for (_, key, topic), pieces in reference.pieces.items():
        id = key.decode()
        for owner in {piece.owner for piece in pieces} - {""} if compared(evidence, reference, id) else ():
            events = [event for piece in pieces if piece.owner == owner for event in piece.events]
            path, above = [id], reference.graph.path(owner)
            for receiver in above if events else ():
                found[receiver][topic, "\n".join(path)] = reference.folded(topic, events, id)
                path.append(receiver)
    return found


def _check_held(reference: Reference, id: str, wanted: Held, state: Facts, found: Findings) -> None:
    """What came by each path is what its sender's log says, and the newest that ever came."""
    held: dict[tuple[str, str], Any] = {
        (topic, path): one
        for topic in SOURCES
        for path, one in state.get("identity", {}).get(topic, {}).get("held", {}).items()
    }
    found.figures["parts held"] += sum(bool(one.get("facts")) for one in held.values())
    for place in wanted.keys() | held.keys():
        have, log = told(held.get(place, {}).get("facts")), wanted.get(place, {})
        if have == log:
            continue
        kind = "a part held is not what its sender's log says" if log else "a part is held that is nobody's here"
        found.wrong(kind if have else "a part never came", f"{id} of {place}: {odd(have, log)}")
    newest: dict[tuple[str, str], list[int]] = {}
    for _, said in reference.parts.get(id.encode(), ()):
        if "belongings" not in said:
            place = said.get("topic", ""), "\n".join(said.get("path", ()))
            newest[place] = max(newest.get(place, [0, 0]), said.get("version", [0, 0]))
    versions = {place: list(one["version"]) for place, one in held.items()}
    if versions != newest:
        found.wrong("a part held is not the newest that came", f"{id}: {odd(versions, newest)}")


def _check_view(
    reference: Reference, id: str, customer: Customer, theirs: dict[str, list[Facts]], found: Findings
) -> None:
    """The facts a play, a policy or a segment is told of this id."""
    person = whole(customer)
    for topic in SOURCES:
        facts = getattr(person, topic)
        have = told(msgspec.json.decode(msgspec.json.encode(facts)) if facts else None)
        wanted = reference.folded(topic, theirs.get(topic, []), id)
        if have == wanted:
            continue
        more = have.get("events", 0) - wanted.get("events", 0)
        kind = "counts twice for a person, or is another's" if more > 0 else "is lost to its person"
        kind = f"an event {kind}" if more else "a person's facts differ"
        found.wrong(kind, f"{topic} of {id}: {odd(have, wanted)}")


def check_spread(evidence: Evidence, reference: Reference, found: Findings) -> None:
    """Of who was erased nothing is left at their other ids either."""
    erased, root = reference.graph.erased, reference.graph.root
    for key, value in ((key, value) for slot in evidence.slots.values() for key, value in slot.customers.items()):
        id, state = key.decode(), json.loads(value)
        if id in erased or evidence.place(key) not in reference.touched:
            continue
        left = [owner for owner, facts in _lying(state) if facts and (owner[:1] == TOMB or root(owner) in erased)]
        if root(id) in erased:
            found.figures["ids of the erased"] += 1
            sides = [state.get("identity", {}).get(topic, {}) for topic in SOURCES]
            left += [path for side in sides for path, one in side.get("held", {}).items() if told(one.get("facts"))]
            left += [
                *state.get("decisions", {}).get("waiting", {}),
                *(["feedback"] if told(state.get("feedback")) else []),
            ]
        if left:
            found.wrong("something is left at another id of an erased customer", f"{id}: {left}")


def _lying(state: Facts) -> list[tuple[str, Facts]]:
    """(owner, facts) of all stretches that belong to others."""
    found = []
    for topic in EVENTS:
        side = state.get("identity", {}).get(topic, {})
        found += [(one.get("owner", ""), told(one["facts"])) for one in side.get("closed", ())]
        found += [(side.get("owner", ""), told(state.get(topic)))]
    return [(owner, facts) for owner, facts in found if owner]


def _check_silence(reference: Reference, id: str, state: Facts, found: Findings) -> None:
    """Who belongs to another decides nothing: no silence waits there."""
    owner = reference.graph.homes.get(id, "")
    if state.get("identity", {}).get("owner", "") != owner:
        found.wrong("an id belongs to another than its links say", f"{id}: wanted {owner}, got {state['identity']}")
    if owner and (waiting := state.get("decisions", {}).get("waiting")):
        found.wrong("a silence waits at an id that belongs to another", f"{id}: {waiting}")


def odd(have: dict[Any, Any], wanted: dict[Any, Any]) -> dict[Any, Any]:
    """Where two differ."""
    names = [name for name in {**have, **wanted} if have.get(name) != wanted.get(name)]
    return {name: {"state": have.get(name), "log": wanted.get(name)} for name in names}
