"""Other ids a call names -> links. Only a server key says who is who; addresses are hashed, never kept."""

import re
from hashlib import sha256
from typing import Any, Final

from schemas.identity import ANONYMOUS, KINDS, USER, Link, key_of
from schemas.wire.values import FORBIDDEN, Fault, identifier, kind, text

TYPES: Final = {
    **{name: name for name in KINDS},
    **dict.fromkeys(("user_id", "userid", "customer"), USER),
    **dict.fromkeys(("anonymous_id", "anonymousid", "cookie"), ANONYMOUS),
    **dict.fromkeys(("member_card", "membercard", "loyalty", "loyalty_card", "qr"), "card"),
    **dict.fromkeys(("email_address", "email_sha256"), "email"),
    **dict.fromkeys(("phone_number", "phone_sha256", "msisdn"), "phone"),
    **dict.fromkeys(("device_id", "ios.idfa", "ios.idfv", "android.idfa", "android.id"), "device"),
    **dict.fromkeys(("line_id", "line_user_id"), "line"),
}
"""`type` of an external id -> kind. One that is not here links nothing."""
MOST: Final = 8
VALUE_MOST: Final = 100
"""Characters: with its kind before it, it must still be an id."""
_HASH: Final = re.compile("[0-9a-f]{64}")
_BLANK: Final = re.compile(r"(?:null|none|undefined|nan|unknown|0+|(?:test|noreply|no-reply)@.*)")
"""Addresses that are nobody's: once hashed, no pattern would know them."""


def links_of(given: Any, place: str) -> list[Link]:
    """`[{type, id}]`, with a `relation` for somebody else. Raises Fault."""
    if given is None or given == []:
        return []
    if type(given) is not list or len(given) > MOST:
        raise Fault(place, f"wanted a list of at most {MOST} ids, got {kind(given)}")
    return [link for one in given if (link := link_of(one, place)) is not None]


def link_of(given: Any, place: str) -> Link | None:
    """None: a type nobody knows, or nobody's value."""
    if type(given) is not dict:
        raise Fault(place, f"wanted objects with type and id, got {kind(given)}")
    what = TYPES.get(str(given.get("type", "")).lower())
    value = identifier(given.get("id"), f"{place}.id")
    if what is None or not value:
        return None
    if what in ("email", "phone"):
        value = hashed(what, value)
    if len(value.encode()) > VALUE_MOST:
        raise Fault(f"{place}.id", f"wanted at most {VALUE_MOST} bytes")
    return Link(what, value, relation=text(given.get("relation"))[:64]) if value else None


def hashed(what: str, value: str) -> str:
    """SHA-256 of an address in its plainest form, as others hash it too; empty: it is nobody's."""
    plain = value.strip().lower()
    if _HASH.fullmatch(plain):
        return plain
    if what == "phone":
        plain = re.sub(r"[^0-9]", "", plain)
    return "" if not plain or _BLANK.fullmatch(plain) else sha256(plain.encode()).hexdigest()


def greatest(links: list[Link]) -> str:
    """The key of the greatest of these ids: whose event it is when nothing else says so. Empty: there is none."""
    own = [link for link in links if not link.relation]
    best = min(own, key=lambda link: KINDS.index(link.kind), default=None)
    return key_of(best.kind, best.id) if best else ""


def plain(id: str, field: str) -> None:
    """What anyone can send must not pass for another kind of id. Raises Fault."""
    if ":" in id and id.partition(":")[0] in KINDS:
        raise Fault(field, "wanted a plain id from a browser key, got one of another kind", FORBIDDEN)
