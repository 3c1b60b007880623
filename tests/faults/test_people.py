"""What the load says over HTTP is what it writes into Kafka, whose ever it is; and what its customers do is what they
are said to."""

import json
import random
from typing import Any

import pytest

from schemas import wire
from schemas.event import decode_event
from tests.faults.harness.load import Deed, as_call
from tests.faults.harness.people import Claim, people

SAID = {"id": "m", "name": "Product Viewed", "time": 1_790_000_000.0, "channel": "web"}


def taken(deed: Deed) -> tuple[str, dict[str, Any]]:
    """(key, event) as the collector makes them of the load's call."""
    calls = wire.read_batch(json.dumps({"batch": [as_call(deed)]}).encode(), 32_768, 10)
    sender = wire.Sender(1_790_000_001.0, "harness", True, str)
    ((_, key, value),), bad = wire.convert(calls, sender)
    assert not bad
    event = decode_event(value)
    return key.decode(), {"anonymous": event.anonymous, "links": [(link.kind, link.id) for link in event.links]}


@pytest.mark.parametrize(
    ("claim", "links"),
    [
        (Claim("ann", "ann~phone", 0.0), []),
        (Claim("card:1", "ann~phone", 0.0), [("card", "1")]),
        (Claim("ann", "card:1", 0.0), [("card", "1")]),
    ],
)
def test_a_claim_over_http(claim: Claim, links: list[tuple[str, str]]) -> None:
    key, said = taken(Deed("clickstream", claim.key.encode(), SAID | claim.said()))
    assert key == claim.key
    assert said == {"anonymous": claim.said().get("anonymous", ""), "links": links}


@pytest.mark.parametrize("key", ["ann", "ann~phone", "card:1"])
def test_whose_an_event_over_http_is(key: str) -> None:
    assert taken(Deed("clickstream", key.encode(), SAID))[0] == key


def test_most_have_several_ids_and_nobody_claims_another_persons() -> None:
    all_ = people(random.Random(1), 120)
    assert sum(len(set(one.ids)) > 1 for one in all_) > 60
    owners: dict[str, int] = {}
    for number, one in enumerate(all_):
        for id in one.ids:
            assert owners.setdefault(id, number) == number
        assert {id for claim in one.claims for id in (claim.key, claim.names)} <= set(one.ids)
