"""Whose call it is and where it was made: channel, and what it says of the customer (zone, consent, reach)."""

import re
from collections.abc import Mapping
from typing import Any, Final

from schemas.event import Traits
from schemas.wire.calls import Call, Consent, Context, Device, Library, System
from schemas.wire.values import Fault, kind, number, text

WEB, APP, STORE = "web", "app", "store"

CHANNELS: Final = {
    **dict.fromkeys(("web", "browser", "website"), WEB),
    **dict.fromkeys(("app", "mobile", "ios", "android"), APP),
    **dict.fromkeys(("store", "pos", "till", "retail"), STORE),
}
"""What a sender may name as its channel."""

LIBRARIES: Final = {
    **dict.fromkeys(
        ("analytics.js", "analytics-next", "@segment/analytics-next", "rudderlabs javascript sdk", "jitsu-js"), WEB
    ),
    **dict.fromkeys(
        (
            "analytics-ios",
            "analytics-android",
            "analytics-swift",
            "analytics-kotlin",
            "@segment/analytics-react-native",
            "analytics-react-native",
            "analytics_flutter",
            "rudder-ios-library",
            "com.rudderstack.android.sdk.core",
            "rudder-react-native-library",
        ),
        APP,
    ),
}
"""SDKs that tell where they run. Those of servers tell nothing."""

DEVICES: Final = {
    **dict.fromkeys(("desktop", "browser"), WEB),
    **dict.fromkeys(("ios", "android", "mobile", "phone", "tablet", "ipados", "watchos"), APP),
    **dict.fromkeys(("pos", "till", "kiosk", "terminal"), STORE),
}
SYSTEMS: Final = {"ios": APP, "ipados": APP, "android": APP, "watchos": APP}
CALLS: Final = {"page": WEB, "screen": APP}

POINTS: Final = ("points", "loyalty_points", "points_balance")
POS_SOURCE: Final = "pos"
"""A write key of this source is a till's."""

REACHED_BY: Final = ("email", "phone", "line")
_REACH: Final = {"email": "email", "phone": "sms", "line": "line"}
_ZONE: Final = re.compile(r"[A-Za-z0-9_+\-]+(?:/[A-Za-z0-9_+\-]+){0,2}")
_SAID: Final = {
    **dict.fromkeys(("true", "granted", "yes", "1"), True),
    **dict.fromkeys(("false", "denied", "no", "0"), False),
}


def channel_of(call: Call, context: Context, named: Any, source: str) -> str:
    """Where the customer was. What the sender names wins; then the till's key, SDK, device, kind of call."""
    if named is not None or context.channel is not None or call.channel is not None:
        for said in (named, context.channel, call.channel):
            if said is not None and (found := _look(CHANNELS, said)):
                return found
    if source == POS_SOURCE:
        return STORE
    library, device, os = context.library, context.device, context.os
    if library and (found := _look(LIBRARIES, library.name if type(library) is Library else library)):
        return found
    if device and (found := _look(DEVICES, device.type if type(device) is Device else device)):
        return found
    if os and (found := _look(SYSTEMS, os.name if type(os) is System else os)):
        return found
    return CALLS.get(call.type, "")  # type: ignore[arg-type]


def _look(table: Mapping[str, str], value: Any) -> str:
    return table.get(value.lower(), "") if type(value) is str else ""


def traits_of(call: Call, context: Context) -> Traits | None:
    """What this call says of the customer, None when nothing. Addresses are only looked at, never kept."""
    device, consented = context.device, context.consent
    if not (call.traits or context.traits or context.timezone or device or consented):
        return None
    given = call.traits if type(call.traits) is dict else {}
    shared = context.traits if type(context.traits) is dict else {}
    merged = {**shared, **given} if shared else given
    traits = Traits(
        zone=_zone(merged.get("timezone")) or _zone(context.timezone),
        consent=_consent(merged.get("consent"), consented),
        reach=_reached(merged, device),
        name=_name(merged),
        points=_points(merged),
        tier=text(merged.get("tier") or merged.get("loyalty_tier") or merged.get("plan")),
    )
    return traits if traits != _NOTHING else None


_NOTHING: Final = Traits()


def _zone(value: Any) -> str:
    return value if type(value) is str and len(value) <= 64 and _ZONE.fullmatch(value) else ""


def _consent(own: Any, managed: Any) -> dict[str, bool]:
    """Purpose -> given. The consent manager's word first, the trait's over it."""
    preferences = managed.category_preferences if type(managed) is Consent else None
    told = {}
    for place, said in (("context.consent.categoryPreferences", preferences), ("traits.consent", own)):
        if type(said) is dict:
            told.update({text(purpose): _answer(value, place) for purpose, value in said.items()})
        elif said is not None and said != []:
            raise Fault(place, f"wanted an object of purposes, got {kind(said)}")
    return told


def _answer(value: Any, place: str) -> bool:
    """A yes or no that nobody can mistake: what is unclear must not pass for consent."""
    if type(value) is bool:
        return value
    said = _SAID.get(str(value).lower()) if type(value) in (str, int) else None
    if said is None:
        raise Fault(place, f"wanted true or false for each purpose, got {kind(value)}")
    return said


def _reached(traits: Mapping[str, Any], device: Any) -> dict[str, bool]:
    reach = {_REACH[name]: bool(traits[name]) for name in REACHED_BY if name in traits}
    if type(device) is Device and device.token is not None:
        reach["push"] = bool(device.token)
    return reach


def device_of(context: Context) -> str:
    """The kind of device, in lower case: what it says of itself, else its system."""
    for told, shape, field in ((context.device, Device, "type"), (context.os, System, "name")):
        if told and (kind := text(getattr(told, field) if type(told) is shape else told)):
            return kind.lower()
    return ""


def _points(traits: Mapping[str, Any]) -> int | None:
    """The balance of points; what cannot be a number is none told."""
    for name in POINTS:
        if name in traits:
            try:
                return int(number(traits[name], name)) if traits[name] not in (None, "") else None
            except Fault:
                return None
    return None


def _name(traits: Mapping[str, Any]) -> str:
    if "name" in traits:
        return text(traits["name"])
    first = text(traits.get("firstName") or traits.get("first_name"))
    last = text(traits.get("lastName") or traits.get("last_name"))
    return f"{first} {last}".strip()[:512]
