"""What one seed decides before a history begins: how large the world is, and how hostile."""

from dataclasses import dataclass, replace
from random import Random


@dataclass(frozen=True)
class Odds:
    """Chances of one call, fetch or event to be hit; 0 to 1. All are 0 once a history heals."""

    lost_reply: float = 0.0
    """A call to the store is applied, its reply is lost: it is asked again."""
    held_call: float = 0.0
    """A call to the store arrives much later, beside the one that was sent in its place."""
    slow: float = 0.0
    """A call takes seconds."""
    held_produce: float = 0.0
    """A request to Kafka arrives much later; the producer has given up."""
    lost_ack: float = 0.0
    """A request to Kafka is applied, its acknowledgement is lost."""
    refused_produce: float = 0.0
    """A request to Kafka never arrives."""
    lost_fetch: float = 0.0
    doubled_fetch: float = 0.0
    stale_fetch: float = 0.0
    """A fetch is handed over seconds late."""
    slow_topic: float = 0.0
    """A topic of a partition reaches a worker seconds after the others."""
    slow_drain: float = 0.0
    """So does `triggers`, when a term begins."""
    slow_fence: float = 0.0
    """A fence takes seconds: Kafka answers when the transaction it found open is aborted."""
    duplicate: float = 0.0
    late: float = 0.0
    poison: float = 0.0


@dataclass(frozen=True)
class Profile:
    """One world."""

    seed: int
    partitions: int
    customers: int
    events: int
    seconds: float
    """From the first event to the healing."""
    backlog: float
    """Seconds of events that wait when the first worker comes."""
    clock_bound: float
    cache: int
    turn_records: int
    room_records: int
    fetch_records: int
    latency: float
    """Mean way to Kafka or the store, seconds."""
    deepest_rewind: int
    odds: Odds
    deeds: dict[str, float]
    """What the nemesis does, by weight."""
    pause: float
    """Mean seconds between its deeds."""
    poll: float
    """Mean seconds between two looks for fetches."""
    quiet: bool
    """Quiet hours begin during the history."""
    strict: bool
    """Workers halt at a few faulty records, until others are deployed that do not."""


DEEDS = {
    "kill": 2.0,
    "pause": 3.0,
    "move": 1.5,
    "double": 1.5,
    "rewind": 4.0,
    "undo": 1.0,
    "usurp": 4.0,
    "ambush": 4.0,
    "overtake": 2.0,
    "relive": 1.5,
    "photo_finish": 1.0,
    "split": 1.5,
    "store_away": 0.7,
    "kafka_away": 0.7,
    "publish": 0.5,
    "stranger": 0.5,
}


def draw(seed: int, chance: Random) -> Profile:
    """The world of a seed."""
    harsh = chance.choice((0.3, 1.0, 1.0, 2.0))
    partitions = chance.choices((1, 2, 3), (8, 1.5, 0.5))[0]
    strict = chance.random() < 0.1
    odds = Odds(
        lost_reply=0.04 * harsh,
        held_call=0.02 * harsh,
        slow=0.02 * harsh,
        held_produce=0.06 * harsh,
        lost_ack=0.05 * harsh,
        refused_produce=0.02 * harsh,
        lost_fetch=0.01 * harsh,
        doubled_fetch=0.05 * harsh,
        stale_fetch=0.06 * harsh,
        slow_topic=0.3,
        slow_drain=0.1,
        slow_fence=0.15,
        duplicate=0.10,
        late=0.10,
        poison=0.1 if strict else 0.04,
    )
    left_out = chance.sample(sorted(DEEDS), chance.choice((0, 0, 2, 5)))
    return Profile(
        seed=seed,
        partitions=partitions,
        customers=chance.randint(2, 4) + partitions - 1,
        events=chance.randint(80, 130),
        seconds=chance.uniform(20.0, 45.0),
        backlog=chance.choice((0.0, 0.0, 10.0)),
        clock_bound=chance.choice((0.2, 1.0, 1.0)),
        cache=chance.choice((0, 1, 2, 1000, 1000)),
        turn_records=chance.choice((1, 3, 10)),
        room_records=chance.choice((3, 20, 1000)),
        fetch_records=chance.choice((1, 4, 8)),
        latency=chance.choice((0.002, 0.01, 0.05)),
        deepest_rewind=chance.choice((5, 40, 10_000)),
        odds=odds,
        deeds={deed: weight for deed, weight in DEEDS.items() if deed not in left_out},
        pause=chance.choice((0.6, 1.7, 4.2)),
        poll=0.08,
        quiet=chance.random() < 0.12,
        strict=strict,
    )


def crowded(profile: Profile, chance: Random) -> Profile:
    """The same world, of persons with several ids: more partitions, since links cross them, and not so much else."""
    seconds = min(profile.seconds, chance.uniform(16.0, 28.0))
    partitions, events = chance.choice((1, 2, 2, 2, 3)), chance.randint(15, 30)
    return replace(profile, partitions=partitions, customers=partitions, events=events, seconds=seconds)


def skew(bound: float, chance: Random) -> float:
    """By how much a clock is off: often as much as it may be."""
    return chance.choice((-bound / 2, bound / 2, chance.uniform(-bound / 2, bound / 2)))


def healed(profile: Profile) -> Profile:
    """The same world, friendly."""
    return replace(profile, odds=Odds(), deeds={}, latency=0.005, poll=0.3)
