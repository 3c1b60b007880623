"""A customer in words, and as JSON."""

import json

import msgspec
import pytest
from rich.console import Console

from processors.touches import touched
from schemas.customer import Customer, Decisions, Intent, Sent, Waiting
from schemas.facts import CartFacts, ClickFacts, Did, Line, PosFacts, Receipt, Seen
from schemas.families import ALL, lacking
from schemas.playbook import IntentModel, Playbook
from schemas.trigger import Refusal, Why
from streams.tools import portrait
from streams.tools.customer import as_line
from streams.tools.triggers import because

NOW = 1_000_000.0
ANN = Customer(
    clickstream=ClickFacts(
        events=3,
        first=NOW - 900,
        last=NOW - 60,
        did={"pv": Did(3, NOW - 60)},
        touches=touched(b"", 999_940, 6, "web", -1),
        channels={"web": 3},
        seen=Seen(b"\x00\xff"),
        zone="Europe/Berlin",
        name="Ann",
        consent={"marketing": False},
        aliases={"anon-1": NOW - 900},
    ),
    cart=CartFacts(
        events=1,
        last=NOW - 50,
        did={"ad": Did(1, NOW - 50)},
        channels={"web": 1},
        lines=[Line(NOW - 50, "p1", 2, 10_000_000, "cart-1", "Tent")],
    ),
    pos=PosFacts(
        events=1,
        last=NOW - 9_000,
        did={"oc": Did(1, NOW - 9_000)},
        channels={"store": 1},
        orders=1,
        tills=1,
        spent=5_000_000,
        receipts=[Receipt(NOW - 9_000, "o1", True, 5_000_000, ["p9"])],
        currency=(NOW - 9_000, "EUR"),
    ),
    decisions=Decisions(
        segment="cart-open",
        segment_since=NOW - 50,
        intent=Intent(NOW, {"adds": 1.0}),
        waiting={"cart-abandoned": Waiting(NOW + 300, NOW - 50, "m1", "Product Added")},
        sent=[Sent("id-1", "thanks", "email", NOW - 8_000)],
        refused=[Refusal("id-2", "discount", "day", NOW, NOW - 30, "consent", "marketing: no")],
    ),
)


def told() -> dict[str, list[str]]:
    book = Playbook(intent=IntentModel(bias=-1.0, weights={"adds": 2.0}))
    return portrait.parts("ann", ANN, book, NOW)


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("who", ["ann, Ann, Europe/Berlin", "consent: marketing no", "also anon-1"]),
        ("stands", ["segment cart-open, for 50 s"]),
        ("cart", ["open, worth 20.00, touched 50 s ago", "2 x Tent at 10.00"]),
        ("orders", ["1, of them 1 at a till; 5.00 EUR in all", "last o1 2 h ago: p9"]),
        ("intent", ["0.60 now, from bias -1.00 adds +1.39"]),
        ("waiting", ["cart-abandoned: due in 5 min, since Product Added"]),
    ],
)
def test_a_person_reads(title: str, wanted: list[str]) -> None:
    assert told()[title] == wanted


def test_what_was_sent_and_what_was_not() -> None:
    assert "thanks by email, 2 h ago" in told()["sent"][0]
    assert "discount: consent, marketing: no; 30 s ago" in told()["refused"][0]
    assert told()["did"][0].startswith("clickstream: Product Viewed 3; last 60 s ago; on web 3")


def test_somebody_nobody_knows_much_of() -> None:
    assert portrait.parts("bob", Customer(), Playbook(), NOW) == {"who": ["bob"]}


def test_it_is_printed_with_the_command_to_see_it_in_redis() -> None:
    console = Console(record=True, width=200, file=open("/dev/null", "w"))  # noqa: SIM115
    portrait.show("ann", ANN, Playbook(), ALL, "redis-cli HGET x ann", console)
    console.file.close()
    assert "in Redis   redis-cli HGET x ann" in console.export_text()


def test_what_is_not_kept_is_said() -> None:
    """Of facts as they are where next to nothing is kept."""
    few = Customer(**{topic: lacking(getattr(ANN, topic), frozenset()) for topic in ("clickstream", "cart", "pos")})
    told = portrait.parts("ann", few, Playbook(), NOW, frozenset({"likes"}))
    assert told["not kept"] == ["windows, timeline, habits, viewed"]
    assert "timeline" not in told and told["did"][0] == "clickstream: Product Viewed 3; last 60 s ago"
    assert json.loads(as_line("ann", 3, few, frozenset({"likes"})))["not_kept"][0] == "windows"
    assert "not kept" not in portrait.parts("ann", ANN, Playbook(), NOW) and "not_kept" not in as_line("ann", 3, ANN)


def test_as_json_facts_and_decisions() -> None:
    line = json.loads(as_line("ann", 3, ANN))
    assert (line["id"], line["partition"], list(line["facts"])) == ("ann", 3, ["clickstream", "cart", "pos"])
    assert msgspec.convert(line["facts"]["cart"], CartFacts) == ANN.cart
    assert line["decisions"]["sent"][0]["play"] == "thanks"


def test_because() -> None:
    why = Why(
        "timer", facts={"cart.open": True, "cart.value": 42.5, "intent.score": 0.6, "event.time": 1e9}, score=0.614
    )
    assert because(why) == "silence, cart.open yes, cart.value 42.5, intent 0.61"


def test_the_timeline_is_told_newest_first() -> None:
    (line,) = told()["timeline"]
    assert line.endswith("Product Viewed web, felt bad")
