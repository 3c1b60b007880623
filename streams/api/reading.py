"""Answers from the store: one person, only the parts asked for."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from processors.persons import FACTS, origins
from processors.playbook import read_playbook
from processors.sight import look
from processors.touches import timeline as touches
from processors.view import EventsView, SpentView, View
from schemas.customer import REFUSALS_MOST, Customer, Waiting
from schemas.customer import Decisions as Concluded
from schemas.facts import ClickFacts, Seen
from schemas.families import ALL, TIMELINE, Kept, left_out
from schemas.playbook import Playbook
from streams.api.shapes import Decided, Facts, Profile, Provenance, Sight, Timeline
from streams.state.meta import kept
from streams.state.people import Person
from streams.state.store import Store

REMEMBERED: Final = {
    "sent": "for as long as a cap or cooldown may count them; `/decisions` adds the reasons",
    "refused": f"the newest {REFUSALS_MOST}, each once as long as the same policy refuses it",
}
NOBODY: Final = Waiting(0.0, 0.0)
COUNTED: Final = {"events": EventsView, "spent": SpentView}
"""What the view works out piece by piece."""
ASKED: Final = {*View.__struct_fields__} & {*Sight.__struct_fields__}


class Playbooks:
    """The playbook in force, and which facts there are; looked for again after `seconds`."""

    def __init__(self, store: Store, seconds: float) -> None:
        self._store, self._seconds = store, seconds
        self._looked, self._version, self._playbook, self._kept = float("-inf"), "", Playbook(), ALL

    async def current(self) -> tuple[Playbook, Kept]:
        """An empty one where none was published, and the families of facts that are kept. Raises Unavailable."""
        if time.monotonic() - self._looked > self._seconds:
            version = await self._store.current() or ""
            text = await self._store.playbook(version) if version != self._version else None
            if text is not None:
                self._version, self._playbook = version, read_playbook(text.decode()).playbook
            self._kept = kept(await self._store.slot(0).meta())
            self._looked = time.monotonic()
        return self._playbook, self._kept


def profile(person: Person, parts: Sequence[str], playbook: Playbook, kept: Kept = ALL) -> Profile:
    found = Profile(person.id, origins(person.customer), not_kept=left_out(kept))
    for part in parts:
        setattr(found, part, PARTS[part](person, playbook))
    return found


def facts_of(person: Person, _: Playbook) -> Facts:
    """Without what only the fold needs: positions, and digests of message ids."""
    told = {topic: facts for topic in FACTS if (facts := getattr(person.customer, topic)) is not None}
    return Facts(**{topic: replace(facts, next=0, seen=Seen()) for topic, facts in told.items()})


def decided(person: Person, _: Playbook | None = None) -> Decided:
    """Of the person, and what its other ids sent before they were linked."""
    customer = person.customer
    concluded = customer.decisions or Concluded()
    sent = [*concluded.sent, *(customer.identity.sent if customer.identity else ())]
    newest = sorted(sent, key=lambda one: -one.decided)
    return Decided(newest, concluded.refused[::-1], concluded.waiting, REMEMBERED)


def view_of(person: Person, playbook: Playbook) -> Sight:
    view = look(person.customer, person.id.encode(), NOBODY, time.time(), playbook)
    clicks, stands = person.customer.clickstream or ClickFacts(), person.customer.decisions or Concluded()
    told: dict[str, Any] = {name: getattr(view, name) for name in ASKED}
    for name, shape in COUNTED.items():
        told[name] = msgspec.convert(told[name], shape, from_attributes=True)
    return Sight(
        **told,
        segment_since=stands.segment_since,
        stage_since=stands.stage_since,
        consent=clicks.consent,
        reach=clicks.reach,
        provenance={word: Provenance(told.at, told.source) for word, told in clicks.told.items()},
    )


def timeline(person: Person, most: int, kept: Kept = ALL) -> Timeline:
    return Timeline(person.id, touches(person.customer)[:most], TIMELINE in kept)


PARTS: Final[dict[str, Callable[[Person, Playbook], Any]]] = {
    "facts": facts_of,
    "decisions": decided,
    "view": view_of,
}
"""What may be asked for, and how it comes about."""


def known(customer: Customer, path: Sequence[str]) -> list[str]:
    """All keys of a person."""
    return sorted({*path, *origins(customer)})
