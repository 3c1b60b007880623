"""Which keys an erasure sends away, and what the logs say without them."""

from processors.erasing import spent
from schemas.identity import Link
from tests.processors.builders import ordered, viewed
from tests.processors.estate import Estate
from tests.processors.test_erasing import erased, person
from tests.processors.test_identity import log_in, seen, settled, triggers


def facts_of(world: Estate, id: str) -> list[int]:
    customer = world.customer(id)
    return [facts.events if facts else 0 for facts in (customer.clickstream, customer.cart, customer.pos)]


def test_the_erased_id_goes_for_good_and_those_that_were_only_theirs_when_nobody_else_uses_them() -> None:
    world = erased(person())
    assert world.shred == {"ann": True, "card:1": False, "x": False}
    assert all(spent(world.customer(id)) for id in world.shred)


def test_nobody_is_erased_by_an_ordinary_life() -> None:
    world = person()
    world.split("card:1", "ann", "s")
    world.settle()
    assert world.shred == {}
    assert not any(spent(world.customer(id)) for id in ("ann", "bob", "card:1", "x"))


def test_a_device_that_others_used_keeps_its_key() -> None:
    world = person()
    settled(log_in("bob", "x", at=6), viewed("x", "tent", at=7), world=world)
    erased(world)
    assert world.shred == {"ann": True, "card:1": False}
    assert not spent(world.customer("x"))


def test_a_device_somebody_has_just_logged_in_on_is_not_spent_any_more() -> None:
    world = erased(person())
    settled(log_in("bob", "x", at=9), world=world)
    assert not spent(world.customer("x")) and spent(world.customer("card:1"))


def test_an_id_that_was_its_own_before_a_split_keeps_its_key() -> None:
    world = person()
    world.split("card:1", "ann", "s")
    world.settle()
    settled(ordered("card:1", "hat", at=6, till=True), world=world)
    erased(world)
    assert "card:1" not in world.shred and facts_of(world, "card:1")[2] == 2


def test_a_shared_device_keeps_its_key() -> None:
    world = settled(*(log_in(f"p{number}", "kiosk", at=number) for number in range(7)), viewed("kiosk", "a", at=9))
    erased(world, "p0")
    assert "kiosk" not in world.shred and facts_of(world, "kiosk")[0] == 1


def test_without_the_keys_the_logs_say_the_same() -> None:
    world = erased(person())
    settled(viewed("x", "b", at=9), viewed("ann", "c", at=9), log_in("carl", "y", at=9), world=world)
    again = world.rebuilt()
    assert again.customer("ann") == world.customer("ann")
    for id in ("x", "card:1", "bob", "carl", "y"):
        assert facts_of(again, id) == facts_of(world, id)
        assert again.customer(id).decisions == world.customer(id).decisions
    assert triggers(again) == triggers(world)
    assert seen(again, "ann", "bob") == seen(world, "ann", "bob")


def test_without_the_keys_each_record_is_booked_once() -> None:
    world = erased(person())
    again = world.rebuilt()
    for topic in ("parts", "clickstream", "cart", "pos", "feedback"):
        records = sum(len(log) for (name, _), log in again.logs.items() if name == topic)
        assert sum(again.counts[f"{what}:{topic}"] for what in ("applied", "duplicate", "erased")) == records
    assert again.counts["erased:clickstream"] > world.counts["erased:clickstream"]


def test_a_part_that_nobody_can_read_leads_to_who_sent_it() -> None:
    """The link was made without the erased one's knowing, and what it sends is sealed for nobody."""
    world = settled(viewed("card:1", "a", at=1), viewed("ann", "b", at=1))
    world.put(log_in("card:1", "", Link("user", "ann"), at=2))
    world.turn(world.place(b"card:1"), {"clickstream": 9})
    erased(world)
    world.shredded = {b"ann"}
    settled(viewed("card:1", "c", at=3), world=world)
    assert facts_of(world, "card:1")[0] == 0 and seen(world, "ann", "card:1") == [0, 0]
