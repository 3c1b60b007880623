"""The verifier finds nothing where nothing is wrong, and each of its checks can fail."""

import copy
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec import msgpack

from schemas.families import Kept
from tests.faults.verifier.checks import check
from tests.faults.verifier.evidence import DEAD, Entry, Evidence, Slot
from tests.faults.verifier.plays import id_of
from tests.faults.verifier.sealed import Unsealer, Words, last_words
from tests.faults.worked import Day, linked, worked
from tests.streams.vault.memory import House

Doctor = Callable[[Evidence], None]


@pytest.fixture(scope="module")
def kept() -> dict[str, Evidence]:
    return {}


@pytest.fixture
async def good(kept: dict[str, Evidence]) -> Evidence:
    """Made once, a copy for each."""
    if "good" not in kept:
        kept["good"] = await worked()
    return copy.deepcopy(kept["good"])


@pytest.fixture
async def tied(kept: dict[str, Evidence]) -> Evidence:
    """The same, of customers who have several ids."""
    if "tied" not in kept:
        kept["tied"] = await linked()
    return copy.deepcopy(kept["tied"])


async def test_what_is_right_is_found_right(good: Evidence) -> None:
    found = check(good)
    assert found.clean, str(found)
    assert found.report()["violations"] == {}
    wanted = {"triggers": 4, "occurrences sent": 4, "occurrences refused": 2, "duplicates": 1, "dead letters": 1}
    assert {name: found.figures[name] for name in wanted} == wanted
    assert found.figures["timers fired"] == 1
    assert found.figures["timers cancelled"] == 1


@pytest.mark.parametrize("made", [worked, linked])
async def test_who_keeps_less_is_judged_by_what_is_kept(made: Callable[[Kept], Awaitable[Evidence]]) -> None:
    evidence = await made(frozenset({"habits"}))
    found = check(evidence)
    assert found.clean, str(found)
    states = b"".join(evidence.slots[0].customers.values())
    assert b"clock" in states and b"minutes" not in states and b"touches" not in states


# -- how each thing can be wrong


def customer(evidence: Evidence, key: bytes, change: Callable[[dict[str, Any]], object]) -> None:
    state = json.loads(evidence.slots[0].customers[key])
    change(state)
    evidence.slots[0].customers[key] = json.dumps(state).encode()


def triggers(evidence: Evidence) -> list[Entry]:
    return evidence.log("triggers", 0).entries


def trigger(evidence: Evidence, number: int, **changes: Any) -> None:
    entry = triggers(evidence)[number]
    value = json.loads(entry.value or b"") | changes
    triggers(evidence)[number] = entry._replace(value=json.dumps(value).encode())


def of(evidence: Evidence, play: str) -> int:
    return next(n for n, e in enumerate(triggers(evidence)) if json.loads(e.value or b"")["play"] == play)


def turn(evidence: Evidence, number: int, change: Callable[[list[Any]], None]) -> None:
    """`number`: of the turns, not counting acquires; its ranges are its sixth field."""
    blobs = evidence.slots[0].turns
    at = [n for n, blob in enumerate(blobs) if blob[:1] != b"A"][number]
    fields = msgpack.decode(blobs[at])
    change(fields)
    blobs[at] = msgpack.encode(fields)


def moved(evidence: Evidence) -> int:
    """The first turn that read something."""
    turns = [msgpack.decode(blob) for blob in evidence.slots[0].turns if blob[:1] != b"A"]
    return next(number for number, fields in enumerate(turns) if fields[5])


def ranges(by: int) -> Doctor:
    def change(fields: list[Any]) -> None:
        fields[5] = {topic: (first + by, end) for topic, (first, end) in fields[5].items()}

    return lambda evidence: turn(evidence, moved(evidence), change)


def meta(name: str, value: bytes) -> Doctor:
    return lambda evidence: evidence.slots[0].meta.update({name: value})


def answer(evidence: Evidence) -> None:
    evidence.answered["never-seen"] = 0.0


def lose_event(evidence: Evidence) -> None:
    customer(evidence, b"bob", lambda state: state["clickstream"].update(events=0))


def twice(evidence: Evidence) -> None:
    customer(evidence, b"bob", lambda state: state["clickstream"].update(events=2))


def facts(evidence: Evidence) -> None:
    customer(evidence, b"ann", lambda state: state["pos"].update(spent=999))


def forget_customer(evidence: Evidence) -> None:
    del evidence.slots[0].customers[b"ann"]


