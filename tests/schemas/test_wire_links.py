"""Who may say that two ids are one person, and how it is written."""

import hmac
from hashlib import sha256

import pytest

from schemas.identity import Link
from streams.collector.keys import Prover
from tests.schemas.calls import Json, fault, one, read, track

SECRET = "a secret of the shop"


def token(customer: str) -> str:
    return hmac.new(SECRET.encode(), customer.encode(), "sha256").hexdigest()


def beside(*ids: Json) -> Json:
    return {"context": {"externalIds": list(ids)}}


@pytest.mark.parametrize(
    ("given", "link"),
    [
        ({"type": "card", "id": "4711"}, Link("card", "4711")),
        ({"type": "Member_Card", "id": 4711}, Link("card", "4711")),
        ({"type": "email", "id": " Ann@Example.org "}, Link("email", sha256(b"ann@example.org").hexdigest())),
        ({"type": "email", "id": sha256(b"x").hexdigest()}, Link("email", sha256(b"x").hexdigest())),
        ({"type": "phone", "id": "+49 123-45"}, Link("phone", sha256(b"4912345").hexdigest())),
    ],
)
def test_other_ids_are_links(given: Json, link: Link) -> None:
    assert one(track(**beside(given))).links == [link]


@pytest.mark.parametrize("value", ["test@example.org", "null", "0000", "noreply@shop.example"])
def test_nobodys_address_links_nothing(value: str) -> None:
    assert not one(track(**beside({"type": "email", "id": value}))).links


def test_an_address_is_not_kept() -> None:
    records, _ = read(track(**beside({"type": "email", "id": "ann@example.org"})))
    assert b"example.org" not in records[0][2]


@pytest.mark.parametrize(
    "given", ["4711", [["card", "4711"]], [{"type": "card", "id": "c" * 101}], [{"type": "card", "id": 1.5}]]
)
def test_what_is_no_id_is_refused(given: object) -> None:
    assert "context.externalIds" in str(fault(track(context={"externalIds": given})))


def test_a_type_nobody_knows_links_nothing() -> None:
    assert not one(track(**beside({"type": "horoscope", "id": "leo"}))).links


def test_a_till_knows_only_the_card() -> None:
    receipt = track(
        "Order Completed", userId=None, **beside({"type": "email", "id": "a@b.c"}, {"type": "card", "id": "4711"})
    )
    ((topic, key, _),), _ = read(receipt)
    assert (topic, key) == ("pos", b"card:4711")


def test_a_person_near_is_not_the_same() -> None:
    event = one(track(context={"related": [{"type": "user", "id": "kid", "relation": "child"}]}))
    assert event.links == [Link("user", "kid", relation="child")]
    assert "relation" in str(fault(track(context={"related": [{"type": "user", "id": "kid"}]})))


def test_a_browser_links_nothing() -> None:
    call = track(anonymousId="x", **beside({"type": "card", "id": "4711"}))
    event = one(call, server=False)
    assert not event.links and not event.anonymous


def test_a_browser_with_a_token_links_its_anonymous_id_and_no_other() -> None:
    call = track(anonymousId="x", context={"identityToken": token("ann"), "externalIds": [{"type": "card", "id": "1"}]})
    assert one(call, server=False, proves=Prover(SECRET)).links == [Link("anonymous", "x", "token")]


@pytest.mark.parametrize("given", [token("bob"), "", "ü", 7, None])
def test_a_wrong_token_proves_nothing(given: object) -> None:
    call = track(anonymousId="x", context={"identityToken": given})
    assert not one(call, server=False, proves=Prover(SECRET)).links


def test_without_a_secret_nothing_is_proved() -> None:
    assert not Prover("")("ann", hmac.new(b"", b"ann", "sha256").hexdigest())


@pytest.mark.parametrize("who", [{"userId": "card:4711"}, {"userId": None, "anonymousId": "email:x"}])
def test_a_browser_cannot_speak_for_another_kind_of_id(who: Json) -> None:
    assert fault(track(**who), server=False).reason == "forbidden"
