"""Calls as SDKs make them, and what the wire makes of them."""

import json
from typing import Any

from schemas import wire
from schemas.event import Event, decode_event
from schemas.wire.values import Fault

NOW = 1_795_356_000.0
"""2026-11-22T14:00:00Z"""

Json = dict[str, Any]


def sender(**given: Any) -> wire.Sender:
    fields = {"received": NOW, "source": "shop", "server": True, "make_id": lambda: "made", **given}
    return wire.Sender(**fields)


def track(event: str = "Product Viewed", **fields: Any) -> Json:
    return {"type": "track", "event": event, "userId": "ann", "messageId": "m1", **fields}


def read(*events: Any, root: Json | None = None, **given: Any) -> tuple[list[wire.Record], list[wire.Bad]]:
    body = json.dumps({"batch": list(events), **(root or {})}).encode()
    return wire.convert(wire.read_batch(body, 32_768, 2_500), sender(**given))


def one(event: Json, root: Json | None = None, **given: Any) -> Event:
    records, bad = read(event, root=root, **given)
    assert not bad, bad[0].fault
    return decode_event(records[0][2])


def fault(event: Any, **given: Any) -> Fault:
    records, bad = read(event, **given)
    assert not records
    return bad[0].fault
