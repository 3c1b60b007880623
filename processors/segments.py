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
from schemas.event import ORDERED
from schemas.facts import DAY, HOUR, MINUTES
from schemas.playbook import OTHERS, Playbook

GAP: Final = 60.0
"""Seconds: time alone changes a segment no sooner than so long after it was last asked."""
WORD: Final = re.compile(r"\b(?:events|spent)\s*\.\s*(hour|day|week|month)\b|\)\s*\.\s*(hour|day|week|month)\b")
OFTEN: Final = re.compile(r"\b(?:now\b|intent\s*\.\s*score)")
RECENCY: Final = re.compile(r"\brfm\s*\.\s*recency\b")
MONTHLY: Final = re.compile(r"\bengagement\s*\.")


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
        times = [time for time in self._times(customer) if time > moment]
        times += [moment + self.every] if self.every else []
        return max(min(times), moment + GAP) if times else 0.0

    def _times(self, customer: Customer) -> Iterator[float]:
        if self.spans:
            for facts in facts_of(customer):
                for cells, size in ((facts.minutes, MINUTES), (facts.hours, HOUR), (facts.days, DAY)):
                    for cell in cells:
                        for span in self.spans:
                            yield cell.at * size + span
        if self.bounds and (ordered := at(customer.pos, ORDERED)):
            for bound in self.bounds:
                yield ordered + bound + 1.0


class Waterfall:
    """The segments of a playbook."""

    def __init__(self, playbook: Playbook) -> None:
        self.leaves: Final = [leaf for level in playbook.segments.levels for leaf in level.leaves]
        self.hours: Final = Hours.of([leaf.when for leaf in self.leaves], playbook)

    def leaf(self, answers: Answers) -> str:
        """The one leaf the customer is in."""
        return next((leaf.id for leaf in self.leaves if answers.rule(rule(leaf.id))), OTHERS)
