"""What is promised of a person across partitions.

Who is named is linked, each event is heard once, and what one id sent counts at its owner.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from processors.markers import digest
from schemas.customer import Customer
from schemas.playbook import Cap
from schemas.topics import EVENTS, PARTS
from tests.faults.sim.kinship import Kinship, Left, left_of

if TYPE_CHECKING:
    from tests.faults.sim.checker import Checked
    from tests.faults.sim.history import History


def across(history: "History", kinship: Kinship, customers: dict[str, Customer]) -> list[str]:
    """Every fault."""
    caps = next(iter(history.folds.values())).playbook.policies.caps
    margin = 2 * history.profile.clock_bound
    found = [*linked(kinship), *heard(kinship), *remembered(kinship, customers)]
    tell(history, kinship, customers)
    return found + [fault for one in kinship.everywhere for fault in over(one, kinship, caps, margin)]


def tell(history: "History", kinship: Kinship, customers: dict[str, Customer]) -> None:
    """Count what this history met."""
    history.count("parts", len(kinship.parts))
    history.count("parts passed on", sum(len(part.path) > 1 for _, _, part in kinship.parts))
    history.count("splits", len(kinship.split))
    identities = [one.identity for one in customers.values() if one.identity]
    sides = [side for one in identities for side in (one.clickstream, one.cart, one.pos) if side]
    history.count("stretches cut", sum(len(side.closed) for side in sides))
    history.count("chains", sum(bool(id and kinship.graph.homes.get(id)) for id in kinship.graph.homes.values()))


def linked(kinship: Kinship) -> list[str]:
    """The first event of a log that names another id put a marker into each log of that one."""
    found, known = [], set[tuple[str, str, str]]()
    for said in kinship.said():
        for other in said.named:
            if (said.topic, said.id, other) not in known:
                known.add((said.topic, said.id, other))
                marker = digest(said.event, other, said.id)
                logs = [topic for topic in (*EVENTS, PARTS) if (topic, other, marker) not in kinship.markers]
                found += [f"linked: {said}, not told to {logs} of {other}"] if logs else []
    return found


def heard(kinship: Kinship) -> list[str]:
    """Each event is heard once, and where the logs say."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for one in kinship.everywhere:
        for (key, event), count in one.refolded.heard.items():
            found[event][key.decode()] += count
    return [
        f"heard: {said}, wanted at {place or 'whom it was told'}, got {dict(found[said.event])}"
        for said in kinship.said()
        if found[said.event] != {(place := kinship.place(said)): 1}
    ]


def remembered(kinship: Kinship, customers: dict[str, Customer]) -> list[str]:
    """What an id sent counts at its owner: without that, a person's caps are those of each id."""
    found = []
    visible = [one for part in kinship.everywhere for one in part.triggers.all]
    for id, owner in kinship.graph.homes.items():
        if owner and id.encode() not in kinship.gone:
            theirs = {one.id for one in visible if one.customer == id} | of_others(customers.get(id))
            if missing := theirs - of_others(customers.get(owner)) - own(customers.get(owner)):
                found.append(f"told: {owner} does not know that {id} sent {sorted(missing)}")
    return found


def own(customer: Customer | None) -> set[str]:
    """Ids of the triggers it sent."""
    return {one.id for one in customer.decisions.sent} if customer and customer.decisions else set()


def of_others(customer: Customer | None) -> set[str]:
    """Ids of the triggers that were sent by those that belong to it."""
    return {one.id for one in customer.identity.sent} if customer and customer.identity else set()


def over(part: "Checked", kinship: Kinship, caps: Iterable[Cap], margin: float) -> list[str]:
    """Triggers that break a cap of the person by what was known when they were decided: what other ids had sent and
    was read, what had left in a lost history and was read back, what this history had decided before."""
    found = []
    decided, revoked = part.refolded.decided, part.refolded.revoked
    for id, (parts, triggers, earlier) in part.refolded.knew.items():
        one = decided[id]
        known = kinship.heard_of({one.customer}, parts)
        if not known or one.customer.encode() in kinship.gone:
            continue
        known |= {other: left_of(decided[other]) for other in earlier if other not in revoked}
        back = zip(part.triggers.rows, part.triggers.all, strict=True)  # of two decided times Kafka's is what happened
        known |= {t.id: left_of(t) for row, t in back if row.offset < triggers and t.customer == one.customer}
        for cap in caps:
            if crowded(cap, left_of(one), [other for other in known.values() if other.id != id], margin):
                found.append(f"cap of a person: {one} is one too many for {cap}, known were {known}")
    return found


def crowded(cap: Cap, one: Left, others: list[Left], margin: float) -> bool:
    """Whether a window that holds `one` holds too much."""
    alike = [one, *(other for other in others if cap.per == "customer" or other.channel == one.channel)]
    windows = [(first.decided, first.expires + cap.within + margin) for first in alike]
    held = (sum(start <= each.decided < end for each in alike) for start, end in windows if start <= one.decided < end)
    return max(held) > cap.most
