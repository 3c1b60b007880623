"""Yesterday's bytes are read today: new fields have defaults, types never change. Never edit the bytes: add to them."""

import msgspec
import pytest

from schemas.customer import FORMAT, decode_customer, encode_customer
from schemas.event import decode_event
from schemas.part import decode_part, encode_part
from schemas.trigger import decode_feedback, decode_trigger
from schemas.turn import Message, TurnRecord, decode_message, decode_turn, encode_message, encode_turn

CUSTOMER = b"""{
"clickstream": {"next": 7, "seen": {"now": "hPD9BF67QKg=", "since": 1790000001.0}, "events": 2, "first": 1790000001.0,
  "last": 1790000002.0, "did": {"pv": [2, 1790000002.0]}, "minutes": [[5966666, {"pv": 2}]],
  "hours": [[497222, {"pv": 1}]], "days": [[20717, {"pv": 1}]], "touches": "arFJgQYQ", "channels": {"web": 2},
  "clock": {"14": 2}, "weekdays": {"1": 2}, "stores": {"s7": 1}, "devices": {"ios": 2},
  "likes": {"690": [{"Shoes": 2}, {"B": 1}, {"4": 2}, {}]},
  "viewed": [["boots", "arFJgWqxSYI=", "Boots", "Shoes", "B", 10000000]], "cut": 1780000000,
  "session": [1790000002.0, "s1"], "zone": "Asia/Tokyo", "consent": {"marketing": true}, "reach": {"push": false},
  "name": "Ann", "tier": "gold", "points": 120, "nps": 9, "aliases": {"anon-1": 1790000001.0},
  "identified": 1790000001.0, "complaints": {"c1": [1790000001.0, true]},
  "told": {"zone": [1790000001.0, "web"], "consent:marketing": [1790000001.0, ""], "reach:push": [1790000001.0, ""]}},
"cart": {"next": 3, "events": 1, "first": 1790000003.0, "last": 1790000003.0, "did": {"ad": [1, 1790000003.0]},
  "channels": {"web": 1}, "currency": [1790000003.0, "EUR"], "taken": [[1790000004.0, "boots", 1]],
  "lines": [[1790000003.0, "boots", 1, 10000000, "c1", "Boots", "Shoes"]]},
"pos": {"next": 9, "events": 1, "first": 1790000000.0, "last": 1790000000.0, "did": {"oc": [1, 1790000000.0]},
  "channels": {"store": 1}, "orders": 1, "tills": 1, "refunds": 1, "spent": 10000000, "refunded": 1000000,
  "last_online": 1790000000.0, "cut": [1780000000.0, "o0"], "currency": [1790000000.0, "EUR"],
  "receipts": [[1790000000.0, "o1", true, 10000000, ["hat"], ["Shoes"]]]},
"feedback": {"next": 2, "events": 1, "last": 1790000004.0, "counts": {"web": {"clicked": 1}}, "touches": "arFJhD4Q"},
"decisions": {"intent": {"at": 1790000003.0, "sums": {"views": 1.9, "adds": 1.0}},
  "waiting": {"cart-abandoned": {"due": 1790002703.0, "armed": 1790000003.0, "event": "m3", "name": "Product Added"},
    "hot": {"due": 1790006400.0, "armed": 1790000002.0, "event": "m2", "name": "Product Viewed", "held": true,
      "time": 1790000002.0, "occurrence": "2026-09-21", "data": {"item": "Boots"}, "why": {"on": "Product Viewed"}}},
  "concluded": {"cart-abandoned": 1780000000.0},
  "sent": [{"id": "a1", "play": "hot", "channel": "web", "decided": 1780000005.0, "span": 3600.0,
    "purpose": "marketing"}],
  "refused": [{"id": "a2", "play": "hot", "occurrence": "o", "time": 1.0, "decided": 2.0, "reason": "cap"}]}}"""

LINKED = b"""{
"clickstream": {"next": 7, "related": {"kid": [1790000001.0, "child"]}},
"decisions": {"segment": "loyal", "segment_since": 1790000001.0, "stage": "conversion", "stage_since": 1790000001.0,
  "look": 1790086401.0},
"identity": {"next": 4, "owner": "ann", "since": 3, "seen": {"now": "hPD9BF67QKg=", "since": 1790000001.0},
  "marks": [{"to": "ann", "time": 1790000001.0, "again": 1790000002.0, "at": 2, "most": 5, "within": 604800.0,
    "dead": true}],
  "clickstream": {"since": 6, "owner": "ann",
    "closed": [{"at": 1, "facts": {"seen": {}, "events": 1, "did": {"pv": [1, 1790000001.0]}}, "owner": "bob"}],
    "claims": {"card:1": {"time": 1790000001.0, "session": "s1"}},
    "held": {"x": {"version": [0, 9], "facts": {"events": 1, "stores": {"s7": 1}}}}},
  "sent": [{"id": "a1", "play": "hot", "channel": "web", "decided": 1780000005.0}],
  "warmth": {"x": {"at": 1790000003.0, "sums": {"views": 1.9}}}}}"""

PARTS = (
    b"""{"path": ["x"], "topic": "pos", "version": [0, 9], "events": [{"at": 8, "event": {"id": "m1"}}],
"pos": {"events": 1, "receipts": [[1790000000.0, "o1", true, 10000000, ["hat"], ["Shoes"]]]}}""",
    b"""{"path": ["x"], "belongings": {"waiting": {"hot": {"due": 3.0, "armed": 2.0}},
"sent": [{"id": "a1", "play": "hot", "channel": "web", "decided": 2.0}], "warmth": {"x": {"at": 1.0}},
"stage": "conversion", "stage_since": 1.0}}""",
    b'{"marker": {"what": "link", "to": "ann", "source": "web", "trust": "token", "most": 5}, "id": "l1"}',
)

