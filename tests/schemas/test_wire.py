"""The wire: what SDKs send becomes our events, or a fault that names its field; nothing else, whatever is sent."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from schemas.event import Event, Product, Traits, decode_event
from schemas.topics import CART, CLICKSTREAM, FEEDBACK, POS
from schemas.trigger import decode_feedback
from schemas.wire.names import ALIASES
from schemas.wire.values import micros
from tests.schemas.calls import NOW, Json, fault, one, read, track


def test_a_viewed_product_in_full() -> None:
    properties = {"product_id": "p1", "name": "Shoe", "price": 19.99, "quantity": 2, "currency": "EUR", "color": "red"}
    event = one(track(anonymousId="a1", timestamp="2026-11-22T13:59:50Z", properties=properties))
    assert event == Event(
        id="m1",
        name="Product Viewed",
        time=NOW - 10,
        received=NOW,
        source="shop",
        anonymous="a1",
        products=[Product("p1", "Shoe", price=19_990_000, quantity=2)],
        currency="EUR",
        properties={"color": "red"},
    )


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_an_alias_is_the_same_event(alias: str, name: str) -> None:
    properties = {"product_id": "p1"}
    assert read(track(alias, properties=properties)) == read(track(name, properties=properties))


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("Products Searched", CLICKSTREAM),
        ("view_item", CLICKSTREAM),
        ("Something New", CLICKSTREAM),
        ("Product Added", CART),
        ("begin_checkout", CART),
        ("Coupon Applied", CART),
        ("purchase", POS),
        ("Order Refunded", POS),
    ],
)
def test_names_decide_the_topic(name: str, topic: str) -> None:
    records, _ = read(track(name))
    assert records[0][:2] == (topic, b"ann")


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ({"type": "page", "name": "Home"}, "Page Viewed"),
        ({"type": "screen", "name": "Home"}, "Screen Viewed"),
        ({"type": "identify"}, "Customer Identified"),
        ({"type": "group", "groupId": "g"}, "Group Joined"),
        ({"type": "alias", "previousId": "old"}, "Customer Identified"),
    ],
)
def test_calls_have_names(call: Json, name: str) -> None:
    event = one({"userId": "ann", **call})
    assert (event.name, event.id) == (name, "made")


def test_places_and_groups_bring_properties() -> None:
    assert one({"type": "page", "userId": "a", "name": "Home", "category": "Top"}).properties == {
        "name": "Home",
        "category": "Top",
    }
    assert one({"type": "group", "userId": "a", "groupId": "g1", "traits": {"name": "ACME"}}).properties == {
        "group": "g1"
    }


@pytest.mark.parametrize(
    ("ids", "key"),
    [
        ({"userId": "u", "anonymousId": "a"}, b"u"),
        ({"userId": None, "anonymousId": "a"}, b"a"),
        ({"userId": "", "anonymousId": "a"}, b"a"),
        ({"userId": 42, "anonymousId": None}, b"42"),
        ({"userId": "Zoë"}, "Zoë".encode()),
        ({"userId": "x" * 128}, b"x" * 128),
        ({"userId": "{a}:*"}, b"{a}:*"),
    ],
)
def test_the_customer_is_the_user_else_the_anonymous_id(ids: Json, key: bytes) -> None:
    records, bad = read({"type": "track", "event": "X", **ids})
    assert not bad and records[0][1] == key


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"userId": None}, "userId"),
        ({"userId": "x" * 129}, "userId"),
        ({"userId": "ü" * 65}, "userId"),
        ({"userId": "a\nb"}, "userId"),
        ({"userId": "a\x00"}, "userId"),
        ({"userId": "a\x7f"}, "userId"),
        ({"userId": "a\x85"}, "userId"),
        ({"userId": "a\u202eb"}, "userId"),
        ({"userId": 1.5}, "userId"),
        ({"userId": True}, "userId"),
        ({"userId": 2**60}, "userId"),
        ({"userId": {"$ne": 1}}, "userId"),
        ({"anonymousId": "\u2028"}, "anonymousId"),
        ({"messageId": "m" * 101}, "messageId"),
        ({"messageId": "a\rb"}, "messageId"),
        ({"event": None}, "event"),
        ({"event": ""}, "event"),
        ({"event": "n" * 129}, "event"),
        ({"type": None}, "type"),
        ({"type": "erase"}, "type"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": True}, "timestamp"),
        ({"properties": "x"}, "properties"),
        ({"properties": [1]}, "properties"),
        ({"properties": {"n": 2**53 + 1}}, "properties.n"),
        ({"properties": {"product_id": "p", "price": "1e99"}}, "properties.price"),
        ({"properties": {"product_id": "p", "price": "NaN"}}, "properties.price"),
        ({"properties": {"product_id": "p", "price": "Infinity"}}, "properties.price"),
        ({"properties": {"product_id": "p", "price": "cheap"}}, "properties.price"),
        ({"properties": {"product_id": "p", "quantity": 10**9}}, "properties.quantity"),
        ({"properties": {"product_id": "p" * 129}}, "properties.product_id"),
        ({"properties": {"products": ["p"]}}, "properties.products[0]"),
        ({"properties": {f"k{i}": 1 for i in range(257)}}, "properties"),
        ({"type": "identify", "traits": {"consent": {"marketing": "maybe"}}}, "traits.consent"),
        ({"type": "alias", "previousId": None}, "previousId"),
        ({"event": "Trigger Clicked"}, "properties.trigger_id"),
    ],
)
def test_a_fault_names_its_field(changes: Json, field: str) -> None:
    found = fault(track() | changes)
    assert (found.field, found.reason) == (field, wire.INVALID)


@pytest.mark.parametrize("event", [None, 5, "x", [], [[]], True])
def test_what_is_no_event_is_a_fault(event: Any) -> None:
    assert fault(event).reason in (wire.INVALID, wire.UNPARSABLE)


def test_one_bad_event_costs_the_others_nothing() -> None:
    events = [track(messageId="1"), {"type": "track", "userId": {}}, track(messageId="2"), None]
    records, bad = read(*events)
    assert [decode_event(r[2]).id for r in records] == ["1", "2"]
    assert [json.loads(b.raw) for b in bad] == [events[1], None]


def test_a_dead_letter_knows_its_customer() -> None:
    assert [b.customer for b in read(track(messageId="m" * 101), track(userId=None))[1]] == [b"ann", None]


@pytest.mark.parametrize(
    ("sent", "given", "want"),
    [
        (None, "2026-11-22T13:00:00Z", NOW - 3600),
        ("2026-11-22T14:00:00Z", "2026-11-22T13:00:00Z", NOW - 3600),
        ("2026-11-22T15:00:00Z", "2026-11-22T14:30:00Z", NOW - 1800),
        ("2026-11-22T12:00:00.000Z", "2026-11-22T11:59:59.500Z", NOW - 0.5),
        (None, "2027-01-01T00:00:00Z", NOW),
        (None, "2020-01-01T00:00:00Z", NOW - 86_400),
        (None, "0001-01-01T00:00:00Z", NOW - 86_400),
        (None, "9999-12-31T23:59:59Z", NOW),
        ("nonsense", "2026-11-22T13:00:00Z", NOW - 3600),
        ("2026-11-22T14:00:00Z", None, NOW),
        (None, "2026-11-22T14:59:30.123456+01:00", NOW - 30 + 0.123456),
        (None, "2026-11-22T13:59:30", NOW - 30),
        (None, "2026-11-22t13:59:30z", NOW - 30),
        (None, 1_795_355_990, NOW - 10),
        (None, 1_795_355_990_000, NOW - 10),
        (None, "1969-01-01T00:00:00Z", NOW - 86_400),
    ],
)
@pytest.mark.parametrize("place", ["root", "event", "header"])
def test_clocks_are_corrected(sent: str | None, given: Any, want: float, place: str) -> None:
    event = track(timestamp=given) | ({"sentAt": sent} if place == "event" else {})
    found = one(event, {"sentAt": sent} if place == "root" else {}, sent_at=sent if place == "header" else None)
    assert found.time == pytest.approx(want, abs=1e-5)


def test_the_original_time_goes_before_the_corrected_one() -> None:
    event = track(timestamp="2026-11-22T13:00:00Z", originalTimestamp="2026-11-22T13:30:00Z")
    assert one(event).time == NOW - 1800


def test_an_import_keeps_its_times() -> None:
    old, future = track(timestamp="2020-01-01T00:00:00Z"), track(timestamp="2030-01-01T00:00:00Z")
    assert one(old, {"sentAt": "2020-01-01T00:00:00Z"}, historical=True).time == 1_577_836_800
    assert one(future, historical=True).time == NOW
    assert one(old, historical=True, server=False).time == NOW - 86_400
    assert fault(track(timestamp="1960-01-01T00:00:00Z"), historical=True).field == "timestamp"


@pytest.mark.parametrize(
    ("given", "want"),
    [
        (19.99, 19_990_000),
        ("19.98", 19_980_000),
        (" 7 ", 7_000_000),
        (0.1 + 0.2, 300_000),
        (1980, 1_980_000_000),
        (-5.5, -5_500_000),
        ("1e3", 1_000_000_000),
        (0.0000005, 0),
        (0.0000015, 2),
        (None, 0),
        ("", 0),
        (123456789.987654, 123_456_789_987_654),
    ],
)
def test_money_is_exact(given: Any, want: int) -> None:
    assert micros(given, "price") == want


@given(st.decimals(min_value=-(10**8), max_value=10**8, places=6))
def test_money_reads_the_same_as_number_and_text(amount: Decimal) -> None:
    assert micros(float(amount), "") == micros(str(amount), "") == int(amount * 1_000_000)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-9e9, max_value=9e9))
def test_money_rounds_as_decimals_do(amount: float) -> None:
    assert micros(amount, "") == int((Decimal(repr(amount)) * 1_000_000).to_integral_value())


def test_an_order_of_ga4() -> None:
    items = [
        {"item_id": "p1", "item_name": "Shoe", "item_brand": "B", "item_category": "C", "price": "10", "quantity": "2"},
        {"item_name": "Gift wrap"},
        {"item_id": 7, "price": 3.5, "quantity": 0.5},
    ]
    properties = {"transaction_id": "o1", "value": "23.50", "currency": "EUR", "items": items, "coupon": "SAVE"}
    event = one(track("purchase", properties=properties))
    assert (event.order, event.total, event.coupon, event.properties) == ("o1", 23_500_000, "SAVE", {})
    assert event.products == [
        Product("p1", "Shoe", "C", "B", price=10_000_000, quantity=2),
        Product("7", price=1_750_000),
    ]


def test_fields_out_of_properties() -> None:
    properties = {
        "query": "boots",
        "cart_id": "c1",
        "session_id": 5,
        "dwell": "12.5",
        "list": [1],
        "n": None,
        "b": True,
    }
    event = one(track("Products Searched", properties=properties))
    assert (event.query, event.cart, event.session, event.dwell) == ("boots", "c1", "5", 12.5)
    assert event.properties == {"b": True}


@pytest.mark.parametrize(
    ("event", "given", "channel"),
    [
        ({"context": {"channel": "store"}}, {}, "store"),
        ({"properties": {"channel": "POS"}}, {}, "store"),
        ({"context": {"device": {"type": "ios"}}}, {}, "app"),
        ({"context": {"os": {"name": "Android"}}}, {}, "app"),
        ({"context": {"library": {"name": "analytics.js"}, "device": {"type": "mobile"}}}, {}, "web"),
        ({"context": {"library": "analytics-ios"}}, {}, "app"),
        ({"context": {"library": {"name": "analytics-python"}}}, {}, ""),
        ({"channel": "web"}, {"source": "pos"}, "web"),
        ({}, {"source": "pos"}, "store"),
        ({"type": "page"}, {}, "web"),
        ({"type": "screen"}, {}, "app"),
        ({"context": []}, {}, ""),
        ({"context": {"device": "iPhone", "os": [], "library": 5}}, {}, ""),
    ],
)
def test_where_the_customer_was(event: Json, given: Json, channel: str) -> None:
    assert one(track() | event, **given).channel == channel


@pytest.mark.parametrize(
    ("call", "traits"),
    [
        (
            {"traits": {"email": "a@b.c", "phone": "", "line": "U1"}},
            Traits(reach={"email": True, "sms": False, "line": True}),
        ),
        ({"context": {"traits": {"email": "a@b.c", "tier": "gold"}}}, Traits(reach={"email": True}, tier="gold")),
        ({"context": {"device": {"token": "t"}}}, Traits(reach={"push": True})),
        ({"context": {"timezone": "Europe/Berlin"}}, Traits(zone="Europe/Berlin")),
        ({"context": {"timezone": "Mars/'; drop"}}, None),
        ({"traits": {"timezone": "Asia/Tokyo"}, "context": {"timezone": "Europe/Berlin"}}, Traits(zone="Asia/Tokyo")),
        (
            {"traits": {"consent": {"marketing": True, "ads": "denied"}}},
            Traits(consent={"marketing": True, "ads": False}),
        ),
        ({"context": {"consent": {"categoryPreferences": {"ads": False}}}}, Traits(consent={"ads": False})),
        ({"traits": {"firstName": "Ann", "lastName": "Lee"}}, Traits(name="Ann Lee")),
        ({"traits": []}, None),
        ({}, None),
    ],
)
def test_what_is_said_of_the_customer(call: Json, traits: Traits | None) -> None:
    assert one({"type": "identify", "userId": "ann", **call}).traits == traits


def test_addresses_are_not_kept() -> None:
    records, _ = read({"type": "identify", "userId": "u", "traits": {"email": "ann@example.org", "phone": "+49123"}})
    assert b"ann@" not in records[0][2] and b"+49" not in records[0][2]


def test_the_root_context_is_every_events_context() -> None:
    root = {"context": {"library": {"name": "analytics.js"}, "timezone": "Asia/Tokyo"}}
    event = one(track(context={"timezone": "Europe/Berlin"}), root)
    assert event.traits and (event.channel, event.traits.zone) == ("web", "Europe/Berlin")


def test_feedback() -> None:
    properties = {"trigger_id": "t1", "channel": "push", "play": "cart"}
    records, _ = read(track("Trigger Clicked", properties=properties))
    topic, key, value = records[0]
    feedback = decode_feedback(value)
    assert (topic, key) == (FEEDBACK, b"ann")
    assert (feedback.trigger, feedback.what, feedback.channel, feedback.play) == ("t1", "clicked", "push", "cart")


@pytest.mark.parametrize(
    "event",
    [
        track("Order Completed"),
        track("refund"),
        track("Trigger Clicked", properties={"trigger_id": "t"}),
        {"type": "alias", "userId": "ann", "previousId": "bob"},
    ],
)
def test_a_browser_key_may_not(event: Json) -> None:
    assert fault(event, server=False).reason == wire.FORBIDDEN


def test_a_browser_key_identifies_and_links_nothing() -> None:
    event = one({"type": "identify", "userId": "ann", "anonymousId": "a1", "traits": {"tier": "gold"}}, server=False)
    assert event.anonymous == "" and event.traits == Traits(tier="gold")
    assert one(track(anonymousId="a1"), server=True).anonymous == "a1"


def test_what_service_and_stores_tell() -> None:
    properties = {
        "nps": "9",
        "sentiment": "Negative",
        "ticket_id": 77,
        "store_id": "s1",
        "product_id": "p1",
        "size": "M",
    }
    context = {"device": {"type": "iOS"}, "traits": {"loyalty_points": "120"}}
    event = one(track("Survey Completed", properties=properties, context=context))
    assert (event.name, event.nps, event.sentiment, event.complaint) == ("Survey Answered", 9, -1, "77")
    assert (event.store, event.device, event.products[0].size) == ("s1", "ios", "M")
    assert event.traits and event.traits.points == 120 and event.properties == {}


@pytest.mark.parametrize(("said", "wanted"), [(0.4, 1), (-3, -1), (0, 0), ("good", 1), ("so so", None), (None, None)])
def test_a_sentiment_is_a_word_or_a_number(said: Any, wanted: int | None) -> None:
    event = one(track("Product Reviewed", properties={"sentiment": said}))
    assert event.sentiment == wanted
