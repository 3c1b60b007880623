"""The playbooks of the histories: small, quick, and always near a limit.

Occurrences and silences are such that the checker can work out from the log alone which there are: `looked` has one
for each product viewed, and the silence of `abandoned` and `forgotten` is named by the event that began it.
"""

from functools import cache
from typing import Final

from processors.decide import Decider
from processors.playbook import Loaded, read_playbook

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
QUIET = '  quiet: {from: "13:34", to: "13:35", then: hold}'


@cache
def playbook(version: int, quiet: bool) -> Loaded:
    """One of two: the second has another order of plays, and one more."""
    text = TEXT.format(quiet=QUIET if quiet else "", priority=(3, 7)[version], more=("", MORE)[version])
    return read_playbook(text)


def folds(quiet: bool, clock_bound: float) -> dict[str, Decider]:
    """Version -> the real fold of that playbook."""
    loaded = [playbook(version, quiet) for version in (0, 1)]
    return {one.version: Decider(APP, one.playbook, one.conditions, one.version, clock_bound) for one in loaded}
