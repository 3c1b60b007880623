"""Ids and bytes of what leaves the house."""

from schemas.trigger import Trigger, decode_trigger, message, trigger_id


def test_an_id_is_the_same_in_every_history() -> None:
    assert trigger_id("shop", "cart-abandoned", b"ann", "c1") == "a82b2128f085491e12c3a07e"
    assert trigger_id("shop", "ab", b"c", "d") != trigger_id("shop", "a", b"bc", "d")


def test_a_trigger_is_a_cloud_event_in_binary_mode() -> None:
    trigger = Trigger("id1", "hot", "v1", "ann", "web", "o", 1.0, 1_790_000_000.25, 9.0, received=7.0)
    sent = message("shop", b"ann", trigger)
    assert (sent.topic, sent.key, sent.since, decode_trigger(sent.value or b"")) == ("triggers", b"ann", 7.0, trigger)
    assert dict(sent.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"id1",
        "ce_source": b"/shop/plays/hot",
        "ce_type": b"kairos.trigger.v1",
        "ce_time": b"2026-09-21T14:13:20.250000Z",
        "ce_subject": b"ann",
        "ce_partitionkey": b"ann",
        "content-type": b"application/json",
    }
