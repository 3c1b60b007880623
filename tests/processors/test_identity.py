"""Links, one at a time: who is joined to whom, what moves, and what does not."""

from typing import Any

import pytest

from processors.claims import AGAIN
from processors.owners import add, alive
from processors.parcels import RECORD_BYTES
from processors.persons import aliases, origins, whole
from processors.turn import Turn
from schemas.codes import KEY_OF
from schemas.customer import Customer
from schemas.event import ADDED, IDENTIFIED, PRODUCT_VIEWED
from schemas.identity import MARKS_MOST, STRETCHES_MOST, Link, Mark, Marker
from schemas.part import decode_part
from schemas.topics import CART, CLICKSTREAM, FEEDBACK, INPUTS, PARTS, TRIGGERS, partition_of
from schemas.trigger import Feedback, decode_trigger, encode_feedback
from tests.processors.builders import (
    ABANDONED,
    START,
    Logged,
    added,
    decider,
    happened,
    identified,
    ordered,
    play,
    viewed,
)
from tests.processors.estate import Estate

SILENCE = 45 * 60.0


def estate(*plays: dict[str, Any], **more: Any) -> Estate:
    return Estate(decider(*(plays or (play("every", on=[PRODUCT_VIEWED, ADDED]),)), **more))


def log_in(user: str, anonymous: str = "", *links: Link, at: float = 0.0, **more: Any) -> Logged:
    return happened(user, IDENTIFIED, at=at, anonymous=anonymous, links=list(links), **more)


def triggers(world: Estate) -> list[tuple[str, str]]:
    rows = [row for partition in range(world.partitions) for row in world.logs[TRIGGERS, partition]]
    return sorted((one.play, one.customer) for one in (decode_trigger(row.value or b"") for row in rows))


def views(customer: Customer) -> int:
    clicks = whole(customer).clickstream
    did = clicks.did.get(KEY_OF[PRODUCT_VIEWED]) if clicks else None
    return did.count if did else 0


def seen(world: Estate, *ids: str) -> list[int]:
    """How many views each id has, as a play would see it."""
    return [views(world.customer(id)) for id in ids]


def settled(*records: Logged, world: Estate | None = None) -> Estate:
    """Each record is read, and all it leads to, before the next."""
    world = world or estate()
    for record in records:
        world.put(record)
        world.settle()
    return world


def test_what_came_before_a_login_and_what_comes_after_is_the_users() -> None:
    world = settled(viewed("x", "boots", at=1), log_in("ann", "x", at=2), viewed("x", "hat", at=3))
    assert seen(world, "ann", "x") == [2, 0]
    assert origins(world.customer("ann")) == ["x"] and aliases(whole(world.customer("ann"))) == ["x"]


def test_a_second_user_gets_only_what_comes_after_them() -> None:
    world = settled(viewed("x", "a", at=1), log_in("ann", "x", at=2), viewed("x", "b", at=3), log_in("bob", "x", at=4))
    settled(viewed("x", "c", at=5), world=world)
    assert seen(world, "ann", "bob", "x") == [2, 1, 0]


def test_a_kiosk_belongs_to_nobody() -> None:
    logins = [log_in(f"u{n}", "kiosk", at=n) for n in range(6)]
    world = settled(viewed("kiosk", "a", at=1), *logins, viewed("kiosk", "b", at=9))
    assert seen(world, "kiosk", *(f"u{n}" for n in range(6))) == [2, 0, 0, 0, 0, 0, 0]
    world.split("kiosk", "u5", "why")
    world.settle()
    assert seen(world, "kiosk", "u0", "u4") == [0, 1, 1]


def test_many_users_over_a_long_time_are_no_crowd() -> None:
    marks: list[Mark] = []
    for number in range(20):
        add(marks, Marker("link", f"u{number}", most=5, within=10.0), 3.0 * number, number)
    assert len(alive(marks)) == 20
    add(marks, Marker("link", "one more", most=5, within=20.0), 60.0, 99)
    assert not alive(marks)


