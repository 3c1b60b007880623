"""What the meta of a slot says to whoever wants to go on with its content: where, and whether it can be read at all."""

from collections.abc import Mapping

from schemas.customer import FORMAT
from schemas.families import ALL, Kept, write_families
from schemas.topics import INPUTS


def positions(meta: Mapping[str, bytes]) -> dict[str, int]:
    """Topic -> offset to go on at. A state from before there was such a topic has read nothing of it."""
    return {topic: int(meta.get(f"next:{topic}", b"0")) for topic in INPUTS}


def outdated(meta: Mapping[str, bytes]) -> str:
    """Why its customers must not be read: another Kairos wrote them. Empty: they can be."""
    got = int(meta.get("format", b"1"))
    return "" if got == FORMAT else OUTDATED.format(wanted=FORMAT, got=got)


def kept(meta: Mapping[str, bytes]) -> Kept:
    """Families of facts its customers have. A state from before there was a choice has all."""
    return ALL & {*said(meta).split(",")}


def unlike(meta: Mapping[str, bytes], wanted: Kept) -> str:
    """Why nobody who keeps `wanted` may go on with it. Empty: it has just these families of facts."""
    got = said(meta)
    return "" if got == write_families(wanted) else UNLIKE.format(wanted=write_families(wanted), got=got)


def said(meta: Mapping[str, bytes]) -> str:
    return meta["facts"].decode() if "facts" in meta else write_families(ALL)


OUTDATED = (
    "wanted customers in format {wanted}, got {got}: another version of Kairos kept them. Go on with that one, or stop "
    "the workers, run `kairos init` for topics that are new, and `kairos rebuild`, which folds the logs anew"
)
UNLIKE = (
    "wanted customers with the facts {wanted} (KAIROS_FACTS), got {got}: facts must not depend on when a setting "
    "changed. Set KAIROS_FACTS={got} again, or stop the workers and run `kairos rebuild`, which folds the logs anew"
)
