"""Whatever comes when, whatever is repeated and whichever side goes back in time: one person is one person."""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from processors import counters
from processors.owners import gone
from processors.persons import whole
from processors.plays import wake
from processors.view import View
from schemas.customer import Customer, Decisions
from schemas.event import ADDED, IDENTIFIED, ORDERED, PRODUCT_VIEWED, SEARCHED
from schemas.identity import Link
from schemas.topics import EVENTS, FEEDBACK, INPUTS, TRIGGERS
from schemas.trigger import Feedback, decode_trigger, encode_feedback
from tests.faults.verifier.fold import fold, plain
from tests.faults.verifier.graph import Graph
from tests.processors.builders import START, Logged, added, decider, happened, ordered, play, viewed
from tests.processors.estate import Estate, Kept

USERS, CARDS, PHONES = ["ann", "bob", "cid"], ["1"], ["x", "y"]
IDS = [*USERS, *(f"card:{card}" for card in CARDS), *PHONES]
RENAMED = [("ann", "bob"), ("bob", "cid"), ("ann", "cid")]
LINKS = [(lesser, owner) for lesser in PHONES for owner in (*USERS, "card:1")]
LINKS += [("card:1", user) for user in USERS] + RENAMED
EVERY = play("every", on=[PRODUCT_VIEWED, ADDED, ORDERED, SEARCHED], expires="7d", channels=["web", "push", "email"])
LATER = play("later", on=[ADDED], after="45m", unless=[ORDERED])
STANDING: dict[str, Any] = {
    "segments": {
        "levels": [
            {
                "level": "doing",
                "leaves": [
                    {"id": "buyer", "when": "orders.count > 0"},
                    {"id": "filler", "when": 'happened("Product Added")'},
                    {"id": "looker", "when": 'happened("Product Viewed")'},
                ],
            }
        ]
    },
    "stages": {
        "first": "new",
        "table": [
            {"from": ["new"], "on": [ADDED], "to": "filling"},
            {"from": ["new", "filling"], "on": [ORDERED], "to": "bought"},
        ],
    },
}
LEAVES = {"buyer": ORDERED, "filler": ADDED, "looker": PRODUCT_VIEWED}
"""Segment -> the event that takes somebody there."""
PARTITIONS = 3
FACTS = (*EVENTS, FEEDBACK)

ids, users, partitions = st.sampled_from(IDS), st.sampled_from(USERS), st.integers(0, PARTITIONS - 1)
few = st.integers(1, 4)