FORMAT_1 = (
    b"""{"clickstream": {"events": 2, "counts": {"Product Viewed": 2}, "at": {"Product Viewed": 1790000002.0}}}""",
    b"""{"clickstream": {"aliases": ["anon-1"]}}""",
    b"""{"clickstream": {"session": "s1"}}""",
    b"""{"clickstream": {"told": {"zone": 1790000001.0}}}""",
    b"""{"cart": {"lines": [{"id": "boots", "quantity": 1, "price": 10000000, "added": 1.0, "opened": "c1"}]}}""",
    b"""{"pos": {"orders": 1, "receipts": 1, "last_order": "o1", "bought": {"hat": 1790000000.0}}}""",
)
"""What nobody can go on with, and the meta of a state says so."""

EVENT = b"""{"id": "m1", "name": "Order Completed", "time": 1790000000.5, "received": 1790000001, "channel": "store",
"source": "till-7", "anonymous": "anon-1", "products": [{"id": "hat", "name": "Hat", "category": "Hats", "brand": "B",
"variant": "red", "price": 12500000, "quantity": 2}], "total": 25000000, "currency": "EUR", "order": "o1", "cart": "c1",
"session": "s1", "coupon": "X", "query": "q", "dwell": 3.5, "properties": {"gift": true, "weight": 1.5, "note": "n"},
"traits": {"zone": "Asia/Tokyo", "consent": {"marketing": true}, "reach": {"push": false}, "name": "Ann",
  "tier": "gold"},
"store": "s7", "device": "ios", "sentiment": -1, "nps": 9, "complaint": "c1",
"a field of tomorrow": {"is": ["passed", "over"]}}"""

TRIGGER = b"""{"id": "a1", "play": "hot", "version": "v1", "customer": "ann", "channel": "web", "occurrence": "o",
"time": 1.0, "decided": 2.0, "expires": 3.0, "purpose": "marketing",
"aliases": ["anon-1"], "offer": {"kind": "reminder"},
"data": {"item": "Boots"}, "received": 1.5, "why": {"on": "timer", "event": "m1", "when": "true",
"facts": {"cart.open": true}, "score": 0.5, "terms": {"bias": 0.0},
"checks": [{"policy": "cap", "allowed": true, "detail": "0 of 2 per customer in 24h"}]}}"""

FEEDBACK = (
    b'{"id": "f1", "trigger": "a1", "what": "clicked", "time": 1.0, "channel": "web", "play": "hot", "received": 2.0}'
)


@pytest.mark.parametrize("value", [CUSTOMER, LINKED])
def test_a_customer_of_yesterday_loses_nothing(value: bytes) -> None:
    customer = decode_customer(value)
    told, wanted = msgspec.json.decode(encode_customer(customer)), msgspec.json.decode(value)
    assert contains(told, wanted)
    assert decode_customer(encode_customer(customer)) == customer


@pytest.mark.parametrize("value", FORMAT_1)
def test_a_customer_of_format_1_cannot_be_read(value: bytes) -> None:
    """Or only in part, and nothing would say so."""
    with pytest.raises((msgspec.ValidationError, AssertionError)):
        assert contains(msgspec.json.decode(encode_customer(decode_customer(value))), msgspec.json.decode(value))
    assert FORMAT == 2


@pytest.mark.parametrize("value", PARTS)
def test_a_part_of_yesterday_loses_nothing(value: bytes) -> None:
    told, wanted = msgspec.json.decode(encode_part(decode_part(value))), msgspec.json.decode(value)
    assert contains(told, wanted)


def contains(told: object, wanted: object) -> bool:
    """Whether `told` says all of `wanted`; what equals its default may be left out."""
    if isinstance(wanted, dict) and isinstance(told, dict):
        return all(contains(told[name], value) if name in told else not value for name, value in wanted.items())
    return told == wanted


def test_a_customer_is_encoded_the_same_every_time() -> None:
    once = encode_customer(decode_customer(CUSTOMER))
    assert encode_customer(decode_customer(once)) == once


def test_an_event_of_yesterday() -> None:
    event = decode_event(EVENT)
    assert (event.products[0].price, event.total, event.properties["weight"]) == (12_500_000, 25_000_000, 1.5)
    assert event.traits and event.traits.consent == {"marketing": True}


def test_the_least_an_event_needs() -> None:
    event = decode_event(b'{"id": "m1", "name": "n", "time": 1}')
    assert (event.time, event.products, event.traits) == (1.0, [], None)


def test_a_trigger_and_feedback_of_yesterday() -> None:
    trigger = decode_trigger(TRIGGER)
    assert trigger.why and trigger.why.checks[0].allowed and trigger.why.facts == {"cart.open": True}
    assert decode_feedback(FEEDBACK).what == "clicked"


def test_a_turn_record_and_a_message_of_yesterday() -> None:
    turn = bytes.fromhex(
        "98c401 61 c401 62 cb3ff0000000000000 cb4000000000000000 a27631 81a3706f7392 00 05 91c403616e6e c0".replace(
            " ", ""
        )
    )
    record = TurnRecord(b"a", b"b", 1.0, 2.0, "v1", {"pos": (0, 5)}, [b"ann"], None)
    assert decode_turn(turn) == record and encode_turn(record) == turn
    message = Message("triggers", b"ann", b"{}", [("ce_id", b"a1")], 1.5, 7)
    assert decode_message(encode_message(message)) == message