def test_a_split_makes_it_as_if_the_link_had_never_been() -> None:
    world = settled(viewed("x", "a", at=1), log_in("ann", "x", at=2), viewed("x", "b", at=3))
    world.split("x", "ann", "why")
    world.settle()
    assert seen(world, "ann", "x") == [0, 2]
    settled(log_in("ann", "x", at=4), world=world)
    assert seen(world, "ann", "x") == [2, 0]


def answers(world: Estate, *ids: str) -> list[int]:
    """How often each id answered, as a play would see it."""
    return [facts.events if (facts := whole(world.customer(id)).feedback) else 0 for id in ids]


def clicked(who: str) -> Logged:
    return Logged(FEEDBACK, who.encode(), encode_feedback(Feedback("f", "t", "clicked", START, "push")))


def test_a_split_also_takes_back_what_has_no_stretches() -> None:
    world = settled(viewed("x", "a", at=1), log_in("card:1", "x", at=2), log_in("ann", "", Link("card", "1"), at=3))
    settled(clicked("card:1"), world=world)
    assert (answers(world, "ann", "card:1"), seen(world, "ann", "card:1")) == ([1, 0], [1, 0])
    world.split("card:1", "ann", "why")
    world.settle()
    assert (answers(world, "ann", "card:1"), seen(world, "ann", "card:1")) == ([0, 1], [0, 1])


def test_feedback_told_in_a_lost_history_is_taken_back() -> None:
    """Its owner changes again in a batch that has not read it yet."""
    world = settled(log_in("ann", "x", at=1), world=estate(identity={"limits": {}}))
    kept = world.kept[world.place(b"x")]
    before = kept.copy()
    before.customers.clear()
    before.offsets.update(dict.fromkeys(INPUTS, 0))
    settled(clicked("x"), world=world)
    assert answers(world, "ann", "x") == [1, 0]
    world.kept[world.place(b"x")] = before
    world.split("x", "ann", "why")
    world.turn(world.place(b"x"), {PARTS: 99})
    world.settle()
    assert answers(world, "ann", "x") == [0, 1]


def test_a_chain_ends_at_the_last_one() -> None:
    world = settled(viewed("x", "a", at=1), log_in("card:1", "x", at=2), log_in("ann", "", Link("card", "1"), at=3))
    settled(viewed("x", "b", at=4), world=world)
    assert seen(world, "ann", "card:1", "x") == [2, 0, 0]
    assert triggers(world) == [("every", "ann"), ("every", "x")], "each is heard where it belongs when it is read"


def test_two_aliases_that_cross_end_at_the_greater() -> None:
    world = estate()
    world.put(viewed("ann", "a", at=1), viewed("bob", "b", at=2))
    world.put(log_in("bob", "", Link("user", "ann"), at=3), log_in("ann", "", Link("user", "bob"), at=4))
    world.settle()
    assert seen(world, "ann", "bob") == [0, 2]


def test_an_alias_back_is_refused() -> None:
    world = settled(log_in("bob", "", Link("user", "ann"), at=3), log_in("ann", "", Link("user", "bob"), at=4))
    assert world.counts["unlinked:ring"] == 1


# -- who is believed


@pytest.mark.parametrize(
    ("rules", "link", "reason"),
    [
        ({"kinds": ["user", "card"]}, Link("device", "d"), "kind"),
        ({"sources": ["crm"]}, Link("card", "1"), "source"),
        ({"trust": ["server"]}, Link("card", "1", "token"), "trust"),
        ({}, Link("card", "0000"), "blocked"),
        ({}, Link("anonymous", "NULL"), "blocked"),
        ({"blocked": ["99*"]}, Link("card", "9912"), "blocked"),
    ],
)
def test_a_claim_against_the_rules_links_nobody(rules: dict[str, Any], link: Link, reason: str) -> None:
    world = settled(log_in("ann", "", link, source="shop"), world=estate(identity=rules))
    assert world.counts[f"unlinked:{reason}"] == 1 and not any(world.logs[PARTS, p] for p in range(3))


