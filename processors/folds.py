"""The folds: what one event does to the facts of its topic, made for the families an installation keeps.

No fold reads another topic's facts, the clock or the playbook: so anyone can recompute them from the log, and the
order in which topics were read does not show. Nor does the order of a topic's log: late events count in full; where the
latest wins, the latest by event time does, then the greater content (`schemas.facts` says how bounds keep to that).

What is not kept is never worked out: a fold knows from when it is made what it is to leave.
"""

from collections.abc import Callable
from typing import Any, Final

from processors.compiled import compiled
from processors.looks import look_at
from processors.profile import complain, fewer_channels, hear, keep, meet, order, own_key, relate, tell
from processors.tastes import count, like
from processors.touches import number_of, touched
from processors.windows import put
from schemas.codes import CODES, OWN
from schemas.customer import Customer
from schemas.event import ADDED, COMPLAINED, ORDERED, PLACES, PRODUCT_VIEWED, REFUNDED, REMOVED, SETTLED, Event
from schemas.facts import (
    DAY,
    HOUR,
    MONEY,
    NAME_MOST,
    OTHER,
    PLACES_MOST,
    WORD_MOST,
    CartFacts,
    ClickFacts,
    Complaint,
    Did,
    EventFacts,
    FeedbackFacts,
    Line,
    Near,
    PosFacts,
    Taken,
)
from schemas.families import ALL, HABITS, LIKES, TIMELINE, VIEWED, WINDOWS, Kept
from schemas.identity import key_of
from schemas.topics import CART, CLICKSTREAM, POS
from schemas.trigger import Feedback

Fold = Callable[[Any, Event, bytes], None]
"""Facts of a topic, an event of it, the customer's key."""
Tally = Callable[[EventFacts, Event], None]
Folds = dict[str, tuple[Callable[[Customer], Any], Fold]]
"""Topic of events -> whose facts, and what an event does to them."""
Answer = Callable[[FeedbackFacts, Feedback], None]


def folds(kept: Kept) -> Folds:
    """The folds of all topics of events."""
    tally = tallying(kept)
    return {
        CLICKSTREAM: (clicks_of, clicking(tally, introduce, kept)),
        CART: (cart_of, carting(tally, kept)),
        POS: (pos_of, paying(tally, kept)),
    }


@compiled
def tallying(kept: Kept) -> Tally:
    """What is counted of every event."""
    windows, timeline, habits = (family in kept for family in (WINDOWS, TIMELINE, HABITS))

    def tally(facts: EventFacts, event: Event) -> None:
        time, name = event.time, event.name
        second = int(time)
        key, number = CODES.get(name) or (own_key(facts, name), OWN)
        did = facts.did.get(key)
        if did is None:
            facts.did[key] = Did(1, time)
        else:
            did.count += 1
            if time > did.at:
                did.at = time
        if time < facts.first or not facts.events:
            facts.first = time
        if time > facts.last:
            facts.last = time
        facts.events += 1
        if windows:
            put(facts, second, key, 1)
        if timeline:
            facts.touches = touched(facts.touches, second, number, event.channel, event.sentiment)
        if habits:
            note(facts, event, second)

    return tally


def note(facts: EventFacts, event: Event, second: int) -> None:
    """When and where an event was."""
    clock, hour = facts.clock, second // HOUR % 24
    clock[hour] = clock.get(hour, 0) + 1
    weekdays, weekday = facts.weekdays, (second // DAY + 3) % 7 + 1
    weekdays[weekday] = weekdays.get(weekday, 0) + 1
    if channel := event.channel:
        place = channel if channel in PLACES else OTHER
        facts.channels[place] = facts.channels.get(place, 0) + 1
    if event.store:
        count(facts.stores, event.store[:WORD_MOST], PLACES_MOST)
    if event.device:
        count(facts.devices, event.device[:WORD_MOST], PLACES_MOST)


@compiled
def clicking(tally: Tally, rest: Fold, kept: Kept) -> Fold:
    """The fold of `clickstream`. `rest`: what follows of the few events that say something of the customer."""
    likes, viewed = LIKES in kept, VIEWED in kept

    def click(facts: ClickFacts, event: Event, customer: bytes) -> None:
        tally(facts, event)
        if event.session and (told := (event.time, event.session)) > facts.session:
            facts.session = told
        if event.name == PRODUCT_VIEWED:
            for product in event.products:
                if viewed:
                    look_at(facts, product, int(event.time))
                if likes:
                    like(facts.likes, product, int(event.time))
        rest(facts, event, customer)

    return click


def introduce(facts: ClickFacts, event: Event, customer: bytes) -> None:
    """What an event says of the customer. The customer's key is no alias of itself."""
    name, time = event.name, event.time
    if event.anonymous:
        meet(facts.aliases, event.anonymous, time, customer)
    if name in (COMPLAINED, SETTLED):
        complain(facts.complaints, event.complaint, Complaint(time, name == COMPLAINED))
    if event.traits is not None:
        hear(facts, event.traits, time, event.source)
    if event.nps is not None:
        tell(facts, "nps", event.nps, time, event.source)
    for link in event.links:
        if link.relation:
            relate(facts.related, key_of(link.kind, link.id), Near(time, link.relation))


def carting(tally: Tally, kept: Kept) -> Fold:
    """The fold of `cart`."""
    likes = LIKES in kept

    def cart(facts: CartFacts, event: Event, _: bytes) -> None:
        tally(facts, event)
        name, time = event.name, event.time
        if event.currency and (told := (time, event.currency)) > facts.currency:
            facts.currency = told
        if name == ADDED:
            opened = event.cart or event.id
            for one in event.products:
                if likes:
                    like(facts.likes, one, int(time))
                if one.quantity > 0:
                    words = one.name[:NAME_MOST], one.category[:WORD_MOST]
                    keep(facts.lines, Line(time, one.id, one.quantity, one.price, opened, *words))
        elif name == REMOVED:
            for one in event.products:
                if one.quantity > 0:
                    keep(facts.taken, Taken(time, one.id, one.quantity))

    return cart


def paying(tally: Tally, kept: Kept) -> Fold:
    """The fold of `pos`."""
    windows, likes = WINDOWS in kept, LIKES in kept

    def pos(facts: PosFacts, event: Event, _: bytes) -> None:
        tally(facts, event)
        name, time = event.name, event.time
        if event.currency and (told := (time, event.currency)) > facts.currency:
            facts.currency = told
        if name == ORDERED:
            order(facts, event)
            if windows:
                put(facts, int(time), MONEY, event.total)
            if likes:
                for product in event.products:
                    like(facts.likes, product, int(time))
        elif name == REFUNDED:
            back = abs(event.total)
            facts.refunds += 1
            facts.refunded += back
            facts.spent -= back
            if windows:
                put(facts, int(time), MONEY, -back)

    return pos


def answering(kept: Kept) -> Answer:
    """The fold of `feedback`."""
    timeline = TIMELINE in kept

    def feedback(facts: FeedbackFacts, said: Feedback) -> None:
        facts.events += 1
        facts.last = max(facts.last, said.time)
        if timeline:
            facts.touches = touched(facts.touches, int(said.time), number_of(said.what), said.channel, None)
        counts = facts.counts.setdefault(said.channel[:WORD_MOST], {})
        counts[said.what] = counts.get(said.what, 0) + 1
        fewer_channels(facts.counts)

    return feedback


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


FOLDS: Final = folds(ALL)
FEEDBACK_FOLD: Final = answering(ALL)
"""Those of an installation that keeps all."""
