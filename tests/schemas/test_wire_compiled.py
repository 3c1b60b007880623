"""The compiled wire and its twins make the same of whatever is sent: records to the byte, faults to the word."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import wire
from schemas.wire import calls, commerce, person, records
from schemas.wire.compiled import COMPILED
from schemas.wire.names import ROUTED
from schemas.wire.values import Fault
from tests.conftest import CI, PURE
from tests.schemas.calls import NOW, Json, sender, track

both = pytest.mark.skipif(not COMPILED, reason="no core was built: there is but one of each function")

Told = tuple[list[wire.Record], list[tuple[object, ...]]] | tuple[str, str, str]


@pytest.mark.skipif(not CI or PURE, reason="a machine may lack a C compiler, that of CI may not")
def test_the_core_is_compiled() -> None:
    assert COMPILED


def test_the_twins_alone_serve_when_asked_to() -> None:
    assert not (PURE and COMPILED)


def told(read: Callable[[], wire.Calls], convert: Callable[..., Any], given: Json) -> Told:
    """What comes of a body; else the fault of all of it."""
    try:
        read_ = read()
        made, bad = convert(read_, sender(**given))
    except Fault as fault:
        return fault.field, fault.detail, fault.reason
    assert len(read_) == len(made) + len(bad)
    faults: list[tuple[object, ...]] = [(str(one.fault), one.fault.reason, one.raw, one.customer) for one in bad]
    return made, [*faults, (read_.write_key,)]


def same(body: bytes, event_bytes: int = 32_768, most: int = 100, type: str = "", **given: Any) -> Told:
    if type:
        one = told(lambda: wire.read_call(body, type, event_bytes), wire.convert, given)
        other = told(lambda: calls.read_call(body, type, event_bytes), records.convert, given)
    else:
        one = told(lambda: wire.read_batch(body, event_bytes, most), wire.convert, given)
        other = told(lambda: calls.read_batch(body, event_bytes, most), records.convert, given)
    assert one == other
    return one


WORDS = ["", "a", "Rain jacket", "日本の靴", "\x7f", "a\tb", 'say "x"', "back\\slash", "a/b", "\u2028", "é" * 300]
WORDS += ["x" * 128, "x" * 129, "ä" * 65, "x" * 512, "x" * 513, "0", "12.50", "user:ann", "email:a@b.c", "\ud800", "💡"]
NUMBERS = [0, -0.0, 1, -1, 7, 2.5, 0.0, 0.1, 129.0, 19.99, 1e-5, 0.00012, 1e15, 1e16, 1e22, 123456789.123456, -3.5]
NUMBERS += [2**53, 2**53 + 1, -(2**53), 10**30, 86_400, 86_400.5, 1_000_000, 1_000_001, 9_007_199.254740993, 0.5e-6]
NUMBERS += [1_125_899_906.842624, 999_999_999, 1.0000005, 2.0000015, 1e308]
SCALARS = st.sampled_from([*WORDS, *NUMBERS, None, True, False]) | st.text(max_size=8) | st.floats(-1e7, 1e7).map(str)
FLOATS = st.floats(-1e9, 1e9) | st.decimals(-(10**6), 10**6, places=3, allow_nan=False).map(float)
ODD = st.sampled_from([[], {}, [1], {"a": None}, [[[]]], {"a": {"b": [{}]}}])
ANY = SCALARS | FLOATS | ODD
TIMES = ["2026-11-22T13:59:59.123456+00:00", "2026-11-22T13:59:59.123Z", "2026-11-22T13:59:59Z", "2026-11-22T13:59:59"]
TIMES += ["2026-11-22T14:59:59.5+01:00", "2026-11-22T13:59:59.1234567Z", "2026-11-22 13:59:59Z", "2026-11-22", "soon"]
TIMES += [
    "2024-02-29T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2026-11-22T24:00:00Z",
    "2026-11-22T13:59:60Z",
    "20261122T135959",
]
TIMES += [
    "1970-01-01T00:00:00+05:00",
    "2100-01-01T00:00:00Z",
    "2099-12-31T23:59:59.999999-00:30",
    "2026-11-22t13:59:59z",
]
TIME = st.sampled_from([*TIMES, "", None, NOW, NOW * 1000, 5]) | st.datetimes().map(lambda one: one.isoformat() + "Z")
OF_LINES = [*commerce.PRODUCT_IDS, "id", "price", "quantity", "name", "category", "brand", "variant", "size"]
OF_LINES += ["item_name", "item_category", "item_brand", "color"]
LINE = st.dictionaries(st.sampled_from(OF_LINES), ANY, max_size=7)
NAMES = [*commerce.PRODUCT_IDS, *commerce.LISTS, *commerce.TOTALS, *commerce.FELT, *dict(commerce.DWELLS), "currency"]
NAMES += [name for _, some in commerce.TEXTS for name in some]
NAMES += [
    "channel",
    "name",
    "category",
    "brand",
    "price",
    "quantity",
    "variant",
    "size",
    "item_name",
    "url",
    "été",
    'a"',
]
LIST = st.lists(LINE | SCALARS, max_size=3)
PROPERTIES = st.dictionaries(
    st.sampled_from(NAMES) | st.text(max_size=3), ANY | LIST | st.sampled_from(["EUR", "WEB", "till", "p1"]), max_size=9
)
PART = st.dictionaries(
    st.sampled_from(["name", "type", "token", "version"]),
    ANY | st.sampled_from(["Analytics.js", "analytics-ios", "iOS", "Android", "desktop", "Kiosk", "K"]),
)
CONTEXT = st.fixed_dictionaries(
    {},
    optional={
        "library": PART | ANY,
        "device": PART | ANY,
        "os": PART | ANY,
        "timezone": st.sampled_from(["Europe/Berlin", "UTC", "a//b", "a/b/c/d", "/a", "Etc/GMT+3", "x" * 65]) | ANY,
        "channel": st.sampled_from(["web", "App", "POS", "nowhere"]) | ANY,
        "traits": st.just({}) | st.just({"email": "a@b.c", "consent": {"marketing": True}}) | ANY,
        "consent": st.just({"categoryPreferences": {"marketing": False}}) | ANY,
        "sessionId": ANY,
        "externalIds": st.just([{"type": "card", "id": "4711"}]) | ANY,
        "related": ANY,
        "identityToken": ANY,
        "locale": ANY,
        "userAgent": st.just("Mozilla/5.0 (X11; Linux)"),
    },
)
ID = st.sampled_from(["ann", "bob-7", "card:4711"]) | SCALARS
CALL = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["track"] * 4 + ["page", "screen", "identify", "group", "alias", "Track"]) | SCALARS,
        "messageId": st.sampled_from(["m1", "m" * 100, "m" * 101]) | ID,
        "userId": ID,
    },
    optional={
        "event": st.sampled_from([*ROUTED]) | SCALARS,
        "anonymousId": ID,
        "timestamp": TIME,
        "originalTimestamp": TIME,
        "sentAt": TIME,
        "name": ANY,
        "category": ANY,
        "channel": ANY,
        "previousId": ANY,
        "groupId": ANY,
        "writeKey": SCALARS,
        "traits": st.just({}) | ANY,
        "context": CONTEXT | ANY,
        "properties": PROPERTIES | PROPERTIES | PROPERTIES | ANY,
        "integrations": ANY,
    },
)
PLAIN = st.builds(track, st.sampled_from([*ROUTED]), properties=PROPERTIES, context=CONTEXT, timestamp=TIME)
ROOT = st.fixed_dictionaries(
    {"batch": st.lists(CALL | PLAIN | PLAIN | ANY, max_size=4)},
    optional={"sentAt": TIME, "writeKey": SCALARS, "context": st.none() | CONTEXT, "integrations": ANY},
)
SENDER = st.fixed_dictionaries(
    {
        "server": st.booleans(),
        "historical": st.booleans(),
        "source": st.sampled_from(["shop", "pos", "", "té"]),
        "sent_at": st.sampled_from([None, "2026-11-22T13:59:00Z", "soon"]),
        "proves": st.just(lambda customer, token: token == "a"),
    }
)
WRITERS: st.SearchStrategy[Callable[[Any], str]] = st.sampled_from(
    [
        lambda it: json.dumps(it, ensure_ascii=False, separators=(",", ":")),
        lambda it: json.dumps(it, ensure_ascii=False, indent=1),
        json.dumps,
        lambda it: json.dumps(it, ensure_ascii=False).replace("/", "\\/"),
    ]
)


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@both
@settings(max_examples=1_000)
@given(ROOT, WRITERS, SENDER)
def test_batches(root: Json, write: Callable[[Any], str], given: Json) -> None:
    same(as_bytes(write(root)), **given)


@both
@settings(max_examples=500)
@given(CALL | PLAIN, WRITERS, SENDER, st.sampled_from(["track", "page", "screen", "identify", "group", "alias"]))
def test_single_calls(call: Json, write: Callable[[Any], str], given: Json, type: str) -> None:
    same(as_bytes(write(call)), type=type, **given)


@both
@settings(max_examples=1_000)
@given(ROOT, WRITERS, st.randoms(use_true_random=False))
def test_bodies_that_were_damaged(root: Json, write: Callable[[Any], str], chance: random.Random) -> None:
    body = bytearray(as_bytes(write(root)))
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(body))
        body[at : at + chance.randint(0, 2)] = chance.choice(
            [b"", b'"', b"\\", b"{", b"]", b",", b"\x00", b"\xff", b"0", b" "]
        )
    same(bytes(body))
    same(bytes(body), type="track")


@both
@given(
    FLOATS | st.sampled_from(NUMBERS), FLOATS, st.sampled_from(["{}", "{:.3f}", "{:.1f}", "{:e}", "{:.0f}", "{:.17g}"])
)
def test_numbers_however_they_are_written(price: float, dwell: float, way: str) -> None:
    told = '{"product_id":"p","price":%s,"dwell":%s,"total":%s,"load":%s}'
    properties = told % tuple(way.format(one) for one in (price, dwell, abs(price), dwell))
    same(b'{"batch":[{"type":"track","event":"e","userId":"u","messageId":"m","properties":%b}]}' % properties.encode())


@both
@given(st.lists(st.datetimes().map(lambda one: one.isoformat() + "+00:00"), min_size=1, max_size=3), TIME)
def test_times(times: list[str], sent: Any) -> None:
    events = [track(timestamp=time, messageId=str(at)) for at, time in enumerate([*times, *times])]
    for historical in (False, True):
        same(json.dumps({"batch": events, "sentAt": sent}).encode(), historical=historical)


@both
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"batch":[]}',
        b' {"batch" : [ ] } ',
        b'{"batch":[],"batch":[]}',
        b'{"batch":[{}]} x',
        b'{"batch":[{},]}',
        b'{"batch":[{}',
        b'{"batch":null}',
        b'{"batch":[null,3,"x",[]]}',
        b'{"batch":[{"userId":"a","userId":"b","type":"track","event":"e"}]}',
        b'{"batch":[{"userId":"a","type":"track","event":"e","properties":{"a":1,"a":2}}]}',
        b'{"batch":[{"userId":"a","type":"track","event":"e","properties":{"url":1,"url":2,"b":3,}}]}',
        b'{"batch":[{"userId":"a","type":"track","event":"e","properties":{"a":01}}]}',
        b'{"batch":[{"userId":"a","type":"track","event":"e","properties":{"a":1e999}}]}',
        b'{"batch":[{"userId":"a","type":"track","event":"e","properties":{"a":"\\ud800"}}]}',
        b'{"batch":[{"userId":"a","type":"track","event":"e","x":"\\ud800"}]}',
        b'{"batch":[{"userId":"a","type":"track","event":"e","x":"\\x"}]}',
        b'{"batch":[{"userId":"a","type":"track","event":"e","properties":{"\\u0061":1}}]}',
        b'{"batch":[{"\\u0075serId":"a","type":"track","event":"e"}]}',
        b'{"batch":[{"userId":"a","type":"track","event":"e"}],"x":"\xff"}',
        b'{"batch":[{"userId":"a","type":"track","event":"\xed\xa0\x80"}]}',
        b'\xef\xbb\xbf{"batch":[]}',
        b'{"batch":[{"userId":"a","type":"track","event":"e"}],"writeKey":"\\u006b"}',
        b'{"batch":[{"userId":"a","type":"track","event":"e","writeKey":"k1"},{"writeKey":"k2"}]}',
    ],
)
def test_bodies_at_the_border(body: bytes) -> None:
    same(body)
    same(body, type="track")


@both
@pytest.mark.parametrize("deep", range(13, 20))
def test_depth(deep: int) -> None:
    nested: Any = 1
    for _ in range(deep):
        nested = [nested]
    for event in (track(properties={"a": nested}), track(x=nested), track(context={"page": nested})):
        same(json.dumps({"batch": [event, track()]}).encode())
        same(json.dumps(event).encode(), type="track")
        same(json.dumps({"batch": [track()], "x": nested}).encode())


@both
@pytest.mark.parametrize("size", [200, 299, 300, 301, 400])
def test_size_and_number(size: int) -> None:
    event = track(properties={"a": ""})
    event["properties"]["a"] = "x" * (size - len(json.dumps(event)))
    for most in (1, 2, 3):
        same(json.dumps({"batch": [event, track()]}).encode(), event_bytes=300, most=most)
    same(json.dumps(event).encode(), event_bytes=300, type="track")


@both
@given(st.integers(40, 70), st.booleans())
def test_many_properties(many: int, page: bool) -> None:
    event = track(properties={f"p{at}": at for at in range(many)}, name="n", category="c")
    same(json.dumps({"batch": [event | ({"type": "page"} if page else {})]}).encode())


@both
@example("analytics.js")
@given(st.sampled_from([*person.CHANNELS, *person.LIBRARIES, *person.DEVICES, *person.SYSTEMS]))
def test_where_the_customer_was(word: str) -> None:
    for said in (word, word.upper(), word + "x"):
        for context in (
            {"channel": said},
            {"library": {"name": said}},
            {"device": {"type": said}},
            {"os": {"name": said}},
        ):
            same(json.dumps({"batch": [track(context=context), track(context=context, type="page")]}).encode())


@both
def test_what_sdks_send_needs_no_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be right, and slow."""
    web = {
        "library": {"name": "analytics.js"},
        "userAgent": 'Mozilla/5.0 "x"',
        "page": {"path": "/a"},
        "timezone": "UTC",
    }
    app = {
        "library": {"name": "analytics-ios"},
        "device": {"type": "iOS", "token": "t"},
        "os": {"name": "iOS"},
        "traits": {},
    }
    product = {
        "product_id": "p1",
        "sku": "s1",
        "name": "Stövel",
        "price": 19.99,
        "quantity": 2,
        "url": "https://x.example/a",
    }
    time = {"timestamp": "2026-11-22T13:59:59.123Z"}
    events = [
        track(**time, properties=product | {"dwell": 3.5, "new": True}, context=web, anonymousId="a"),
        track("Order Completed", **time, properties={"order_id": "o", "total": 40, "products": [product]}, context=app),
        track("view_item", **time, properties=product | {"channel": "app"}, context=None),
        track("Something Else", **time),
        track(**time, type="page", name="Home", properties={"title": 'the "shop"'}, context=web),
    ]
    bodies = [json.dumps({"batch": events, "sentAt": TIMES[0]}, ensure_ascii=False).encode()]
    bodies += [
        json.dumps(event | {"sentAt": TIMES[0], "writeKey": "k"}, ensure_ascii=False).encode() for event in events
    ]
    wanted = [same(body, type="track" if at else "") for at, body in enumerate(bodies)]
    monkeypatch.setattr(records, "_record", None)
    assert [told(lambda: wire.read_batch(bodies[0], 32_768, 9), wire.convert, {})] == wanted[:1]
    for body, made in zip(bodies[1:], wanted[1:], strict=True):
        assert told(lambda body=body: wire.read_call(body, "track", 32_768), wire.convert, {}) == made  # type: ignore[misc]
