"""One person is one person: the facts of all ids together are those of all events that are theirs.

Whose an event is, is told from the logs as they are in the end (`tests.faults.verifier.graph`): no stretches, no parts.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from processors.persons import whole
from schemas.customer import Customer, decode_customer
from schemas.topics import EVENTS, FEEDBACK, PARTS, partition_of
from tests.faults.sim import facts
from tests.faults.sim.across import across
from tests.faults.sim.kinship import Kinship
from tests.faults.sim.standing import standing
from tests.faults.verifier.fold import fold, plain
from tests.processors.builders import Logged

if TYPE_CHECKING:
    from tests.faults.sim.history import History


def persons(history: "History", kinship: Kinship) -> list[str]:
    """Every fault."""
    customers = {
        key.decode(errors="replace"): decode_customer(value)
        for one in kinship.everywhere
        for key, value in one.customers.items()
    }
    graph, found = kinship.graph, []
    theirs = {topic: graph.events(topic) for topic in EVENTS}
    for topic, events in theirs.items():
        for id in customers.keys() | events.keys():
            told = shown(customers.get(id, Customer()), topic)
            mine = events.get(id, [])
            wanted = plain(fold(topic, mine, id, history.kept)) if mine else {}
            if told != wanted:
                found.append(f"persons: {topic} of {id}: wanted {wanted}, got {told}")
    found += [fault for id, one in customers.items() if kinship.left_with(id) for fault in left(id, one)]
    return found + across(history, kinship, customers) + standing(history, kinship, customers, theirs)


def left(id: str, customer: Customer) -> list[str]:
    """What there is of one who belongs to somebody erased, and to nobody else."""
    told = [facts for topic in (*EVENTS, FEEDBACK) if (facts := getattr(customer, topic)) and facts.events]
    return [f"erased: {id} has {told} and {customer.decisions}"] if told or customer.decisions else []


def shown(customer: Customer, topic: str) -> dict[str, Any]:
    """The facts as a view has them."""
    told = getattr(whole(customer), topic)
    said = msgspec.json.decode(msgspec.json.encode(told)) if told else {}
    return {name: value for name, value in plain(said).items() if name not in ("next", "seen")}


def logs(history: "History") -> dict[tuple[str, int], list[Logged]]:
    """What can be read, as a read_committed reader sees it."""
    partitions = history.profile.partitions
    return {
        (topic, p): [
            Logged(topic, row.key, row.value, row.offset, row.timestamp)
            for row in history.broker.logs[topic, p].committed()
            if facts.said(row, topic) is not None and partition_of(row.key or b"", partitions) == p
        ]
        for topic in (*EVENTS, FEEDBACK, PARTS)
        for p in range(partitions)
    }
