"""The playbook of the demo: the one that is shipped, with silences of seconds, so that a minute shows every play."""

from collections.abc import Iterator

import yaml

from processors.caps import words
from schemas.playbook import JustBought, Play, Playbook

FIRST, STEP = 5.0, 2.0
"""Seconds of the shortest silence; how much longer each next one is. They keep their order."""
JUST_BOUGHT = 3.0
"""Less than any silence: else what goes with an order could never be said in a minute."""


def quicken(playbook: Playbook) -> Playbook:
    """The same plays and policies; only silences are short."""
    short = shortened(playbook)
    plays = [play.model_copy(update={"after": short.get(play.id, play.after)}) for play in playbook.plays]
    policies = playbook.policies
    if policies.just_bought:
        bought = JustBought(
            within=min(JUST_BOUGHT, policies.just_bought.within), purposes=policies.just_bought.purposes
        )
        policies = policies.model_copy(update={"just_bought": bought})
    return playbook.model_copy(update={"plays": plays, "policies": policies})


def shortened(playbook: Playbook) -> dict[str, float]:
    """Play -> its silence in the demo, seconds. A silence that is shorter already stays."""
    waits = sorted(_waits(playbook), key=lambda item: item[1])
    return {play.id: min(after, FIRST + STEP * place) for place, (play, after) in enumerate(waits)}


def told(playbook: Playbook) -> str:
    """What was changed, in words."""
    short = shortened(playbook)
    return ", ".join(f"{play.id} {words(after)} -> {words(short[play.id])}" for play, after in _waits(playbook))


def as_yaml(playbook: Playbook) -> str:
    """As a file that `kairos init` reads."""
    content = playbook.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _waits(playbook: Playbook) -> Iterator[tuple[Play, float]]:
    return ((play, play.after) for play in playbook.plays if play.after is not None)
