"""Where everybody stands: each person in one leaf and stage, ids that belong to others in none, as the books say."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from schemas.customer import Customer, Decisions, decode_customer
from schemas.topics import CART, EVENTS, POS
from tests.faults.sim.kinship import Kinship

if TYPE_CHECKING:
    from tests.faults.sim.history import History

Events = dict[str, dict[str, list[dict[str, Any]]]]
"""Topic -> person -> their events."""


def standing(history: "History", kinship: Kinship, customers: dict[str, Customer], events: Events) -> list[str]:
    """Every fault; none are looked for where the playbook has neither segments nor stages."""
    if not next(iter(history.folds.values())).standing.needed:
        return []
    found = []
    for id, customer in customers.items():
        if id.encode() in kinship.gone or kinship.torn(id):
            continue
        decisions = customer.decisions or Decisions()
        got = decisions.segment, decisions.stage
        if got != (wanted := expected(id, kinship, events)):
            found.append(f"standing: {id} wanted in {wanted}, got {got}")
    return found + books(kinship)


def expected(id: str, kinship: Kinship, events: Events) -> tuple[str, str]:
    """Leaf and stage of an id at rest: silence has ended every stage but the first."""
    if kinship.graph.homes.get(id) or not any(events[topic].get(id) for topic in EVENTS):
        return "", ""
    orders = [event for event in events[POS].get(id, ()) if event["name"] == "Order Completed"]
    added = [event for event in events[CART].get(id, ()) if event["name"] == "Product Added"]
    return "loyal" if len(orders) >= 2 else "busy" if len(added) >= 3 else "others", "new"


def books(kinship: Kinship) -> list[str]:
    """How many stand where."""
    found = []
    for one in kinship.everywhere:
        stand = Counter[str]()
        for customer in map(decode_customer, one.customers.values()):
            if decisions := customer.decisions:
                stand.update([f"segment:{decisions.segment}"] if decisions.segment else ())
                stand.update([f"stage:{decisions.stage}"] if decisions.stage else ())
        booked = {name: n for name, n in one.counts.items() if name.startswith(("segment:", "stage:")) and n}
        if booked != dict(stand):
            found.append(f"books: {booked} stand where, counted {dict(stand)}")
    return found