class Lives(RuleBasedStateMachine):
    """Customers with several ids, three partitions, and all that may go wrong between them."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[str, set[str]] = defaultdict(set)
        self.asked: View | None = None
        occurrence = {"every": self.about, "later": lambda view: view.event.id}
        limits = {"limits": {"anonymous": {"most": 2, "within": "400d"}}}
        when: dict[str, Any] = {f"segment:{leaf}": asks(name) for leaf, name in LEAVES.items()}
        fold = decider(
            EVERY, LATER, when=when | {"every": self.hear}, occurrence=occurrence, identity=limits, **STANDING
        )
        self.estate = Estate(fold, PARTITIONS)
        self.sent: list[Logged] = []
        self.saved: list[Kept | None] = [None] * PARTITIONS
        self.number = 0
        self.erased: set[str] = set()

    def hear(self, view: View) -> bool:
        """Note each event that is asked about, once; what was sent is asked of its occurrence alone."""
        if view is not self.asked:
            self.asked = view
            self.heard[view.event.id].add(view.customer.id)
            self.estate.hearing.append(view.event.id)
        return True

    def about(self, view: View) -> str:
        self.hear(view)
        return view.event.id

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

    @rule(pair=st.sampled_from(RENAMED))
    def rename(self, pair: tuple[str, str]) -> None:
        """Of users each belongs to a later one: rings have a test of their own."""
        id, at = self.moment()
        self.put(happened(pair[1], IDENTIFIED, at=at, id=id, links=[Link("user", pair[0])], session=f"s{id}"))

    @rule(pair=st.sampled_from(LINKS))
    def split(self, pair: tuple[str, str]) -> None:
        id, _ = self.moment()
        self.estate.split(*pair, id)

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

    @precondition(lambda self: self.estate.left)
    @rule(data=st.data())
    def echo(self, data: st.DataObject) -> None:
        """Something that left long ago arrives once more, after all that came later."""
        self.estate.send([data.draw(st.sampled_from(self.estate.left))])

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
                told, wanted = shown(self.estate.customer(id), topic), expected(topic, events.get(id, []), id)
                assert told == wanted, f"{topic} of {id}: wanted {wanted}, got {told}"
        for id, said in graph.feedback().items():
            facts = whole(self.estate.customer(id)).feedback
            assert (facts.events if facts else 0) == len(said), f"feedback of {id}"
        self.all_are_heard_once(graph)
        self.the_sent_is_known(graph)
        self.everybody_stands_somewhere(graph)
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
        living = {event["id"] for event in graph.all_events() if event["name"] in EVERY["on"]}
        assert living & graph.untouched() <= set(self.heard), "an event of a living customer was not heard"
        at_all = living | set(self.heard)
        twice = {id: who for id, who in self.heard.items() if len(who) > 1}
        assert not twice, f"heard by two: {twice}"
        times: Counter[str] = sum((kept.heard for kept in self.estate.kept), Counter())
        assert set(times.values()) <= {1}, f"more than once in the history that counts: {times}"
        assert living & graph.untouched() <= set(times) <= at_all
        assert self.erased or living == at_all == set(times)
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

    def everybody_stands_somewhere(self, graph: Graph) -> None:
        """Who has events in one segment and stage; who has none, or belongs to another, in none; and so the counts."""
        names: dict[str, set[str]] = defaultdict(set)
        for topic in EVENTS:
            for id, events in graph.events(topic).items():
                names[id] |= {event["name"] for event in events}
        stand: Counter[str] = Counter()
        for id in IDS:
            decisions = self.estate.customer(id).decisions or Decisions()
            leaf = next((leaf for leaf, name in LEAVES.items() if name in names[id]), "others") if names[id] else ""
            assert decisions.segment == leaf, f"{id} did {names[id]}"
            assert bool(decisions.stage) == bool(names[id]), f"{id} did {names[id]}"
            stand.update((f"segment:{leaf}", f"stage:{decisions.stage}") if leaf else ())
        counts = self.estate.counts
        assert stand == Counter({name: n for name, n in counts.items() if name.startswith(("segment:", "stage:"))})

    def books_balance(self) -> None:
        counts, estate = self.estate.counts, self.estate
        customers = [estate.customer(id) for id in IDS]
        waiting = sum(len(one.decisions.waiting) for one in customers if one.decisions)
        assert counts["timer:armed"] == counts["timer:fired"] + counts["timer:cancelled"] + waiting
        assert sum(len(kept.wake) for kept in estate.kept) == sum(wake(one.decisions) is not None for one in customers)
        for one in customers:
            assert not (one.identity and one.identity.owner and one.decisions and one.decisions.waiting)
        for topic in FACTS:
            records = sum(len(estate.logs[topic, partition]) for partition in range(PARTITIONS))
            booked = sum(counts[f"{what}:{topic}"] for what in ("applied", "duplicate", "erased"))
            assert records == booked, f"{topic}: {records} records, booked {booked}"
        for name in ("every", "later"):
            left = {trigger.id for trigger in self.triggers() if trigger.play == name}
            assert counts[f"trigger:{name}"] == len(left), f"{name}: {counts}, left {len(left)}"


def asks(name: str) -> Callable[[View], bool]:
    return lambda view: counters.happened(view, name)


def shown(customer: Customer, topic: str) -> dict[str, Any]:
    """The facts as a view has them."""
    told = getattr(whole(customer), topic)
    said = msgspec.json.decode(msgspec.json.encode(told)) if told else {}
    return {name: value for name, value in plain(said).items() if name not in ("next", "seen")}


def expected(topic: str, events: list[dict[str, Any]], id: str) -> dict[str, Any]:
    """The facts as they follow from the set of all events."""
    return plain(fold(topic, events, id)) if events else {}


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
