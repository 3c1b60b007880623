"""What must hold after any fault, once all is at rest. Logs and slots are asked, which know nothing of each other.

Each record is booked once. Facts equal a fold of the log by somebody who saw no fault. Turn records chain by token,
their ranges have no gap and no overlap. Trigger ids are unique under read_committed, and as many as were decided.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from processors.decide import Decider
from processors.playbook import read_playbook
from processors.turn import Record, Turn, by_customer
from schemas.customer import Customer
from schemas.facts import CartFacts, ClickFacts, FeedbackFacts, PosFacts
from schemas.topics import CART, CLICKSTREAM, DEAD_LETTERS, FEEDBACK, INPUTS, PARTS, POS
from schemas.trigger import Trigger
from schemas.turn import TurnRecord, decode_turn
from streams.kafka import Logged
from streams.state.store import TOKEN_BYTES
from tests.live.river import River

FOLDED = (PARTS, CLICKSTREAM, CART, POS, FEEDBACK)
Facts = tuple[ClickFacts | None, CartFacts | None, PosFacts | None, FeedbackFacts | None]


async def prove(river: River) -> list[Trigger]:
    """All of it; answers the triggers."""
    counts = await river.counts()
    logs = {topic: await river.log(topic) for topic in FOLDED}
    prove_booked(counts, logs, await river.log(DEAD_LETTERS))
    prove_facts(river, {topic: await river.readable(topic) for topic in FOLDED}, await river.customers())
    await turns(river)
    triggers = await river.triggers()
    prove_triggers(counts, triggers, exactly=river.parts.transactions)
    return triggers


def prove_booked(counts: Counter[str], logs: dict[str, list[Logged]], dead: Sequence[Logged]) -> None:
    """Each record is applied, a duplicate, a dead letter, or of somebody erased. A letter may leave twice, nobody reads
    them back: its place tells."""
    what = ("applied", "duplicate", "dead_lettered", "erased")
    booked = {topic: sum(counts[f"{one}:{topic}"] for one in what) for topic in FOLDED}
    assert booked == {topic: len(records) for topic, records in logs.items()}
    places = {place for letter in dead if (place := dict(letter.headers)["place"]) != b"http"}
    assert len(places) == sum(counts[f"dead_lettered:{topic}"] for topic in FOLDED)


def prove_facts(river: River, logs: Mapping[str, Sequence[Record]], customers: dict[bytes, Customer]) -> None:
    """The facts in the state are those of a fold that reads each log from its beginning, without a worker."""
    loaded = read_playbook(river.playbook)
    fold = Decider(river.app, loaded.playbook, loaded.conditions, loaded.version, kept=river.settings.kept())
    keys = {record.key for records in logs.values() for record in records if record.key}
    turn = Turn(0.0, 0.0, {key: fold.blank() for key in keys})
    for key, mine in by_customer(logs.items()).items():
        fold.absorb(turn, key, mine)
    wanted = {key: facts(customer) for key, customer in turn.customers.items() if customer != Customer()}
    got = {key: facts(customer) for key, customer in customers.items()}
    assert got.keys() == wanted.keys()
    wrong = [key for key in wanted if got[key] != wanted[key]]
    assert not wrong, (
        f"{len(wrong)} of {len(wanted)} differ; {wrong[0]!r}: wanted {wanted[wrong[0]]}, got {got[wrong[0]]}"
    )


def facts(customer: Customer) -> Facts:
    return customer.clickstream, customer.cart, customer.pos, customer.feedback


async def turns(river: River) -> list[list[TurnRecord]]:
    """The turns of each partition, proved to chain from the first to the state as it is."""
    found = []
    for partition in range(river.settings.partitions):
        slot = river.store.slot(partition)
        meta = await slot.meta()
        ends = {topic: int(meta[f"next:{topic}"]) for topic in INPUTS}
        found.append(chained(await slot.records(), meta["token"], ends))
    return found


def chained(records: Sequence[bytes], token: bytes, ends: dict[str, int]) -> list[TurnRecord]:
    """The turns among the records. A new slot has no token, and begins at 0 in every topic."""
    last, positions, found = b"", defaultdict[str, int](int), list[TurnRecord]()
    for raw in records:
        if raw[:1] == b"A":
            before, after = raw[1:-TOKEN_BYTES], raw[-TOKEN_BYTES:]
        else:
            turn = decode_turn(raw)
            found.append(turn)
            before, after = turn.before, turn.after
            for topic, (start, end) in turn.ranges.items():
                assert start == positions[topic] and end >= start, f"{topic}: {turn.ranges}, was at {positions[topic]}"
                positions[topic] = end
        assert before == last
        last = after
    assert last == token
    assert {topic: positions[topic] for topic in ends} == ends
    return found


def prove_triggers(counts: Counter[str], triggers: Sequence[Trigger], *, exactly: bool) -> None:
    """As many as were decided, each in its log; each id once, where the broker has transactions."""
    ids = Counter(trigger.id for trigger in triggers)
    one = {trigger.id: trigger for trigger in triggers}
    repeated = {id: times for id, times in ids.items() if times > 1}
    assert not exactly or not repeated
    decided = {name.removeprefix("trigger:"): n for name, n in counts.items() if name.startswith("trigger:") and n}
    assert Counter(trigger.play for trigger in one.values()) == decided
