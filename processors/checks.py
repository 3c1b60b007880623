"""What is well shaped in a playbook and still makes no sense: names nobody sends, no such zone, too short a memory.

The checks look at the data as it stands in the file and pass over what is misshapen, so that a wrong letter in one
field hides nothing in its neighbours. Each gives findings: the path of what is at fault, what, and what was wanted.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from pydantic import TypeAdapter, ValidationError

from processors.places import Path
from processors.rests import told, wanted
from processors.standings import Finding, standings
from schemas import event
from schemas.families import ALL, HABITS, Kept
from schemas.playbook import Channels, Duration, Play, Policies

EVENTS: Final = (
    *(event.PAGE, event.SCREEN, event.IDENTIFIED, event.SEARCHED, event.LIST_VIEWED),
    *(event.PRODUCT_VIEWED, event.PRODUCT_CLICKED),
    *(event.SEGMENT_ENTERED, event.SEGMENT_LEFT, event.STAGE_CHANGED),
    *sorted(event.CART_NAMES | event.POS_NAMES),
)
"""Names we know. Others are a shop's own, unless they look like one of these."""
MADE: Final = (event.SEGMENT_ENTERED, event.SEGMENT_LEFT, event.STAGE_CHANGED)
SEEN_AT: Final = ("web", "app", "store")
DURATION: Final = TypeAdapter(Duration)
EXPIRES: Final[float] = Play.model_fields["expires"].default


def check(playbook: Mapping[str, Any], kept: Kept = ALL) -> Iterator[Finding]:
    """Everything at fault in the data of a playbook. `kept`: families of facts there are."""
    policies, channels = _map(playbook, "policies"), _map(playbook, "channels")
    plays = [(("plays", i), play) for i, play in _list(playbook, "plays") if isinstance(play, dict)]
    names = [name for _, name in _texts(channels, "names")] or Channels().names
    yield from _zones(_map(policies, "quiet"))
    yield from _usual(_map(channels, "usual"), names)
    yield from _seen(channels, plays, kept)
    yield from _memory(policies, plays)
    yield from _twice(plays)
    yield from standings(playbook)
    for path, play in plays:
        yield from _events(path, play)
        for i, channel in _texts(play, "channels"):
            if channel not in names:
                yield Finding((*path, "channels", i), f"unknown channel {channel!r}", _one_of(channel, names))


def _zones(quiet: Mapping[str, Any]) -> Iterator[Finding]:
    for field, also in (("zone", "customer, or a zone"), ("otherwise", "a zone")):
        zone = quiet.get(field)
        if isinstance(zone, str) and (field, zone) != ("zone", "customer") and not _is_zone(zone):
            wanted = near(zone, sorted(available_timezones())) or f"{also} as Europe/Berlin"
            yield Finding(("policies", "quiet", field), f"there is no time zone {zone!r}", wanted)


def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name).key)
    except (KeyError, ValueError, OSError):  # unknown; no name for a file; a folder
        return False


def _usual(usual: Mapping[str, Any], names: Sequence[str]) -> Iterator[Finding]:
    for seen, name in usual.items():
        path = ("channels", "usual", seen)
        if seen not in SEEN_AT:
            yield Finding(path, f"nobody is seen at {seen!r}", "one of " + ", ".join(SEEN_AT), name=True)
        if isinstance(name, str) and name not in names:
            yield Finding(path, f"unknown channel {name!r}", _one_of(name, names))


def _seen(channels: Mapping[str, Any], plays: Sequence[Any], kept: Kept) -> Iterator[Finding]:
    """Whom a play reaches may rest on where they were seen."""
    if plays and HABITS not in kept and channels.get("usual", True):
        instead = "channels: {usual: {}}, by which those are reached who told so, or all with unknown: allow"
        what, also = told("channels.usual", HABITS), wanted(HABITS, kept).partition("; ")[2]
        yield Finding(("channels", "usual"), what, f"{instead}; {also}", name=True)


