"""Claims: an event names other ids of its customer. What the playbook's rules believe becomes markers.

Every event that carries an anonymousId beside the userId is a claim, and nearly all of them say nothing new. So a claim
is passed on when it is a log-in (`Customer Identified`), the first of this id in this log, of another session, or half
an hour after the last. That depends on this log alone: after a rewind the same claims are passed on again, under the
same ids, and change nothing. What is claimed again without a log-in is one marker, not one a log (`Marker.again`).
"""

import re
from collections.abc import Iterator, Mapping
from fnmatch import translate
from functools import cache
from typing import Any, Final

from processors.markers import markers
from processors.owners import alive
from processors.turn import Turn
from schemas.customer import Customer
from schemas.event import IDENTIFIED, Event
from schemas.identity import ANONYMOUS, CLAIMS_MOST, USER, Claim, Link, Marker, Side, key_of, kind_of
from schemas.playbook import IdentityRules, Limit

AGAIN: Final = 1800.0
"""Seconds after which what was claimed is claimed anew, where sessions are not told."""


def claim(turn: Turn[Customer], rules: IdentityRules, side: Side[Any], key: str, event: Event) -> None:
    """Pass on what an event at `key` claims; `side`: what links made of that log."""
    for link in named(event):
        other = key_of(link.kind, link.id)
        if other == key or not fresh(side, other, event):
            continue
        refused = refusal(rules, side, key, other, link, event)
        if refused:
            turn.counts[f"unlinked:{refused}"] += 1
            continue
        again = other in side.claims and event.name != IDENTIFIED
        side.claims[other] = Claim(event.time, event.session)
        lesser, greater = order(rules, key, other, link.kind)
        most, within = limit(rules, link.kind if lesser == other else kind_of(key))
        marker = Marker("link", greater, event.source, link.trust, most, within, again)
        turn.messages += markers(lesser, marker, event.id, event.time)
        turn.counts[f"linked:{link.kind}"] += 1


def nothing_new(side: Side[Any], event: Event) -> bool:
    """Whether the anonymousId of an event was claimed already."""
    last = side.claims.get(event.anonymous)
    return last is not None and not renewed(last, event)


def named(event: Event) -> Iterator[Link]:
    """The ids of its customer that an event names."""
    if event.anonymous:
        yield Link(ANONYMOUS, event.anonymous)
    yield from (link for link in event.links if not link.relation)


def fresh(side: Side[Any], other: str, event: Event) -> bool:
    """Whether the claim says anything new."""
    last = side.claims.get(other)
    return last is None or renewed(last, event)


def renewed(last: Claim, event: Event) -> bool:
    """Whether it is to be passed on again."""
    if event.session and event.session != last.session:
        return True
    return event.name == IDENTIFIED or (not event.session and event.time >= last.time + AGAIN)


def refusal(rules: IdentityRules, side: Side[Any], key: str, other: str, link: Link, event: Event) -> str:
    """Why a claim is not believed; empty: it is."""
    if link.kind not in rules.kinds:
        return "kind"
    if rules.sources and event.source not in rules.sources:
        return "source"
    if link.trust not in rules.trust:
        return "trust"
    if nobodys(tuple(rules.blocked)).match(link.id.lower()):
        return "blocked"
    if other not in side.claims and len(side.claims) >= CLAIMS_MOST:
        return "many"
    if any(mark.to == other for mark in alive(side.marks)):
        return "ring"
    return ""


@cache
def nobodys(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Matches a value that one of the patterns blocks; without patterns none."""
    return re.compile("|".join(translate(pattern.lower()) for pattern in patterns) or r"(?!)")


def order(rules: IdentityRules, key: str, other: str, kind: str) -> tuple[str, str]:
    """The lesser and the greater of two ids. Of one kind the named one is lesser: an alias names the id used before."""
    rank = ranks(tuple(rules.kinds))
    own = rank.get(kind_of(key), rank.get(USER, -1))
    return (key, other) if rank[kind] < own else (other, key)


@cache
def ranks(kinds: tuple[str, ...]) -> dict[str, int]:
    """Kind -> its rank, the greatest first."""
    return {kind: number for number, kind in enumerate(kinds)}


def limit(rules: IdentityRules, kind: str) -> tuple[int, float]:
    """With how many owners in how many seconds an id of this kind is shared; 0: never."""
    limits: Mapping[str, Limit] = rules.limits  # type: ignore[assignment]  # asked by any word
    found = limits.get(kind)
    return (found.most, found.within) if found is not None else (0, 0.0)
