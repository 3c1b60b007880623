"""How many triggers the fullest window would hold: what caps and cooldowns ask.

Windows are two-sided, because a trigger of a lost history may have been decided later than now. What counts is the
decided time, but what a customer feels is the sending: a trigger leaves any time until it expires, by a clock that
may be off. So a window that begins with a trigger is longer by that trigger's span and by twice the clock bound;
senders drop what has expired, and then no window of the plain length holds more by send time either. Proof: of any
sends in a plain window, let i be decided first and j last; decided(j) - decided(i) <= sent(j) + bound - (sent(i) -
span(i) - bound).
"""

from collections.abc import Sequence
from typing import Final

from schemas.customer import Sent
from schemas.playbook import Cap

UNITS: Final = ((604_800.0, "w"), (86_400.0, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s"))


def held(cap: Cap, others: Sequence[Sent], one: Sent, margin: float) -> int:
    """How many triggers the fullest window that holds `one` would then hold, itself among them."""
    return fullest([other for other in others if alike(cap, other, one)], one, cap.within + margin)


def alike(cap: Cap, other: Sent, one: Sent) -> bool:
    """Whether a cap counts the two together."""
    match cap.per:
        case "customer":
            return True
        case "channel":
            return other.channel == one.channel
        case "play":
            return other.play == one.play
        case "purpose":
            return other.purpose == one.purpose


def fullest(others: Sequence[Sent], one: Sent, within: float) -> int:
    """The same, of those that count."""
    if len(others) < 2:
        return 1 + (bool(others) and meet(others[0], one, within))
    windows = [(each.decided, each.decided + each.span + within) for each in (*others, one)]
    return max(
        sum(start <= decided < end for decided, _ in windows)  # how many it holds
        for start, end in windows
        if start <= one.decided < end
    )


def meet(other: Sent, one: Sent, within: float) -> bool:
    """Whether a window that one of the two begins holds both: that of the earlier does, or none."""
    first, last = (other, one) if other.decided <= one.decided else (one, other)
    return last.decided < first.decided + first.span + within


def words(seconds: float) -> str:
    """A duration as a playbook writes it: `90m`, `24h`, `7d`."""
    for size, unit in UNITS:
        if not seconds % size and (seconds >= 2 * size or unit in "hms"):
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"
