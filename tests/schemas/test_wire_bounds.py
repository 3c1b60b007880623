"""The wire's bounds: depth, size, key; and whatever is sent, a readable record or a fault comes of it."""

import json
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from schemas.event import decode_event
from schemas.topics import FEEDBACK
from schemas.trigger import decode_feedback
from schemas.wire.calls import too_deep
from schemas.wire.names import ALIASES, ROUTED
from schemas.wire.values import Fault
from tests.schemas.calls import Json, read, sender, track

READERS = (
    partial(wire.read_call, type="track", event_bytes=32_768),
    partial(wire.read_batch, event_bytes=32_768, most=10),
)


@pytest.mark.parametrize(
    "where", [("writeKey", "k"), ("batch", [{"writeKey": "k"}]), ("batch", [5, {"writeKey": "k"}])], ids=str
)
def test_the_write_key_is_found_in_the_body(where: tuple[str, Any]) -> None:
    body = json.dumps(dict([("batch", []), where])).encode()
    assert wire.read_batch(body, 32_768, 10).write_key == "k"


def test_the_write_key_of_a_call_with_faults() -> None:
    assert wire.read_call(b'{"userId": {}, "writeKey": "k"}', "track", 1000).write_key == "k"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b"null",
        b'"x"',
        b'{"userId": NaN}',
        b'{"userId":"\\ud800"}',
        b'{"a":1} x',
        b"\xff",
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_json_object_is_unparsable(body: bytes) -> None:
    for read_body in READERS:
        with pytest.raises(Fault) as caught:
            read_body(body)
        assert caught.value.reason == wire.UNPARSABLE


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth > 1 else 1


@pytest.mark.parametrize("place", ["properties", "unknown"])
def test_events_are_16_deep_at_most(place: str) -> None:
    """The event is one, properties two; the brackets within the text count for nothing."""
    levels = {"properties": 15, "unknown": 16}[place]
    brackets = {"note": '"}}]][[{{\\'}

    def deep(extra: int) -> Json:
        inner = nested(levels + extra)
        return track(**({"properties": {"x": inner} | brackets} if place == "properties" else {"x": inner} | brackets))

    good, bad = track(), deep(1)
    assert len(read(deep(0), good)[0]) == 2
    records, faults = read(good, bad)
    assert len(records) == 1 and "deep" in str(faults[0].fault)


@given(
    st.recursive(
        st.text(alphabet='[]{}"\\ab', max_size=6),
        lambda s: st.lists(s, max_size=3) | st.dictionaries(st.text(alphabet='{}[]"\\', max_size=3), s, max_size=3),
        max_leaves=30,
    )
)
def test_depth_is_exact(value: Any) -> None:
    def depth(v: Any) -> int:
        inside = v.values() if isinstance(v, dict) else v if isinstance(v, list) else None
        return 0 if inside is None else 1 + max(map(depth, inside), default=0)

    body = json.dumps(value).encode()
    for most in range(1, 8):
        assert too_deep(body, most) == (depth(value) > most)


def test_sizes() -> None:
    large = track(properties={"x": "y" * 40_000})
    records, bad = read(track(), large)
    assert len(records) == 1 and bad[0].fault.reason == wire.OVERSIZE
    bodies = json.dumps(large).encode(), json.dumps({"batch": [track()] * 11}).encode()
    for read_body, body in zip(READERS, bodies, strict=True):
        with pytest.raises(Fault) as caught:
            read_body(body)
        assert caught.value.reason == wire.OVERSIZE


def test_a_large_batch_of_small_events_is_taken_whole() -> None:
    records, bad = read(*[track(messageId=str(i), properties={"x": "y" * 200}) for i in range(500)])
    assert (len(records), len(bad)) == (500, 0)


def test_routed_names_are_ours() -> None:
    assert all(name == ours or name in ALIASES for name, (ours, _) in ROUTED.items())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40),
    lambda s: st.lists(s, max_size=4) | st.dictionaries(st.text(max_size=12), s, max_size=6),
    max_leaves=12,
)
# fmt: off
FIELDS = (
    "type", "event", "name", "category", "messageId", "userId", "anonymousId", "previousId", "groupId", "timestamp",
    "originalTimestamp", "sentAt", "context", "properties", "traits", "writeKey", "channel",
)
INNER = (
    "library", "device", "os", "timezone", "channel", "traits", "consent", "sessionId", "name", "type", "token",
    "categoryPreferences", "products", "items", "product_id", "item_id", "sku", "price", "quantity", "currency",
    "value", "total", "order_id", "cart_id", "coupon", "query", "dwell", "trigger_id", "email", "tier",
)
# fmt: on
OBJECTS = st.dictionaries(st.sampled_from(INNER), JSON, max_size=6)
EVENTS = st.fixed_dictionaries(
    {"userId": st.just("ann")},
    optional={
        **{field: JSON for field in FIELDS if field not in ("userId", "context", "properties", "traits")},
        "type": st.sampled_from(["track", "identify", "page", "screen", "group", "alias"]) | JSON,
        "event": st.sampled_from(sorted(ROUTED)) | JSON,
        "context": st.dictionaries(st.sampled_from(INNER), OBJECTS | JSON, max_size=5) | JSON,
        "properties": st.dictionaries(st.sampled_from(INNER), st.lists(OBJECTS, max_size=3) | JSON, max_size=6) | JSON,
        "traits": OBJECTS | JSON,
    },
)


@given(st.lists(EVENTS | JSON, max_size=4), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3), st.booleans())
def test_anything_becomes_a_readable_record_or_a_fault(events: list[Any], root: Json, server: bool) -> None:
    try:
        records, bad = read(*events, root=root, server=server)
    except Fault as exc:
        assert exc.reason in (wire.UNPARSABLE, wire.OVERSIZE)
        return
    assert len(records) + len(bad) == len(events)
    for topic, key, value in records:
        (decode_feedback if topic == FEEDBACK else decode_event)(value)
        assert 1 <= len(key) <= 128
    for item in bad:
        assert json.loads(item.raw) in events and len(str(item.fault)) < 500


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for read_body in READERS:
        with suppress(Fault):
            wire.convert(read_body(body), sender())
