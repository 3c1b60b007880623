"""Whatever comes when, whatever is repeated and whichever side goes back in time: one person is one person."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from processors.owners import gone
from processors.persons import whole
from processors.view import View
from schemas.customer import Customer, Decisions
from schemas.event import ADDED, IDENTIFIED, ORDERED, PRODUCT_VIEWED, SEARCHED, Event
from schemas.identity import Link
from schemas.topics import CART, CLICKSTREAM, EVENTS, FEEDBACK, INPUTS, POS, TRIGGERS
from schemas.trigger import Feedback, decode_trigger, encode_feedback
from tests.processors import reference
from tests.processors.builders import START, Logged, added, decider, happened, ordered, play, viewed
from tests.processors.estate import Estate, Kept
from tests.processors.graph import Graph

USERS, CARDS, PHONES = ["ann", "bob", "cid"], ["1"], ["x", "y"]
IDS = [*USERS, *(f"card:{card}" for card in CARDS), *PHONES]
EVERY = play("every", on=[PRODUCT_VIEWED, ADDED, ORDERED, SEARCHED], expires="7d", channels=["web", "push", "email"])
LATER = play("later", on=[ADDED], after="45m", unless=[ORDERED])
PARTITIONS = 3
FACTS = (*EVENTS, FEEDBACK)

ids, users, partitions = st.sampled_from(IDS), st.sampled_from(USERS), st.integers(0, PARTITIONS - 1)
few = st.integers(1, 4)


class Lives(RuleBasedStateMachine):
    """Customers with several ids, three partitions, and all that may go wrong between them."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[str, set[str]] = defaultdict(set)
        occurrence = {"every": lambda view: view.event.id, "later": lambda view: view.event.id}
        limits = {"limits": {"anonymous": {"most": 2, "within": "400d"}}}
        fold = decider(EVERY, LATER, when={"every": self.hear}, occurrence=occurrence, identity=limits)
        self.estate = Estate(fold, PARTITIONS)
        self.sent: list[Logged] = []
        self.saved: list[Kept | None] = [None] * PARTITIONS
        self.number = 0
        self.erased: set[str] = set()

    def hear(self, view: View) -> bool:
        self.heard[view.event.id].add(view.customer.id)
        return True

    def moment(self) -> tuple[str, float]:
        """An id and a time of its own, in no order."""
        self.number += 1
        return f"m{self.number}", float(self.number * 7919 % 10007)

    def put(self, record: Logged) -> None:
        self.sent.append(record)
        self.estate.put(record)

    # -- what customers do

    @rule(who=ids, what=st.sampled_from(["boots", "hat"]), kind=st.sampled_from("vvaosf"))
    def act(self, who: str, what: str, kind: str) -> None:
        id, at = self.moment()
        match kind:
            case "v":
                self.put(viewed(who, what, at=at, id=id, session=f"s{id}"))
            case "a":
                self.put(added(who, what, at=at, id=id, currency="EUR"))
            case "o":
                self.put(ordered(who, what, at=at, id=id, till=at > 5000, currency="EUR"))
            case "s":
                self.put(happened(who, SEARCHED, at=at, id=id, session=f"s{id}", channel="app"))
            case "f":
                said = Feedback(id, "trigger", "clicked", START + at, "push")
                self.put(Logged(FEEDBACK, who.encode(), encode_feedback(said)))

    @rule(user=users, phone=st.sampled_from(PHONES))
    def log_in(self, user: str, phone: str) -> None:
        id, at = self.moment()
        self.put(happened(user, IDENTIFIED, at=at, id=id, anonymous=phone, session=f"s{id}", channel="web"))

    @rule(user=users, phone=st.sampled_from(PHONES))
    def add_while_logged_in(self, user: str, phone: str) -> None:
        """A claim in another log."""
        id, at = self.moment()
        self.put(added(user, "hat", at=at, id=id, anonymous=phone, currency="EUR"))

    @rule(user=users, card=st.sampled_from(CARDS))
    def show_card(self, user: str, card: str) -> None:
        id, at = self.moment()
        self.put(happened(user, IDENTIFIED, at=at, id=id, links=[Link("card", card)], session=f"s{id}"))

    @rule(card=st.sampled_from(CARDS), phone=st.sampled_from(PHONES))
    def use_the_shops_app(self, card: str, phone: str) -> None:
        """A chain: the phone belongs to the card, the card to a user."""
        id, at = self.moment()
        self.put(happened(f"card:{card}", IDENTIFIED, at=at, id=id, anonymous=phone, session=f"s{id}"))

    @rule(pair=st.sampled_from([("ann", "bob"), ("bob", "cid"), ("ann", "cid")]))
    def rename(self, pair: tuple[str, str]) -> None:
        """Of users each belongs to a later one: rings have a test of their own."""
        id, at = self.moment()
        self.put(happened(pair[1], IDENTIFIED, at=at, id=id, links=[Link("user", pair[0])], session=f"s{id}"))

    @rule(lesser=ids, owner=ids)
    def split(self, lesser: str, owner: str) -> None:
        id, _ = self.moment()
        self.estate.split(lesser, owner, id)

    @rule(who=ids)
    def erase(self, who: str) -> None:
        """Of the person behind this id, as far as it is known now."""
        path = [who]
        while True:
            customer = self.estate.customer(path[-1])
            owner = customer.identity.owner if customer.identity else ""
            if gone(owner) or customer.erased:
                return
            if not owner or owner in path:
                break
            path.append(owner)
        if len(self.erased) < 2:  # else nobody is left to look at
            self.erased.add(path[-1])
            id, _ = self.moment()
            self.estate.erase(path[-1], id)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        self.estate.put(data.draw(st.sampled_from(self.sent)))

    # -- what machines do

    @rule(partition=partitions, topics=st.sets(st.sampled_from(INPUTS), min_size=1), most=few)
    def read(self, partition: int, topics: set[str], most: int) -> None:
        self.estate.now += 1
        self.estate.turn(partition, dict.fromkeys(topics, most))

    @rule(partition=partitions, most=few, forget=st.booleans())
    def relay(self, partition: int, most: int, forget: bool) -> None:
        self.estate.relay(partition, most, forget)

    @rule(partition=partitions)
    def save(self, partition: int) -> None:
        self.saved[partition] = self.estate.kept[partition].copy()

    @rule(partition=partitions)
    def rewind(self, partition: int) -> None:
        if kept := self.saved[partition]:
            self.estate.kept[partition] = kept.copy()

    @rule()
    def rest(self) -> None:
        self.estate.settle()

    # -- what must hold

    def teardown(self) -> None:
        self.estate.settle()
        graph = Graph(self.estate.logs)
        for topic in EVENTS:
            events = graph.events(topic)
            for id in IDS:
                told, wanted = shown(self.estate.customer(id), topic), expected(topic, events.get(id, []))
                assert told == wanted, f"{topic} of {id}: wanted {wanted}, got {told}"
        for id, said in graph.feedback().items():
            facts = whole(self.estate.customer(id)).feedback
            assert (facts.events if facts else 0) == len(said), f"feedback of {id}"
        self.all_are_heard_once(graph)
        self.the_sent_is_known(graph)
        self.books_balance()
        self.nothing_is_left(graph)

    def nothing_is_left(self, graph: Graph) -> None:
        """Of the erased, wherever it lay: no facts, no decisions, nothing to be sent."""
        assert graph.erased == self.erased
        for id in IDS:
            customer = self.estate.customer(id)
            if id in self.erased:
                assert customer == Customer(erased=customer.erased, forgotten=customer.forgotten) and customer.erased
                continue
            for topic in EVENTS:
                theirs = self.owned_by_the_erased(graph, topic, id)
                assert not theirs, f"{topic} of {id} keeps {theirs}"
            if graph.root(id) in self.erased:
                decisions = customer.decisions
                assert decisions is None or decisions == Decisions(), f"{id}: {decisions}"
                held = [side.held for topic in FACTS if (side := getattr(customer.identity, topic, None))]
                assert not any(one.facts for each in held for one in each.values()), f"{id} holds {held}"
                assert not customer.feedback or not customer.feedback.events

    def owned_by_the_erased(self, graph: Graph, topic: str, id: str) -> list[Any]:
        """Facts in the log of an id whose owner is erased."""
        customer = self.estate.customer(id)
        side, facts = getattr(customer.identity, topic, None), getattr(customer, topic)
        if side is None:
            return []
        kept = [(one.owner, one.facts) for one in side.closed] + ([(side.owner, facts)] if facts else [])
        return [
            one for owner, one in kept if one.events and owner and (gone(owner) or graph.root(owner) in self.erased)
        ]

    def all_are_heard_once(self, graph: Graph) -> None:
        living = {event.id for event in graph.all_events() if event.name in EVERY["on"]}
        assert living & graph.untouched() <= set(self.heard), "an event of a living customer was not heard"
        at_all = living | set(self.heard)
        assert self.erased or at_all == living
        twice = {id: who for id, who in self.heard.items() if len(who) > 1}
        assert not twice, f"heard by two: {twice}"
        about = {trigger.occurrence for trigger in self.triggers() if trigger.play == "every"}
        decisions = [one.decisions for one in map(self.estate.customer, IDS) if one.decisions]
        refused = {refusal.occurrence for each in decisions for refusal in each.refused}  # taken back in the same turn
        assert about <= at_all
        assert self.erased or at_all <= about | refused

    def triggers(self) -> list[Any]:
        rows = [row for partition in range(PARTITIONS) for row in self.estate.logs[TRIGGERS, partition]]
        return [decode_trigger(row.value or b"") for row in rows]

    def the_sent_is_known(self, graph: Graph) -> None:
        """What any id of a person sent counts at the person."""
        for trigger in self.triggers():
            if trigger.id in self.estate.customer(trigger.customer).forgotten:
                continue
            person = self.estate.customer(graph.root(trigger.customer))
            own = person.decisions.sent if person.decisions else []
            others = person.identity.sent if person.identity else []
            assert trigger.id in {one.id for one in (*own, *others)}, f"{trigger.customer} sent {trigger.id}"

    def books_balance(self) -> None:
        counts, estate = self.estate.counts, self.estate
        customers = [estate.customer(id) for id in IDS]
        waiting = sum(len(one.decisions.waiting) for one in customers if one.decisions)
        assert counts["timer:armed"] == counts["timer:fired"] + counts["timer:cancelled"] + waiting
        assert sum(len(kept.wake) for kept in estate.kept) == sum(
            bool(c.decisions and c.decisions.waiting) for c in customers
        )
        for topic in FACTS:
            records = sum(len(estate.logs[topic, partition]) for partition in range(PARTITIONS))
            booked = sum(counts[f"{what}:{topic}"] for what in ("applied", "duplicate", "erased"))
            assert records == booked, f"{topic}: {records} records, booked {booked}"
        for name in ("every", "later"):
            left = {trigger.id for trigger in self.triggers() if trigger.play == name}
            assert counts[f"trigger:{name}"] == len(left), f"{name}: {counts}, left {len(left)}"


def shown(customer: Customer, topic: str) -> dict[str, Any]:
    """The facts as a view would have them."""
    facts = getattr(whole(customer), topic)
    if facts is None:
        return {}
    told = {name: getattr(facts, name) for name in facts.__struct_fields__}
    if topic == CLICKSTREAM:
        told["viewed"] = {one.id: (one.times, one.last) for one in facts.viewed}
    if topic == CART:
        told["units"] = sorted((line.id, line.added) for line in facts.lines for _ in range(line.quantity))
    return {name: told[name] for name in FIELDS[topic]}


def expected(topic: str, events: list[Event]) -> dict[str, Any]:
    """The facts as one naive fold of all events has them."""
    return REFERENCE[topic](sorted(events, key=lambda event: event.time)) if events else {}


REFERENCE: dict[str, Callable[[list[Event]], dict[str, Any]]] = {
    CLICKSTREAM: reference.clicks,
    CART: reference.cart,
    POS: reference.pos,
}
FIELDS = {topic: list(of([Event("a", "b", 1.0)])) for topic, of in REFERENCE.items()}

TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
