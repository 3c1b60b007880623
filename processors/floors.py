"""A score below which a play's condition cannot hold, read off its text.

How it works. `intent.score >= 0.5 && cart.open` cannot hold of a customer with a score of 0.4, whatever else it
asks; CEL agrees even when the rest has no answer. Working out a score costs a tenth of asking CEL, and most
customers are cold. So a condition that is a plain `a && b && c` with such a part has a floor. Where the text might
mean anything else there is none, and CEL is asked: this may only ever spare a question, never change its answer.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from schemas.playbook import Play

TEXT: Final = re.compile(r"""[a-zA-Z]?("[^"\\\n]*"|'[^'\\\n]*')""")
STRANGE: Final = re.compile(r"""["'\\]|//""")
"""What is left of texts that are not simple, and comments: better not read."""
ABOVE: Final = re.compile(r"\s*intent\.score\s*>=?\s*(\d+(?:\.\d+)?)\s*")
BELOW: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*<=?\s*intent\.score\s*")


def floors(plays: Iterable[Play]) -> dict[str, float]:
    """Play -> the least score its condition asks for, of those that ask for one."""
    return {play.id: least for play in plays if (least := floor(play.when)) > 0.0}


def floor(when: str) -> float:
    """The least score a condition asks for; 0.0 when it asks for none, or not plainly."""
    plain = TEXT.sub("0", when)
    if STRANGE.search(plain):
        return 0.0
    outside = "".join(outermost(plain))
    if "||" in outside or "?" in outside:
        return 0.0
    asked = (ABOVE.fullmatch(part) or BELOW.fullmatch(part) for part in outside.split("&&"))
    return max((float(match[1]) for match in asked if match), default=0.0)


def outermost(text: str) -> Iterator[str]:
    """What is outside all brackets; a pair of brackets stays as `()`, so that what it touches is not taken for less."""
    depth = 0
    for sign in text:
        if sign in "([{":
            depth += 1
            if depth == 1:
                yield "("
        elif sign in ")]}":
            depth -= 1
            if depth == 0:
                yield ")"
        elif depth == 0:
            yield sign
