"""What the meta of a slot says to whoever wants to go on with its content: where, and whether it can be read at all."""

from collections.abc import Mapping

from schemas.customer import FORMAT
from schemas.topics import INPUTS


def positions(meta: Mapping[str, bytes]) -> dict[str, int]:
    """Topic -> offset to go on at. A state from before there was such a topic has read nothing of it."""
    return {topic: int(meta.get(f"next:{topic}", b"0")) for topic in INPUTS}


def outdated(meta: Mapping[str, bytes]) -> str:
    """Why its customers must not be read: another Kairos wrote them. Empty: they can be."""
    got = int(meta.get("format", b"1"))
    return "" if got == FORMAT else OUTDATED.format(wanted=FORMAT, got=got)


OUTDATED = (
    "wanted customers in format {wanted}, got {got}: another version of Kairos kept them. Go on with that one, or stop "
    "the workers, run `kairos init` for topics that are new, and `kairos rebuild`, which folds the logs anew"
)