def drop_turn(evidence: Evidence) -> None:
    del evidence.slots[0].turns[len(evidence.slots[0].turns) // 2]


def forget_turn(evidence: Evidence) -> None:
    evidence.slots[0].turns.pop()


def ahead(evidence: Evidence) -> None:
    turn(evidence, -1, lambda fields: fields.__setitem__(3, fields[2] + 9))


def leave(evidence: Evidence) -> None:
    evidence.slots[0].outbox[b"x"] = msgpack.encode(["triggers", b"ann", b"{}", [], 0.0, 1])


def grow(evidence: Evidence) -> None:
    evidence.log("cart", 0).end += 1


def repeat(evidence: Evidence) -> None:
    entry = triggers(evidence)[0]
    triggers(evidence).append(entry._replace(offset=99))


def other_content(evidence: Evidence) -> None:
    repeat(evidence)
    trigger(evidence, -1, decided=1.0)


def no_sense(evidence: Evidence) -> None:
    triggers(evidence)[0] = triggers(evidence)[0]._replace(value=b"{")


def wrong_key(evidence: Evidence) -> None:
    triggers(evidence)[0] = triggers(evidence)[0]._replace(key=b"bob")


def wrong_header(evidence: Evidence) -> None:
    triggers(evidence)[0] = triggers(evidence)[0]._replace(headers=(("ce_id", b"other"),))


def lose_trigger(evidence: Evidence) -> None:
    del triggers(evidence)[of(evidence, "thanks")]


def invent(evidence: Evidence) -> None:
    first = of(evidence, "thanks")
    event = json.loads(triggers(evidence)[first].value or b"")["occurrence"]
    evidence.log("pos", 0).entries[:] = [
        e._replace(value=(e.value or b"").replace(b'"%b"' % event.encode(), b'"m999"'))
        for e in evidence.log("pos", 0).entries
    ]


def crowd(time: str) -> Doctor:
    """A third trigger of ann within the window."""

    def doctor(evidence: Evidence) -> None:
        mine = next(entry for entry in triggers(evidence) if entry.key == b"ann")
        value = json.loads(mine.value or b"")
        value |= {"id": "third", "decided": value["decided"] + (0.0 if time == "decided" else 900.0)}
        value["expires"] = value["decided"] + 60.0
        triggers(evidence).append(mine._replace(offset=98, value=json.dumps(value).encode()))

    return doctor


def forget_refusal(evidence: Evidence) -> None:
    customer(evidence, b"ann", lambda state: state["decisions"].pop("refused"))


def refuse_sent(evidence: Evidence) -> None:
    sent = json.loads(next(e for e in triggers(evidence) if e.key == b"ann").value or b"")
    refusal = {name: sent[name] for name in ("id", "play", "occurrence", "time", "decided")}
    customer(evidence, b"ann", lambda state: state["decisions"]["refused"].append(refusal | {"reason": "cap"}))


def refuse_for(reason: str) -> Doctor:
    def doctor(evidence: Evidence) -> None:
        customer(evidence, b"ann", lambda state: state["decisions"]["refused"][0].update(reason=reason))

    return doctor


def refuse_early(evidence: Evidence) -> None:
    customer(evidence, b"ann", lambda state: state["decisions"]["refused"][0].update(decided=1.0))


def cancel_before(evidence: Evidence) -> None:
    """bob's order was in the log before his timer fired."""
    due = json.loads(triggers(evidence)[of(evidence, "left")].value or b"")["time"]
    order = {"id": "m99", "name": "Order Completed", "time": due - 0.5, "channel": "app"}
    log = evidence.log("pos", 0)
    log.entries.append(Entry(log.end, int((due - 0.5) * 1000), b"bob", json.dumps(order).encode()))
    log.end += 1


def begin_again_before(evidence: Evidence) -> None:
    due = json.loads(triggers(evidence)[of(evidence, "left")].value or b"")["time"]
    added = {"id": "m99", "name": "Product Added", "time": due - 0.5, "channel": "app"}
    log = evidence.log("cart", 0)
    log.entries.append(Entry(log.end, int((due - 0.5) * 1000), b"bob", json.dumps(added).encode()))
    log.end += 1


def fire_early(evidence: Evidence) -> None:
    number = of(evidence, "left")
    trigger(evidence, number, time=json.loads(triggers(evidence)[number].value or b"")["time"] - 0.5)


def wait_unlisted(evidence: Evidence) -> None:
    waiting = {"left": {"due": 1.0, "armed": 0.0, "event": "m1"}}
    customer(evidence, b"bob", lambda state: state["decisions"].update(waiting=waiting))


def list_unwaited(evidence: Evidence) -> None:
    evidence.slots[0].timers[b"bob"] = 1.0


def lose_letter(evidence: Evidence) -> None:
    evidence.log(DEAD, 0).entries.clear()


def letter(**changes: Any) -> Doctor:
    def doctor(evidence: Evidence) -> None:
        entries = evidence.log(DEAD, 0).entries
        entries[0] = entries[0]._replace(**changes)

    return doctor


def forget_sent(evidence: Evidence) -> None:
    customer(evidence, b"ann", lambda state: state["decisions"]["sent"].pop())


def remember_unsent(evidence: Evidence) -> None:
    more = {"id": "ghost", "play": "thanks", "channel": "push", "decided": 1.0}
    customer(evidence, b"ann", lambda state: state["decisions"]["sent"].append(more))


def remember_otherwise(evidence: Evidence) -> None:
    customer(evidence, b"ann", lambda state: state["decisions"]["sent"][0].update(decided=1.0))


def decide_otherwise(evidence: Evidence) -> None:
    customer(evidence, b"bob", lambda state: state["decisions"]["concluded"].update(left=7.0))


def unreadable_turn(evidence: Evidence) -> None:
    turn(evidence, -1, lambda fields: fields.__setitem__(4, "no such playbook"))


HEADERS = (("reason", b"undecodable"), ("place", b"clickstream/0/7"))

DOCTORED: dict[str, list[Doctor]] = {
    "answered 200 and not in Kafka": [answer],
    "an event was lost": [lose_event],
    "a messageId was applied twice, or invented": [twice],
    "facts differ": [facts, meta("facts", b"none")],
    "slots keep different facts": [lambda e: e.slots.__setitem__(1, Slot({"facts": b"none"}))],
    "customer is not in the state": [forget_customer],
    "customer in one life only": [forget_customer],
    "turn records do not chain": [drop_turn],
    "last record is not the token": [forget_turn],
    "ranges have a gap": [ranges(1)],
    "ranges overlap": [ranges(-1)],
    "ranges end elsewhere": [meta("next:cart", b"77")],
    "timers run ahead of the clock": [ahead],
    "lag": [grow],
    "outbox is not empty": [leave],
    "outbox holds what no turn decided": [leave],
    "counters differ from the log": [meta("count:applied:pos", b"1"), meta("count:duplicate:clickstream", b"0")],
    "records in are not all accounted for": [meta("count:applied:pos", b"1")],
    "triggers counted differ from the log": [meta("count:trigger:left", b"7")],
    "counters are not the fold of their turns": [meta("count:refused:thanks:cap", b"7")],
    "partition without a state": [lambda e: e.slots[0].meta.clear()],
    "id visible twice": [repeat],
    "one id, two contents": [other_content],
    "trigger nobody can read": [no_sense],
    "trigger id is not that of its occurrence": [lambda e: trigger(e, 0, occurrence="other")],
    "trigger lies under another customer's key": [wrong_key],
    "trigger's header has another id": [wrong_header],
    "cap exceeded by decided time": [crowd("decided")],
    "cap exceeded by appended time": [crowd("appended")],
    "occurrence neither sent nor refused": [lose_trigger, forget_refusal],
    "trigger without an occurrence in the log": [invent],
    "both sent and refused": [refuse_sent],
    "refused for a reason that does not hold": [refuse_for("expired"), refuse_for("mood"), refuse_early],
    "timer fired, its cancel in the log before": [cancel_before],
    "timer fired, its new beginning in the log before": [begin_again_before],
    "timer fired at another time": [fire_early],
    "timers do not add up": [meta("count:timer:armed", b"9"), wait_unlisted],
    "list of timers is not what customers say": [wait_unlisted, list_unwaited],
    "timer overdue": [wait_unlisted],
    "timers are not the fold of their turns": [list_unwaited],
    "bad record without a dead letter": [lose_letter],
    "dead letter of a good record": [letter(headers=(("place", b"pos/0/0"), ("reason", b"invalid")))],
    "dead letter with other bytes": [letter(value=b"other")],
    "dead letter for another reason": [letter(headers=(("place", b"clickstream/0/2"), ("reason", b"invalid")))],
    "sent and not remembered": [forget_sent],
    "remembered as sent and never visible": [remember_unsent],
    "remembered with another time": [remember_otherwise],
    "state is not the fold of its turns": [decide_otherwise],
    "the turn records cannot be folded again": [unreadable_turn],
}


@pytest.mark.parametrize(
    ("kind", "doctor"),
    [
        pytest.param(kind, one, id=f"{kind}-{at}")
        for kind, doctors in DOCTORED.items()
        for at, one in enumerate(doctors)
    ],
)
async def test_what_is_wrong_is_found(good: Evidence, kind: str, doctor: Doctor) -> None:
    doctor(good)
    found = check(good)
    assert kind in found.violations, str(found)
    assert found.first[kind]


# -- customers of several ids


async def test_persons_are_found_right(tied: Evidence) -> None:
    found = check(tied)
    assert found.clean, str(found)
    wanted = {"persons of several ids": 1, "ids of them": 6, "events heard at another id": 3, "stretches closed": 5}
    wanted |= {"events heard beyond a chain": 2, "decisions under caps of several ids": 1, "parts held": 9}
    assert {name: found.figures[name] for name in wanted} == wanted


def identity(who: bytes, change: Callable[[dict[str, Any]], object]) -> Doctor:
    return lambda evidence: customer(evidence, who, lambda state: change(state["identity"]))


def held(change: Callable[[dict[str, Any]], object]) -> Doctor:
    """What ann holds of the orders of her card's phone."""
    return identity(b"ann", lambda one: change(one["pos"]["held"]["phone\ncard:1"]))


def part_lost(evidence: Evidence) -> None:
    """The part that told ann of the phone's second order."""
    entries = evidence.log("parts", 0).entries
    entries[:] = [
        e for e in entries if not (e.key == b"ann" and b'"events"' in (e.value or b"") and b"m10" in (e.value or b""))
    ]


def decide_twice(evidence: Evidence) -> None:
    """The phone's first order, once more by its owner."""
    mine = next(entry for entry in triggers(evidence) if entry.key == b"phone")
    value = json.loads(mine.value or b"")
    value |= {"customer": "ann", "id": id_of(evidence.app, value["play"], b"ann", value["occurrence"])}
    headers = (("ce_id", value["id"].encode()),)
    triggers(evidence).append(mine._replace(offset=99, key=b"ann", value=json.dumps(value).encode(), headers=headers))


def narrow(evidence: Evidence) -> None:
    """One would have been too many already."""
    version = evidence.current
    evidence.playbooks[version] = evidence.playbooks[version].replace("most: 2", "most: 1")


def wait_below(evidence: Evidence) -> None:
    waiting = {"left": {"due": 1.0, "armed": 0.0, "event": "m1"}}
    customer(evidence, b"phone", lambda state: state["decisions"].update(waiting=waiting))


TIED: dict[str, list[Doctor]] = {
    "stretches differ from the log": [
        identity(b"phone", lambda one: one["cart"]["closed"][0]["facts"].update(events=2)),
        identity(b"tablet", lambda one: one["clickstream"]["closed"][0].update(owner="bob")),
        identity(b"lost", lambda one: one["clickstream"]["closed"].clear()),
    ],
    "a log belongs to another than its links say": [identity(b"tablet", lambda one: one["cart"].update(owner="ann"))],
    "an id belongs to another than its links say": [identity(b"tablet", lambda one: one.update(owner="bob"))],
    "a part held is not what its sender's log says": [held(lambda one: one["facts"].update(spent=7))],
    "a part never came": [held(lambda one: one.pop("facts"))],
    "a part is held that is nobody's here": [
        identity(b"bob", lambda one: one["clickstream"]["held"].update(lost=one["clickstream"]["held"]["tablet"]))
    ],
    "a part held is not the newest that came": [held(lambda one: one.update(version=[0, 1]))],
    "an event counts twice for a person, or is another's": [held(lambda one: one["facts"].update(events=5))],
    "an event is lost to its person": [held(lambda one: one.pop("facts"))],
    "a person's facts differ": [held(lambda one: one["facts"].update(spent=7))],
    "a silence waits at an id that belongs to another": [wait_below],
    "an event was told to nobody": [part_lost],
    "an occurrence was decided by two ids": [decide_twice],
    "trigger without an occurrence in the log": [decide_twice],
    "sent, and its person does not know": [identity(b"ann", lambda one: one.pop("sent"))],
    "cap of a person exceeded": [narrow],
    "counters differ from the log": [meta("count:applied:parts", b"1")],
}


@pytest.mark.parametrize(
    ("kind", "doctor"),
    [pytest.param(kind, one, id=f"{kind}-{at}") for kind, doctors in TIED.items() for at, one in enumerate(doctors)],
)
async def test_what_is_wrong_with_persons_is_found(tied: Evidence, kind: str, doctor: Doctor) -> None:
    doctor(tied)
    found = check(tied)
    assert kind in found.violations, str(found)
    assert found.first[kind]


async def test_a_record_without_replicas_counts_from_when_it_was_answered(good: Evidence) -> None:
    cancel_before(good)
    order = good.log("pos", 0).entries[-1]
    good.dark = [(order.time / 1000 - 1, order.time / 1000 + 60)]
    assert "timer fired, its cancel in the log before" not in check(good).violations
    good.answered["m99"] = order.time / 1000 + 0.1
    assert "timer fired, its cancel in the log before" in check(good).violations


async def test_of_cut_logs_only_what_is_there_is_checked(good: Evidence) -> None:
    answer(good)
    lose_trigger(good)
    assert "answered 200 and not in Kafka" not in check(good, whole=False).violations


@pytest.fixture
async def forgotten() -> Evidence:
    """One customer and her phone are erased, amid the others, with a trigger sent and a silence under way."""
    day = Day()
    await day.rig.create()
    day.rig.serve()
    day.say("pos", "ann", "Order Completed", products=[{"id": "p"}])
    day.say("pos", "bob", "Order Completed", products=[{"id": "p"}])
    day.say("clickstream", "phone", "Product Viewed", products=[{"id": "p"}])
    day.say("clickstream", "ann", "Customer Identified", anonymous="phone")
    await day.rig.run(0.2)
    day.say("cart", "ann", "Product Added", products=[{"id": "p"}])
    await day.rig.run(0.2)
    day.erase("ann")
    day.say("cart", "ann", "Product Added", products=[{"id": "q"}])
    await day.rig.run(2.5)
    day.rig.stop()
    return await day.evidence()


async def test_an_erasure_is_found_right(forgotten: Evidence) -> None:
    found = check(forgotten)
    assert found.clean, str(found)
    assert (found.figures["erased"], found.figures["triggers"], found.figures["timers fired"]) == (1, 2, 0)
    assert (found.figures["ids of the erased"], found.figures["ids beside erasures, not compared"]) == (1, 2)


async def test_what_is_left_of_the_erased_is_found(forgotten: Evidence) -> None:
    customer(forgotten, b"ann", lambda state: state.update(cart={"events": 1}))
    forgotten.slots[0].timers[b"ann"] = 1.0
    customer(forgotten, b"phone", lambda state: state.update(cart={"events": 1}))
    wanted = {"something is left of an erased customer", "a timer waits for an erased customer"}
    wanted |= {"something is left at another id of an erased customer"}
    assert wanted <= check(forgotten).violations.keys()


async def seal(evidence: Evidence, shredded: bytes = b"") -> tuple[House, Words]:
    """All but markers and triggers, as a collector and a relay would leave it."""
    house = House()
    vault = house.vault()
    for (topic, _), log in evidence.logs.items():
        for at, entry in enumerate(log.entries):
            if topic == "triggers" or not entry.key or b'"marker"' in (entry.value or b""):
                continue
            pen = (await vault.pens([entry.key]))[entry.key]
            value, headers = pen.seal(topic, entry.value or b""), (*entry.headers, *pen.headers)
            log.entries[at] = entry._replace(value=value, headers=headers)
    if shredded:
        await house.vault().shred(0, [shredded])
    return house, last_words([Entry(0, 0, *one) for one in house.ledger.words[0]])


async def test_sealed_logs_are_opened_and_found_right(good: Evidence) -> None:
    before = check(good).figures
    house, words = await seal(good)
    assert not check(good).clean
    for log in good.logs.values():
        assert not [entry for entry in log.entries if b"Product" in (entry.value or b"")]
    Unsealer(house.masters, words).unseal(good)
    found = check(good)
    assert found.clean and found.figures == before, str(found)


async def test_a_shredded_key_is_found_right(forgotten: Evidence) -> None:
    logs = [log for (topic, _), log in forgotten.logs.items() if topic != "triggers"]
    hers = [entry for log in logs for entry in log.entries if entry.key == b"ann"]
    unreadable = sum(b'"marker"' not in (entry.value or b"") for entry in hers)
    house, words = await seal(forgotten, shredded=b"ann")
    Unsealer(house.masters, words).unseal(forgotten)
    found = check(forgotten)
    assert found.clean, str(found)
    assert (found.figures["erased"], found.figures["records nobody can read any more"]) == (1, unreadable)
    assert unreadable > 2


async def test_a_key_of_the_erased_that_is_left_is_found(forgotten: Evidence) -> None:
    house, words = await seal(forgotten)
    Unsealer(house.masters, words).unseal(forgotten)
    assert "a key of an erased customer is left" in check(forgotten).violations


async def test_a_key_that_nobody_has_is_found(good: Evidence) -> None:
    house, words = await seal(good)
    lost = {name: word for name, word in words.items() if not name.startswith(b"cid")}
    Unsealer(house.masters, lost).unseal(good)
    assert "a record is sealed with a key nobody has" in check(good).violations