def _memory(policies: Mapping[str, Any], plays: Sequence[tuple[Path, Mapping[str, Any]]]) -> Iterator[Finding]:
    """What was sent must be remembered as long as any cap or cooldown looks back, and as long as it may lie unsent."""
    remember = _span(policies, "remember") or Policies().remember
    expiries = [_span(play, "expires") or EXPIRES for _, play in plays]
    spans: list[tuple[Path, float | None, float]] = [
        (("policies", "caps", i, "within"), _span(cap, "within"), max(expiries, default=0.0))
        for i, cap in _list(policies, "caps")
        if isinstance(cap, dict)
    ]
    spans += [
        ((*path, "cooldown"), _span(play, "cooldown"), expiry)
        for (path, play), expiry in zip(plays, expiries, strict=True)
    ]
    for path, span, expiry in spans:
        if span is not None and span + expiry > remember:
            what = f"looks back {_days(span + expiry)} (expiry included), but {_days(remember)} are remembered"
            yield Finding(path, what, f"policies.remember of {_days(span + expiry)} or more")


def _twice(plays: Sequence[tuple[Path, Mapping[str, Any]]]) -> Iterator[Finding]:
    seen = set()
    for path, play in plays:
        name = play.get("id")
        if isinstance(name, str) and name in seen:
            yield Finding((*path, "id"), f"a second play {name!r}", "an id of its own")
        seen.add(str(name))


def _events(path: Path, play: Mapping[str, Any]) -> Iterator[Finding]:
    starts = [name for _, name in _texts(play, "on")]
    if play.get("unless") and play.get("after") is None:
        yield Finding((*path, "unless"), "'unless' without 'after'", "after: how long the silence lasts, as 45m", True)
    for field in ("on", "unless"):
        for i, name in _texts(play, field):
            if meant := _meant(name):
                yield Finding((*path, field, i), f"no event is called {name!r}", f"did you mean {meant!r}?")
            if field == "unless" and name in MADE:
                yield Finding(
                    (*path, field, i), f"{name!r} ends no silence", "it in 'on'; or ask segment or stage in 'when'"
                )
            if field == "unless" and name in starts:
                yield Finding((*path, field, i), f"{name!r} both starts and ends the silence", "in 'on' or in 'unless'")


def _meant(name: str) -> str | None:
    """The event meant by a name that is nearly one we know: other case or signs, a missing end, one wrong letter."""
    if name in EVENTS:
        return None
    letters = {_letters(known): known for known in EVENTS}
    if same := letters.get(_letters(name)):
        return same
    for known in EVENTS:
        if len(name) >= 8 and known.lower().startswith(name.lower()) and len(known) - len(name) <= 3:
            return known
    return next(iter(get_close_matches(name, EVENTS, 1, 0.93)), None)


def _letters(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def near(name: str, known: Sequence[str]) -> str:
    """`did you mean ...?`, or nothing."""
    match = get_close_matches(name, known, 1, 0.6)
    return f"did you mean {match[0]!r}?" if match else ""


def _one_of(name: str, known: Sequence[str]) -> str:
    return near(name, known) or "one of " + ", ".join(known)


# -- parts of the data, as far as they are what they should be


def _map(part: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = part.get(name)
    return found if isinstance(found, dict) else {}


def _list(part: Mapping[str, Any], name: str) -> list[tuple[int, Any]]:
    found = part.get(name)
    return list(enumerate(found)) if isinstance(found, list) else []


def _texts(part: Mapping[str, Any], name: str) -> list[tuple[int, str]]:
    return [(i, one) for i, one in _list(part, name) if isinstance(one, str)]


def _span(part: Mapping[str, Any], name: str) -> float | None:
    """A duration in seconds, when it is one that may stand here."""
    try:
        return DURATION.validate_python(part.get(name))
    except ValidationError:
        return None


def _days(span: float) -> str:
    return f"{span / 86_400:.3g}d"