def test_the_lesser_kind_belongs_to_the_greater_whoever_says_so() -> None:
    world = settled(ordered("card:1", "hat"), log_in("card:1", "", Link("user", "ann"), at=1))
    assert world.customer("card:1").identity.owner == "ann"  # type: ignore[union-attr]


def test_a_claim_that_says_nothing_new_is_not_passed_on() -> None:
    """SDKs send both ids with every event."""

    def claims(*records: Logged) -> int:
        return settled(*records).counts["linked:anonymous"]

    both = [viewed("ann", "hat", at=n, anonymous="x", session="s") for n in range(5)]
    assert claims(*both) == 1
    assert claims(*both, viewed("ann", "hat", at=9, anonymous="x", session="t")) == 2
    assert claims(*both, log_in("ann", "x", at=9, session="s")) == 2
    plain = [viewed("ann", "hat", at=n, anonymous="x") for n in (0, AGAIN - 1, AGAIN, AGAIN + 1)]
    assert claims(*plain) == 2


def test_another_session_is_one_record_unless_somebody_came_between() -> None:
    def markers(world: Estate) -> list[int]:
        found = [[row for row in log if row.key == b"x"] for log in world.logs.values()]
        return sorted(len(rows) for rows in found if rows)

    world = settled(log_in("ann", "x", at=1, session="s"))
    assert markers(world) == [1, 1, 1, 1]
    settled(viewed("ann", "hat", at=2, anonymous="x", session="t"), world=world)
    assert markers(world) == [1, 1, 1, 2], "only the log of parts"
    settled(log_in("bob", "x", at=3, session="u"), world=world)
    settled(viewed("x", "tent", at=4), world=world)
    settled(viewed("ann", "hat", at=5, anonymous="x", session="v"), world=world)
    assert markers(world) == [3, 3, 4, 4], "and a view: the others were told"
    settled(viewed("x", "boots", at=6), world=world)
    assert seen(world, "ann", "bob") == [3, 1]


# -- what plays conclude


def test_a_cart_of_a_linked_id_is_spoken_of_at_the_user() -> None:
    world = estate(ABANDONED)
    world.put(added("x", "boots", at=1, cart="c"))
    world.settle()
    settled(log_in("ann", "x", at=2), world=world)
    assert (world.counts["timer:armed"], world.counts["timer:cancelled"]) == (2, 1)
    world.now = SILENCE + 10
    world.settle(until=SILENCE + 10)
    assert triggers(world) == [("cart-abandoned", "ann")]


def test_a_receipt_by_card_ends_the_silence_of_the_laptop() -> None:
    world = settled(
        log_in("ann", "", Link("card", "1")), added("ann", "boots", at=1, cart="c"), world=estate(ABANDONED)
    )
    settled(ordered("card:1", "boots", at=2, till=True), world=world)
    world.now = SILENCE + 10
    world.settle(until=SILENCE + 10)
    assert not triggers(world) and world.counts["timer:cancelled"] == 1


def test_what_an_id_sent_counts_at_the_user() -> None:
    caps = {"caps": [{"per": "customer", "most": 1, "within": "1d"}]}
    world = settled(viewed("x", "boots", at=1), world=estate(policies=caps))
    settled(log_in("ann", "x", at=2), viewed("ann", "hat", at=3), world=world)
    assert triggers(world) == [("every", "x")] and world.counts["refused:every:cap"] == 1


def test_one_occurrence_is_not_told_twice_under_two_ids() -> None:
    carts = play("carts", on=[ADDED], occurrence="cart.id", expires="7d")
    world = estate(carts, occurrence={"carts": lambda view: view.cart.id})
    settled(
        added("x", "boots", at=1, cart="c"), log_in("ann", "x", at=2), added("x", "hat", at=3, cart="c"), world=world
    )
    assert triggers(world) == [("carts", "x")]


def test_a_no_wins_over_a_yes_that_is_not_later() -> None:
    told = [identified("x", at=5, consent={"ads": False}), identified("ann", at=5, consent={"ads": True})]
    world = settled(*told, log_in("ann", "x", at=6))
    clicks = whole(world.customer("ann")).clickstream
    assert clicks and clicks.consent == {"ads": False}
    settled(identified("ann", at=7, consent={"ads": True}), world=world)
    clicks = whole(world.customer("ann")).clickstream
    assert clicks and clicks.consent == {"ads": True}


