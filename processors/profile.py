"""Facts: what a customer did. One fold a topic, each of that topic's records alone, in the order of its log.

No fold reads another topic's facts, the clock or the playbook: so anyone can recompute them from the log, and the
order in which topics were read does not show. Late events count in full; where the latest wins, the latest by event
time does.
"""

from bisect import bisect_right
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from schemas.customer import (
    ALIASES_MOST,
    BOUGHT_MOST,
    FLAGS_MOST,
    LINES_MOST,
    NAMES_MOST,
    ORDER_MOST,
    VIEWED_MOST,
    CartFacts,
    ClickFacts,
    Customer,
    FeedbackFacts,
    Line,
    PosFacts,
    Viewed,
)
from schemas.event import (
    ADDED,
    NAMES,
    ORDERED,
    PLACES,
    PRODUCT_VIEWED,
    REFUNDED,
    REMOVED,
    STORE,
    Event,
    Product,
    Traits,
)
from schemas.identity import Link, key_of
from schemas.topics import CART, CLICKSTREAM, POS
from schemas.trigger import Feedback

OTHER: Final = "other"


def click(facts: ClickFacts, event: Event, customer: bytes) -> None:
    """Fold one event of `clickstream`. `customer` is the key: it is no alias of itself."""
    latest = tally(facts, event)
    if event.session and latest:
        facts.session = event.session
    anonymous = event.anonymous
    if anonymous and anonymous not in facts.aliases and anonymous.encode() != customer:
        facts.aliases.append(anonymous)
        del facts.aliases[:-ALIASES_MOST]
    if event.name == PRODUCT_VIEWED:
        for product in event.products:
            look_at(facts.viewed, product, event.time)
    if event.traits is not None:
        hear(facts, event.traits, event.time)


def cart(facts: CartFacts, event: Event, _: bytes) -> None:
    """Fold one event of `cart`."""
    tally(facts, event)
    if event.currency:
        facts.currency = event.currency
    if event.name == ADDED:
        opened, time, lines = event.cart or event.id, event.time, facts.lines
        for one in event.products:
            if one.quantity > 0:
                lines.append(Line(one.id, one.quantity, one.price, time, opened, one.name, one.category))
        del lines[:-LINES_MOST]
    elif event.name == REMOVED:
        for product in event.products:
            take_out(facts.lines, product)


def pos(facts: PosFacts, event: Event, _: bytes) -> None:
    """Fold one event of `pos`."""
    latest = event.time >= facts.at.get(ORDERED, 0.0)
    tally(facts, event)
    if event.currency:
        facts.currency = event.currency
    if event.name == ORDERED:
        order(facts, event)
        if latest:
            facts.last_order = event.order or event.id
            facts.last_products = distinct([product.id for product in event.products])
            facts.last_categories = distinct([product.category for product in event.products if product.category])
    elif event.name == REFUNDED:
        facts.refunds += 1
        facts.spent -= abs(event.total)


def feedback(facts: FeedbackFacts, said: Feedback) -> None:
    """Fold one record of `feedback`."""
    facts.events += 1
    facts.last = max(facts.last, said.time)
    channel = said.channel
    if channel not in facts.counts and len(facts.counts) >= NAMES_MOST:
        channel = OTHER
    counts = facts.counts.setdefault(channel, {})
    counts[said.what] = counts.get(said.what, 0) + 1


def clicks_of(customer: Customer) -> ClickFacts:
    facts = customer.clickstream
    if facts is None:
        facts = customer.clickstream = ClickFacts()
    return facts


def cart_of(customer: Customer) -> CartFacts:
    facts = customer.cart
    if facts is None:
        facts = customer.cart = CartFacts()
    return facts


def pos_of(customer: Customer) -> PosFacts:
    facts = customer.pos
    if facts is None:
        facts = customer.pos = PosFacts()
    return facts


Fold = Callable[[Any, Event, bytes], None]
FOLDS: Final[dict[str, tuple[Callable[[Customer], Any], Fold]]] = {
    CLICKSTREAM: (clicks_of, click),
    CART: (cart_of, cart),
    POS: (pos_of, pos),
}
"""Topic of events -> whose facts, and what an event does to them."""


