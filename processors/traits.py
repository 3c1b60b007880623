"""What the facts of all topics say of a customer's ways: likes, habits, service, RFM, engagement; when asked."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

from processors.counters import facts_of
from processors.profile import at
from processors.touches import BAD, GOOD, NEITHER, moods
from processors.view import EngagementView, HabitsView, LikesView, RfmView, ServiceView
from processors.windows import window
from processors.zones import zone
from schemas.customer import Customer
from schemas.event import COMPLAINED, MICROS, ORDERED
from schemas.facts import MONTH
from schemas.playbook import Rfm, Tier

K = TypeVar("K", str, int)
WEIGHTS: Final = {"clickstream": 1, "cart": 3, "pos": 5}
"""What a look, an add and a purchase weigh. A month earlier weighs half."""


def likes(customer: Customer, now: float) -> LikesView:
    """Whole numbers only, so that it comes out the same however facts were joined."""
    sums: dict[str, Counter[str]] = {name: Counter() for name in ("categories", "brands", "sizes")}
    bands: Counter[int] = Counter()
    for topic, weight in WEIGHTS.items():
        facts = getattr(customer, topic)
        for month, liked in facts.likes.items() if facts else ():
            worth = weight << 8 >> min(max(int(now) // MONTH - month, 0), 8)
            for name, counts in sums.items():
                add(counts, getattr(liked, name), worth)
            add(bands, liked.bands, worth)
    band = most(bands, 0)
    low = 0.0 if band < 2 else float(1 << band - 1)
    category, brand, size = (most(counts, "") for counts in sums.values())
    return LikesView(category, brand, size, low, float(1 << band) if bands else 0.0)


def add(sums: Counter[K], counts: Mapping[K, int], worth: int) -> None:
    for name, many in counts.items():
        sums[name] += many * worth


def most(counts: Mapping[K, int], none: K) -> K:
    """The key counted most; the first of those that are equal."""
    return min(counts, key=lambda key: (-counts[key], key)) if counts else none


def habits(customer: Customer, now: float) -> HabitsView:
    facts = list(facts_of(customer))
    if not facts:
        return HabitsView()
    clock = most(together(one.clock for one in facts), 0)
    there = zone(customer.clickstream.zone if customer.clickstream else "")
    offset = datetime.fromtimestamp(now, there).utcoffset()
    hour = (clock + round(offset.total_seconds() / 3600)) % 24 if offset else clock
    weekday = most(together(one.weekdays for one in facts), 0)
    places = ([getattr(one, name) for one in facts] for name in ("stores", "channels", "devices"))
    store, channel, device = (most(together(each), "") for each in places)
    return HabitsView(hour, weekday, store, channel, device)


def together(counts: Iterable[Mapping[K, int]]) -> Counter[K]:
    sums: Counter[K] = Counter()
    for one in counts:
        add(sums, one, 1)
    return sums


def service(customer: Customer) -> ServiceView:
    clicks, view = customer.clickstream, ServiceView()
    if clicks:
        view.complaint = any(one.open for one in clicks.complaints.values())
        view.complaints = clicks.did["ko"].count if at(clicks, COMPLAINED, -1.0) >= 0.0 else 0
        view.nps = clicks.nps if "nps" in clicks.told else -1
    felt = b"".join(moods(facts.touches) for facts in facts_of(customer))
    bad, good = felt.count(BAD), felt.count(GOOD)
    told = bad + good + felt.count(NEITHER)
    view.sentiment = (good - bad) / told if told else 0.0
    return view


def rfm(customer: Customer, bounds: Rfm, now: float) -> RfmView:
    pos = customer.pos
    if pos is None or not pos.orders:
        return RfmView()
    ago, spent = now - at(pos, ORDERED), pos.spent / MICROS
    recency = 1 + sum(ago <= bound for bound in bounds.recency)
    return RfmView(recency, reached(pos.orders, bounds.frequency), reached(spent, bounds.monetary))


def reached(value: float, bounds: Sequence[float]) -> int:
    return 1 + sum(value >= bound for bound in bounds)


def engagement(customer: Customer, tiers: Sequence[Tier], now: float) -> EngagementView:
    events = window(facts_of(customer), now, "month")
    return EngagementView(events, next((tier.name for tier in tiers if events >= tier.events), ""))
