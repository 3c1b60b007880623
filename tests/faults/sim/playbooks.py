"""The playbooks of the histories: small, quick, and always near a limit.

Occurrences and silences are such that the checker can work out from the log alone which there are: `looked` has one
for each product viewed, and the silence of `abandoned` and `forgotten` is named by the event that began it.
"""

from collections import Counter
from functools import cache
from typing import Any, Final

from processors import hearing as room
from processors.decide import Decider
from processors.hearing import Hearing
from processors.playbook import Loaded, read_playbook
from processors.turn import Turn
from schemas.customer import Customer
from schemas.event import Event
from schemas.families import Kept

APP: Final = "kairos"

TEXT = """
policies:
  consent: {{unknown: allow}}
  caps:
    - {{per: customer, most: 2, within: 12s}}
    - {{per: channel, most: 1, within: 5s}}
{quiet}
plays:
  - id: looked
    on: [Product Viewed]
    occurrence: event.id
    channels: [web, push]
    data: {{item: event.product.name}}
    priority: 1
    expires: 4s
  - id: carted
    on: [Product Added, Checkout Started]
    when: cart.open && cart.value >= 15.0
    occurrence: cart.id
    channels: [push, email, web]
    priority: {priority}
    cooldown: 5s
    expires: 6s
  - id: abandoned
    on: [Product Added]
    after: 4s
    unless: [Order Completed]
    occurrence: event.id
    channels: [push, web, email]
    priority: 5
    expires: 8s
  - id: forgotten
    on: [Product Viewed, Products Searched]
    after: 3s
    unless: [Product Added, Order Completed]
    occurrence: event.id
    channels: [email, web, push]
    cooldown: 6s
    expires: 5s
{more}
"""

MORE = """
  - id: served
    purpose: service
    on: [Order Completed]
    when: orders.spent > 20.0
    occurrence: orders.id
    channels: [email, web, push]
    expires: 10s
"""
STANDING = """
  - id: moved
    on: [Stage Changed, Segment Entered]
    occurrence: event.id
    channels: [push]
    priority: 2
    cooldown: 3s
    expires: 3s
segments:
  levels:
    - level: behavioural
      leaves:
        - {id: loyal, when: orders.count >= 2}
        - {id: busy, when: did("Product Added").ever >= 3}
stages:
  first: new
  table:
    - {from: [new], on: [Product Added, Checkout Started], to: keen}
    - {from: [new, keen], on: [Order Completed], to: buyer}
    - {from: [buyer], on: [Order Completed], when: orders.count >= 2, to: regular}
  lapse:
    - {from: keen, after: 5s, to: new}
    - {from: buyer, after: 7s, to: new}
    - {from: regular, after: 4s, to: buyer}
identity:
  limits:
    anonymous: {most: 2, within: 400d}
"""
"""A leaf asks nothing that time alone changes, and each stage but the first lapses: at rest no timer is left."""
QUIET = '  quiet: {from: "13:34", to: "13:35", then: hold}'


@cache
def playbook(version: int, quiet: bool, standing: bool, kept: Kept) -> Loaded:
    """One of two: the second has another order of plays, and one more. `standing`: with segments and stages."""
    more = ("", MORE)[version] + (STANDING if standing else "")
    return read_playbook(TEXT.format(quiet=QUIET if quiet else "", priority=(3, 7)[version], more=more), kept)


def folds(quiet: bool, clock_bound: float, standing: bool, kept: Kept) -> dict[str, "Attentive"]:
    """Version -> the real fold of that playbook."""
    loaded = [playbook(version, quiet, standing, kept) for version in (0, 1)]
    return {one.version: Attentive(APP, one.playbook, one.conditions, one.version, clock_bound, kept) for one in loaded}


class Attentive(Decider):
    """The real fold, and a note of what was heard."""

    heard: Counter[tuple[bytes, str]] | None = None
    """(who heard, message id) -> how often; None: nobody takes notes."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.hearing.react = self._react

    def _react(
        self, hearing: Hearing, turn: Turn[Customer], key: bytes, customer: Customer, topic: str, event: Event
    ) -> bool:
        if self.heard is not None:
            self.heard[key, event.id] += 1
        return room.react(hearing, turn, key, customer, topic, event)