def tally(facts: ClickFacts | CartFacts | PosFacts, event: Event) -> bool:
    """What is counted of every event. True when none is later than it."""
    time, name, counts = event.time, event.name, facts.counts
    if time < facts.first or not facts.events:
        facts.first = time
    facts.events += 1
    before = counts.get(name, 0)
    if before or name in NAMES or len(counts) < NAMES_MOST:
        counts[name] = before + 1
        at = facts.at
        if time >= at.get(name, 0.0):
            at[name] = time
    else:
        counts[OTHER] = counts.get(OTHER, 0) + 1
    if event.channel:
        place = event.channel if event.channel in PLACES else OTHER
        facts.channels[place] = facts.channels.get(place, 0) + 1
    if time < facts.last:
        return False
    facts.last = time
    return True


def look_at(viewed: list[Viewed], product: Product, time: float) -> None:
    """Keep `viewed` in order of last looking."""
    known = known_view(viewed, product.id)
    known.times += 1
    if time >= known.last:
        known.last, known.name, known.category, known.price = time, product.name, product.category, product.price
    if not viewed or viewed[-1].last <= known.last:
        viewed.append(known)
    else:
        viewed.insert(bisect_right(viewed, known.last, key=attrgetter("last")), known)
    if len(viewed) > VIEWED_MOST:
        del viewed[0]


def known_view(viewed: list[Viewed], id: str) -> Viewed:
    """Take what is known of a product out of the list; a blank one if nothing is."""
    for at in range(len(viewed) - 1, -1, -1):
        if viewed[at].id == id:
            return viewed.pop(at)
    return Viewed(id)


def take_out(lines: list[Line], product: Product) -> None:
    """Take from the lines added last: older ones may be in an order already."""
    left = product.quantity
    for at in range(len(lines) - 1, -1, -1):
        if left <= 0:
            return
        line = lines[at]
        if line.id == product.id:
            taken = min(left, line.quantity)
            left -= taken
            line.quantity -= taken
            if not line.quantity:
                del lines[at]


def order(facts: PosFacts, event: Event) -> None:
    """Count an order, and remember what was bought."""
    facts.orders += 1
    facts.spent += event.total
    if event.channel == STORE:
        facts.receipts += 1
    else:
        facts.last_online = max(facts.last_online, event.time)
    bought = facts.bought
    for product in event.products:
        bought[product.id] = max(bought.get(product.id, 0.0), event.time)
    while len(bought) > BOUGHT_MOST:
        del bought[min(bought, key=bought.__getitem__)]


def distinct(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))[:ORDER_MOST]


def hear(facts: ClickFacts, traits: Traits, time: float) -> None:
    """Take over what a customer says of themselves, each word by its own time."""
    told = facts.told
    facts.identified = max(facts.identified, time)
    for name in ("zone", "name", "tier"):
        word = getattr(traits, name)
        if word and time >= told.get(name, 0.0):
            told[name] = time
            setattr(facts, name, word)
    flags(facts.consent, traits.consent, told, "consent:", time)
    flags(facts.reach, traits.reach, told, "reach:", time)


def relate(facts: ClickFacts, links: list[Link], time: float) -> None:
    """Take over who is near: a child, the holder of a card, who gets a gift. They are other persons."""
    for link in links:
        key = key_of(link.kind, link.id)
        place = f"related:{key}"
        if link.relation and time >= facts.told.get(place, 0.0):
            facts.related[key], facts.told[place] = link.relation, time
    while len(facts.related) > FLAGS_MOST:
        oldest = min(facts.related, key=lambda key: facts.told[f"related:{key}"])
        del facts.related[oldest], facts.told[f"related:{oldest}"]


def flags(known: dict[str, bool], said: dict[str, bool], told: dict[str, float], prefix: str, time: float) -> None:
    """Take over each yes and no that is not older than the one we know; forget those told longest ago."""
    for name, value in said.items():
        if time >= told.get(prefix + name, 0.0):
            known[name], told[prefix + name] = value, time
    while len(known) > FLAGS_MOST:
        oldest = min(known, key=lambda name: told[prefix + name])
        del known[oldest], told[prefix + oldest]
