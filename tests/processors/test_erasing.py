"""Erasing a customer: what goes, what stays, and what comes afterwards."""

from schemas.customer import Customer
from schemas.event import PRODUCT_VIEWED
from schemas.identity import Link
from schemas.topics import CLICKSTREAM, FEEDBACK, PARTS, POS, TRIGGERS
from schemas.trigger import Feedback, encode_feedback
from tests.processors.builders import ABANDONED, START, Logged, added, ordered, viewed
from tests.processors.estate import Estate
from tests.processors.test_identity import estate, log_in, seen, settled, triggers


def person() -> Estate:
    """Ann with a phone and a card."""
    return settled(
        viewed("x", "boots", at=1),
        log_in("ann", "x", Link("card", "1"), at=2),
        ordered("card:1", "boots", at=3, till=True),
        viewed("ann", "hat", at=4),
        viewed("bob", "hat", at=5),
    )


def erased(world: Estate, id: str = "ann") -> Estate:
    world.erase(id, f"erase {id}")
    world.settle()
    return world


def test_nothing_is_left_but_that_it_was_erased() -> None:
    world = erased(person())
    ann = world.customer("ann")
    assert ann == Customer(erased=ann.erased, forgotten=ann.forgotten)
    assert ann.erased and (ann.erased.by, ann.erased.why) == ("test", "a test")
    for id in ("x", "card:1"):
        customer = world.customer(id)
        told = [facts for facts in (customer.clickstream, customer.cart, customer.pos) if facts and facts.events]
        assert not told and customer.decisions is None
        assert b"ann" not in world.kept[world.place(id.encode())].customers[id.encode()]
    assert seen(world, "bob") == [1]


def test_an_id_named_before_the_erasure_goes_too_though_the_erasure_is_read_first() -> None:
    """The log of parts is read before the others: a worker that lags finds it there."""
    world = settled(viewed("x", "boots", at=1), viewed("ann", "hat", at=2))
    world.put(log_in("ann", "x", at=3))
    world.erase("ann", "erase ann")
    world.turn(world.place(b"ann"), {PARTS: 9})
    assert world.customer("ann").erased and seen(world, "x") == [1]
    world.settle()
    assert seen(world, "x") == [0]
    world.put(log_in("ann", "y", at=9), viewed("y", "tent", at=9))
    world.settle()
    assert seen(world, "y") == [1], "who comes after it is somebody else"


def test_what_comes_later_of_any_of_their_ids_is_refused_and_counted() -> None:
    world = erased(person())
    before = world.counts.copy()
    said = Feedback("f", "t", "clicked", START, "push")
    world.put(viewed("ann", "a", at=9), viewed("x", "b", at=9), ordered("card:1", "c", at=9))
    world.put(Logged(FEEDBACK, b"ann", encode_feedback(said)), log_in("ann", "y", at=9))
    world.settle()
    more = world.counts - before
    assert (more["erased:clickstream"], more["erased:pos"], more["erased:feedback"]) == (3, 1, 1)
    assert not any(name.startswith("applied") for name in more)
    assert seen(world, "ann", "x", "card:1", "y") == [0, 0, 0, 0]


def test_who_logs_in_next_on_the_device_begins_anew() -> None:
    world = erased(person())
    settled(log_in("bob", "x", at=10), viewed("x", "tent", at=11), world=world)
    assert seen(world, "bob", "x") == [2, 0]


def test_the_device_keeps_what_is_another_users() -> None:
    world = person()
    settled(log_in("bob", "x", at=6), viewed("x", "tent", at=7), world=world)
    erased(world)
    assert seen(world, "ann", "bob", "x") == [0, 2, 0]
    settled(viewed("x", "rope", at=8), world=world)
    assert seen(world, "bob") == [3]


def test_all_ids_of_a_chain_are_erased() -> None:
    world = settled(viewed("x", "a", at=1), log_in("card:1", "x", at=2), log_in("ann", "", Link("card", "1"), at=3))
    assert seen(world, "ann") == [1]
    erased(world)
    settled(viewed("x", "b", at=4), world=world)
    assert seen(world, "ann", "card:1", "x") == [0, 0, 0]
    assert world.counts["erased:clickstream"] >= 1


def test_a_link_that_was_on_its_way_is_found() -> None:
    world = settled(viewed("x", "a", at=1), viewed("ann", "b", at=1))
    world.put(log_in("ann", "x", at=2))
    world.turn(world.place(b"ann"), {CLICKSTREAM: 9})  # the link waits in the outbox
    world.erase("ann", "e")
    world.settle()
    assert seen(world, "ann", "x") == [0, 0]
    x = world.customer("x").clickstream
    assert x and x.events == 0


def test_an_id_that_the_erased_never_knew_of_is_found_by_what_it_sends() -> None:
    world = settled(viewed("card:1", "a", at=1), viewed("ann", "b", at=1))
    world.put(log_in("card:1", "", Link("user", "ann"), at=2))
    world.turn(world.place(b"card:1"), {CLICKSTREAM: 9})  # the link waits in the outbox, and ann has not heard of it
    erased(world)
    settled(viewed("card:1", "c", at=3), world=world)
    card = world.customer("card:1").clickstream
    assert card and card.events == 0 and seen(world, "ann", "card:1") == [0, 0]


def test_silences_end_and_what_waits_to_leave_is_revoked() -> None:
    world = Estate(estate(ABANDONED, {**ABANDONED, "id": "now", "after": None, "unless": []}).fold)
    world.put(added("ann", "boots", at=1))
    world.turn(world.place(b"ann"), dict.fromkeys(("cart",), 9))
    kept = world.kept[world.place(b"ann")]
    assert kept.wake and len(kept.outbox) == 1
    world.erase("ann", "e")
    world.turn(world.place(b"ann"), {CLICKSTREAM: 9})
    assert not kept.wake and not [m for m in kept.outbox.values() if m.topic == TRIGGERS]
    world.settle(until=9000)
    assert triggers(world) == [] and world.counts["trigger:now"] == 0
    assert world.counts["timer:armed"] == world.counts["timer:cancelled"] == 1


def test_what_was_decided_in_the_same_turn_never_was() -> None:
    world = estate()
    world.put(viewed("ann", "boots", at=1))
    world.erase("ann", "e")
    world.settle()
    assert triggers(world) == [] and world.counts["trigger:every"] == 0


def test_a_trigger_that_was_on_its_way_is_counted_once() -> None:
    world = estate()
    place = world.place(b"ann")
    world.put(viewed("ann", "boots", at=1))
    world.turn(place, {CLICKSTREAM: 1})
    world.relay(place, 9)  # in Kafka, and not yet read back
    world.erase("ann", "e")
    world.turn(place, {POS: 1})
    assert not world.customer("ann").decisions
    world.settle()
    assert triggers(world) == [("every", "ann")] and world.counts["trigger:every"] == 1


def test_a_second_erasure_changes_nothing() -> None:
    world = erased(person())
    before = world.customer("ann")
    world.erase("ann", "again")
    world.settle()
    assert world.customer("ann") == before and world.counts["erased:pos"] >= 1


def test_plays_hear_nothing_of_the_erased() -> None:
    world = erased(person())
    before = triggers(world)
    settled(viewed("ann", "a", at=20), viewed("x", "b", at=21), world=world)
    assert triggers(world) == before and PRODUCT_VIEWED not in str(world.customer("x"))