def test_a_child_is_another_person() -> None:
    near = Link("user", "kid", relation="child")
    relations: list[list[str]] = []
    asked = play("every", on=[PRODUCT_VIEWED])

    def note(view: Any) -> bool:
        relations.append(view.customer.relations)
        return False

    world = estate(asked, when={"every": note})
    settled(viewed("kid", "toy", at=1), log_in("ann", "", near, at=2), viewed("ann", "hat", at=3), world=world)
    assert seen(world, "ann", "kid") == [1, 1] and relations == [[], ["child"]]


# -- bounds


def test_stretches_and_links_are_bounded() -> None:
    world = estate(identity={"limits": {}})
    for number in range(200):
        world.put(log_in(("ann", "bob")[number % 2], "x", at=number))
        world.settle()
        world.put(viewed("x", "hat", at=number + 0.5))
    world.settle()
    side = world.customer("x").identity.clickstream  # type: ignore[union-attr]
    assert side and len(side.closed) < STRETCHES_MOST and len(side.marks) <= MARKS_MOST
    assert seen(world, "ann", "bob", "x") == [100, 100, 0]


def test_a_batch_too_large_for_one_record_leaves_in_several() -> None:
    world = settled(log_in("ann", "x"))
    long = {f"p{n}": "q" * 500 for n in range(20)}
    world.put(*(viewed("x", "hat", at=n, properties=long) for n in range(60)))
    world.settle()
    parts = [row.value or b"" for row in world.logs[PARTS, partition_of(b"ann", 3)]]
    events = [len(decode_part(value).events) for value in parts]
    assert sum(events) == 60 and len([n for n in events if n]) > 2
    assert max(map(len, parts)) < 1.2 * RECORD_BYTES
    assert seen(world, "ann") == [60] and len(triggers(world)) == 60


def test_an_id_without_links_keeps_nothing_of_them() -> None:
    world = settled(viewed("ann", "hat"), ordered("ann", "hat", at=1))
    assert world.customer("ann").identity is None and not any(world.logs[PARTS, p] for p in range(3))


@pytest.mark.parametrize("said", [b"{}", b'{"topic": "cart"}', b'{"path": ["phone"]}', b'{"belongings": {}}'])
def test_a_part_that_says_nothing_is_a_fault(said: bytes) -> None:
    turn = Turn(START, 0.0, {b"ann": Customer()})
    decider(play()).absorb(turn, b"ann", {PARTS: [Logged(PARTS, b"ann", said)]})
    assert [fault.cause for fault in turn.faults] == ["invalid"]


def test_a_reminder_that_left_in_a_lost_history_is_not_sent_again_by_the_owner() -> None:
    """The phone's partition goes back to before its silence was over; then the phone is linked, and hands it over."""
    world = estate(play("left", on=[ADDED], after="2s", expires="7d"))
    owner, device = world.place(b"ann"), world.place(b"y")
    assert owner != device
    world.put(viewed("ann", "hat"))  # else no channel reaches her
    world.settle()
    world.put(added("y", "boots", at=1, id="a"))
    world.turn(device, {CART: 1})
    before = world.kept[device].copy()
    world.now = 5
    world.turn(device, {}, until=5)
    world.relay(device, 1)
    world.kept[device] = before
    world.put(log_in("ann", "y", at=6))
    world.turn(owner, {CLICKSTREAM: 1})
    world.relay(owner, 4)
    for topic in (TRIGGERS, PARTS):  # that of its cart's log comes in a later turn
        world.turn(device, {topic: 1})
    world.relay(device, 9)
    world.turn(owner, {PARTS: 9}, until=10)
    world.settle(until=10)
    sent = [row for partition in range(world.partitions) for row in world.logs[TRIGGERS, partition]]
    assert [decode_trigger(row.value or b"").customer for row in sent] == ["y"]
