"""The made-up shop: the same seed gives the same calls, and every one of them is what the wire reads."""

from collections import Counter
from itertools import islice

import orjson

from schemas import wire
from streams.tools.shop import Call, open_shop


def calls(seed: int, most: int = 5_000) -> list[tuple[float, Call]]:
    return list(islice(open_shop(seed, 100.0), most))


def test_the_seed_decides_all() -> None:
    assert calls(1, 500) == calls(1, 500)
    assert calls(1, 500) != calls(2, 500)


def test_time_goes_forward_at_about_the_rate() -> None:
    times = [at for at, _ in calls(7)]
    assert times == sorted(times)
    assert 40 < times[-1] < 65


def test_the_wire_takes_all_but_what_is_broken_on_purpose() -> None:
    body = orjson.dumps({"batch": [call for _, call in calls(3)]})
    sender = wire.Sender(2e9, "shop", True, lambda: "made")
    records, bad = wire.convert(wire.read_batch(body, 32_768, 10_000), sender)
    assert 0 < len(bad) < 50
    assert {topic for topic, _, _ in records} == {"clickstream", "cart", "pos"}


def test_some_are_repeated_and_everybody_says_hello_first() -> None:
    found = calls(5)
    ids = Counter(call["messageId"] for _, call in found)
    assert 10 < sum(count > 1 for count in ids.values()) < 120
    seen: set[str] = set()
    for _, call in found:
        assert not call["userId"] or call["userId"] in seen or call["type"] == "identify" or "event" not in call
        seen.add(call["userId"])


def test_some_come_by_several_ids_and_pay_by_card() -> None:
    found = [call for _, call in calls(5)]
    phones = {call["anonymousId"] for call in found if not call["userId"] and call.get("anonymousId")}
    known = {call["anonymousId"] for call in found if call["type"] == "identify" and call.get("anonymousId")}
    tills = [call for call in found if not call["userId"] and call.get("event") == "Order Completed"]
    assert len(phones) > 10 and known <= phones and len(tills) > 5
    assert all(call["context"]["externalIds"] for call in tills)
