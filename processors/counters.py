"""What conditions count and ask by a word of their own: `did("Product Viewed").week`, `views("shoes").day`."""

from collections.abc import Callable, Iterable
from typing import Final, cast

from processors.looks import looked
from processors.profile import at
from processors.view import EventsView, SpentView, View
from processors.windows import WINDOWS, window
from schemas.codes import KEY_OF
from schemas.customer import Customer
from schemas.event import MICROS
from schemas.facts import MONEY, EventFacts

EVER: Final = "ever"


def facts_of(customer: Customer) -> Iterable[EventFacts]:
    return [facts for facts in (customer.clickstream, customer.cart, customer.pos) if facts is not None]


class Windows:
    """EventsView or SpentView, each window worked out when it is asked for."""

    def __init__(self, facts: Iterable[EventFacts], now: float, ever: float, key: str = "") -> None:
        self.ever = ever
        self._facts, self._now, self._key = facts, now, key

    def __getattr__(self, word: str) -> int | float:
        if word not in WINDOWS:
            raise AttributeError(f"windows are {', '.join(WINDOWS)}; wanted {word}")
        many = window(self._facts, self._now, word, self._key)
        value = self.__dict__[word] = many / MICROS if self._key == MONEY else many
        return value


def events(customer: Customer, now: float) -> EventsView:
    facts = facts_of(customer)
    return cast(EventsView, Windows(facts, now, sum(one.events for one in facts)))


def spent(customer: Customer, now: float) -> SpentView:
    pos = customer.pos
    return cast(SpentView, Windows([pos] if pos else [], now, pos.spent / MICROS if pos else 0.0, MONEY))


def did(view: View, name: str, word: str) -> int:
    """Events of one name. A shop's own that are too many have no windows of their own."""
    facts, key = facts_of(view.of), KEY_OF.get(name, name)
    if word == EVER:
        return sum(one.did[key].count for one in facts if key in one.did)
    return window(facts, view.now, word, key)


def views(view: View, what: str, word: str) -> int:
    """Looks at a product, or at products of a category and those below it (`a` holds `a.b`), of those remembered."""
    clicks, now = view.of.clickstream, view.now
    since = -1.0 if word == EVER else now - WINDOWS[word]
    return looked(clicks.viewed, what, since, now) if clicks else 0


def bought(view: View, product: str) -> bool:
    return product in view.bought


def reaches(view: View, channel: str) -> bool:
    """Whether the customer told that this channel reaches them."""
    clicks = view.of.clickstream
    return clicks is not None and clicks.reach.get(channel, False)


def consents(view: View, purpose: str) -> bool:
    """Whether the customer said yes to this purpose."""
    clicks = view.of.clickstream
    return clicks is not None and clicks.consent.get(purpose, False)


def happened(view: View, name: str) -> bool:
    """Whether there ever was an event of this name."""
    return any(at(facts, name, -1.0) >= 0.0 for facts in facts_of(view.of))


PREDICATES: Final[dict[str, Callable[[View, str], bool]]] = {
    "bought": bought,
    "reaches": reaches,
    "consents": consents,
    "happened": happened,
}
COUNTERS: Final[dict[str, Callable[[View, str, str], int]]] = {"did": did, "views": views}
"""Of a text, in a window or EVER."""
