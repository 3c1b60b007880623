"""Segments: a waterfall. The first leaf whose condition holds takes the customer; who is in none is in `others`.

How it works. Leaves are asked of the view as of the customer's latest event, once a turn and topic however many events
it brought, and again when time alone can change an answer. When that is, `Hours` reads off the conditions: a bucket
leaves a window they name, an order becomes older than a bound of recency; conditions that ask `now` or `intent.score`
are asked again every so often (`segments.every`). Seconds too short to matter are waited for together.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from processors.counters import facts_of
from processors.profile import at
from processors.proposals import Answers
from processors.windows import WINDOWS
from schemas.customer import Customer
from schemas.event import COMPLAINED, ORDERED, SETTLED, Event
from schemas.facts import DAY, HOUR, MINUTES
from schemas.playbook import OTHERS, Playbook
from schemas.topics import CART, POS

GAP: Final = 60.0
"""Seconds: time alone changes a segment no sooner than so long after it was last asked."""
WORD: Final = re.compile(r"\b(?:events|spent)\s*\.\s*(hour|day|week|month)\b|\)\s*\.\s*(hour|day|week|month)\b")
OFTEN: Final = re.compile(r"\b(?:now\b|intent\s*\.\s*score)")
RECENCY: Final = re.compile(r"\brfm\s*\.\s*recency\b")
MONTHLY: Final = re.compile(r"\bengagement\s*\.")


TEXT: Final = re.compile(r"""[a-zA-Z]?("[^"\n]*"|'[^'\n]*')""")
ROOT: Final = re.compile(r"(?<![.\w])([a-zA-Z_]\w*)")
ANY: Final = "any"
SERVICE: Final = "service"
INPUTS: Final = {
    "true": frozenset[str](),
    "false": frozenset[str](),
    "service": frozenset((SERVICE,)),
    "cart": frozenset((CART, POS)),
    **dict.fromkeys(("orders", "rfm", "spent", "bought"), frozenset((POS,))),
}
"""Word -> what events may change it: those of a topic, those about service, any. A word that is not here: any."""


def inputs(condition: str) -> frozenset[str]:
    """What events may change a condition's answer."""
    roots = ROOT.findall(TEXT.sub("0", condition))
    return frozenset[str]().union(*(INPUTS.get(root, frozenset((ANY,))) for root in roots))


def about_service(event: Event) -> bool:
    return event.sentiment is not None or event.nps is not None or event.name in (COMPLAINED, SETTLED)


def rule(leaf: str) -> str:
    """The name a leaf's condition is asked by."""
    return f"segment:{leaf}"


class Hours(Struct, frozen=True):
    """When time alone may change what some conditions say."""

    spans: tuple[float, ...]
    bounds: tuple[float, ...]
    every: float
    """0: they do not ask what changes all the time."""

    @classmethod
    def of(cls, conditions: Iterable[str], playbook: Playbook) -> "Hours":
        texts = list(conditions)
        words = {word for text in texts for found in WORD.findall(text) for word in found if word}
        if any(MONTHLY.search(text) for text in texts):
            words.add("month")
        recency = any(RECENCY.search(text) for text in texts)
        often = playbook.segments.every if any(OFTEN.search(text) for text in texts) else 0.0
        return cls(tuple(WINDOWS[word] for word in words), tuple(playbook.rfm.recency) if recency else (), often)

    def after(self, customer: Customer, moment: float) -> float:
        """The next such time; 0: none."""
        times = [time for time in self._times(customer, moment) if time > moment]
        times += [moment + self.every] if self.every else []
        return max(min(times), moment + GAP) if times else 0.0

    def _times(self, customer: Customer, moment: float) -> Iterator[float]:
        if self.spans:
            for facts in facts_of(customer):
                for cells, size in ((facts.minutes, MINUTES), (facts.hours, HOUR), (facts.days, DAY)):
                    for span in self.spans:
                        for cell in cells:  # oldest first
                            if (leaves := cell.at * size + span) > moment:
                                yield leaves
                                break
        if self.bounds and (ordered := at(customer.pos, ORDERED)):
            for bound in self.bounds:
                yield ordered + bound + 1.0


class Waterfall:
    """The segments of a playbook."""

    def __init__(self, playbook: Playbook) -> None:
        self.leaves: Final = [leaf for level in playbook.segments.levels for leaf in level.leaves]
        self._inputs: Final[dict[str, frozenset[str]]] = {}
        """Leaf -> what events may change that the customer is there: it and the leaves before it are asked."""
        so_far: frozenset[str] = frozenset()
        for leaf in self.leaves:
            self._inputs[leaf.id] = so_far = so_far | inputs(leaf.when)
        self._all: Final = so_far
        self.hours: Final = Hours.of([leaf.when for leaf in self.leaves], playbook)

    def concerns(self, leaf: str, topic: str, event: Event) -> bool:
        """Whether an event may take a customer out of a leaf."""
        asked = self._inputs.get(leaf, self._all)
        if not leaf or (leaf not in self._inputs and leaf != OTHERS):
            return True
        return ANY in asked or topic in asked or (SERVICE in asked and about_service(event))

    def leaf(self, answers: Answers) -> str:
        """The one leaf the customer is in."""
        if told := answers.leaf():
            return told
        return next((leaf.id for leaf in self.leaves if answers.rule(rule(leaf.id))), OTHERS)
