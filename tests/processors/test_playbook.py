"""Playbooks from texts: every fault, each in its place. In the texts here `@` marks where the fault must be found."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.places import Document
from processors.playbook import BadPlaybook, Fault, excerpt, read_playbook

PLAY = """
plays:
  - id: p
    on: [Product Added]
    occurrence: cart.id
    channels: [web]
"""


def faults(text: str) -> list[Fault]:
    with pytest.raises(BadPlaybook) as bad:
        read_playbook(text)
    return bad.value.faults


def test_the_least_playbook() -> None:
    loaded = read_playbook(PLAY)
    assert [play.id for play in loaded.playbook.plays] == ["p"]
    assert len(loaded.version) == 16
    assert read_playbook("plays: []").playbook.plays == []


@pytest.mark.parametrize(
    ("text", "play", "what", "wanted"),
    [
        ("@", "", "no playbook", "names as policies"),
        ("@- a", "", "no playbook", "names as policies"),
        ("@polices: {}", "", "unknown field 'polices'", "did you mean 'policies'?"),
        ("a: 1\n'@\x01'", "", "a character YAML does not allow", "UTF-8"),
        ("plays: [1, 2@", "", "expected ',' or ']'", ""),
        ("policies: {@quite: {}}", "", "unknown field 'quite'", "did you mean 'quiet'?"),
        ("policies: {caps: [{per: @week, most: 1, within: 1h}]}", "", "'per' cannot be 'week'", "customer, channel"),
        ("policies: {caps: [{per: play, most: @0, within: 1h}]}", "", "'most' cannot be 0", "from 1 to 1000"),
        (
            "policies: {caps: [{per: play, most: 1, within: @weekly}]}",
            "",
            "'within' cannot be 'weekly'",
            "45m, 24h or 7d",
        ),
        ("policies: {caps: [{per: play, most: 1, within: @-3m}]}", "", "'within' cannot be '-3m'", "45m, 24h or 7d"),
        ("policies: {caps: [{per: play, most: 1, within: @500d}]}", "", "'within' cannot be '500d'", "at most 400d"),
        ("policies: {caps: [{per: play, most: 1, within: @36d}]}", "", "looks back 36d", "remember of 36d"),
        ("policies: {caps: [@{per: play, most: 1}]}", "", "'within' is missing", "45m, 24h or 7d"),
        ("policies: {quiet: {from: @9pm, to: '08:00'}}", "", "'from' cannot be '9pm'", '"21:00"'),
        ("policies: {quiet: {from: 21:00, to: 08:00, zone: @Europe/Berln}}", "", "no time zone", "'Europe/Berlin'"),
        ("policies: {quiet: {from: 21:00, to: 08:00, zone: @Europe}}", "", "no time zone", "Europe/"),
        ("policies: {quiet: {from: 21:00, to: 08:00, zone: @'../x'}}", "", "no time zone", "customer, or a zone"),
        ("policies: {quiet: {from: 21:00, to: 08:00, otherwise: @customer}}", "", "no time zone", "a zone as"),
        ("policies: {quiet: {from: 21:00, to: 08:00, then: @wait}}", "", "'then' cannot be 'wait'", "hold or drop"),
        ("policies: {consent: {unknown: @yes}}", "", "'unknown' cannot be 'yes'", "allow or refuse"),
        ("intent: {weights: {@viewz: 1}}", "", "unknown term 'viewz'", "did you mean 'views'?"),
        ("identity: {limits: {@anonymus: {most: 5, within: 7d}}}", "", "unknown kind of id 'anonymus'", "'anonymous'?"),
        (
            "identity: {limits: {device: {most: 5, @within_: 7d, within: 1d}}}",
            "",
            "unknown field 'within_'",
            "'within'?",
        ),
        ("identity: {kinds: [user, @cat]}", "", "'kinds' cannot be 'cat'", "kinds of ids, greatest first"),
        ("intent: {weights: {views: @much}}", "", "'views' cannot be 'much'", "terms with numbers"),
        ("intent: {half_life: @soon}", "", "'half_life' cannot be 'soon'", "45m"),
        ("channels: {usual: {@wbe: web}}", "", "nobody is seen at 'wbe'", "web, app, store"),
        ("channels: {usual: {web: @wbe}}", "", "unknown channel 'wbe'", "did you mean 'web'?"),
        ("complements: {tents: @pegs}", "", "'tents' cannot be 'pegs'", "list of products"),
        ("plays: @text", "", "'plays' cannot be 'text'", "a list"),
        ("plays: [@text]", "", "'plays' cannot be 'text'", "a list"),
        (PLAY.replace("id: p", "id: @A b"), "A b", "'id' cannot be 'A b'", "lower-case"),
        (PLAY + "    @on2: [x]", "p", "unknown field 'on2'", "did you mean 'on'?"),
        (PLAY.replace("[Product Added]", "@Product Added"), "p", "'on' cannot be 'Product Added'", "a list of one"),
        (PLAY.replace("[Product Added]", "@[]"), "p", "'on' cannot be []", "a list of one"),
        (PLAY.replace("Product Added", "@Product added"), "p", "no event", "did you mean 'Product Added'?"),
        (PLAY.replace("Product Added", "@product_added"), "p", "no event", "did you mean 'Product Added'?"),
        (PLAY.replace("Product Added", "@Order Complete"), "p", "no event", "did you mean 'Order Completed'?"),
        (PLAY.replace("Product Added", "@Products Viewed"), "p", "no event", "did you mean 'Product Viewed'?"),
        (PLAY.replace("[web]", "[email, @puhs]"), "p", "unknown channel 'puhs'", "did you mean 'push'?"),
        (PLAY.replace("[web]", "[@pigeon]"), "p", "unknown channel 'pigeon'", "one of web, push"),
        (PLAY + "    @chanels: [web]", "p", "unknown field 'chanels'", "did you mean 'channels'?"),
        (PLAY + "    @id: q", "p", "'id' stands here again", "first in line 3"),
        (PLAY + "    after: @later", "p", "'after' cannot be 'later'", "45m"),
        (PLAY + "    @unless: [Order Completed]", "p", "'unless' without 'after'", "45m"),
        (PLAY + "    after: 5m\n    unless: [@Product Added]", "p", "'Product Added' both starts and ends", "'unless'"),
        (PLAY + "    @steps: [a]", "p", "'steps' are not supported yet", "one play for each step"),
        (PLAY + "    cooldown: @40d", "p", "looks back 40d", "policies.remember"),
        (PLAY + "    offer: {deep: @{a: 1}}", "p", "'deep' cannot be {'a': 1}", "names with texts"),
        (PLAY + "    priority: @high", "p", "'priority' cannot be 'high'", "a whole number"),
        (PLAY + PLAY.partition("plays:\n")[2].replace("id: p", "id: @p"), "p", "a second play 'p'", "of its own"),
        (
            PLAY.replace("    occurrence: cart.id\n", "").replace("- id", "- @id"),
            "p",
            "'occurrence' is missing",
            "cart.id",
        ),
        (PLAY.replace("cart.id", "string(@now)"), "p", "an occurrence that depends on now", "what records say"),
        (PLAY.replace("cart.id", "@cart.count"), "p", "an occurrence that is a number", "text"),
        (PLAY.replace(": cart.id", ":@"), "p", "an empty expression", "CEL that is text"),
        (PLAY + "    when: cart.open && @cart.totl > 3", "p", "unknown name 'cart.totl'", "did you mean"),
        (PLAY + "    when: cart.open &&\n      @cart.opn", "p", "unknown name 'cart.opn'", "'cart.open'"),
        (PLAY + "    when: 'cart.id == ''a'' || @opn'", "p", "unknown name 'opn'", "one of"),
        (PLAY + '    when: "cart.id == \\"a\\" || @opn"', "p", "unknown name 'opn'", "one of"),
        (PLAY + "    when: |\n      cart.open\n        && @opn\n", "p", "unknown name 'opn'", "one of"),
        (PLAY + "    when: >-\n      cart.open\n      && @opn\n", "p", "unknown name 'opn'", "one of"),
        (PLAY + "    when: @cart.value", "p", "a condition that is a number", "true or false"),
        (PLAY + "    when: @3", "p", "a condition that is a number", "true or false"),
        (PLAY + "    data: {x: 'cart.id @> 3'}", "p", "'>' does not take a text and a number", "one kind"),
        (PLAY + "    after: 5m\n    when: @event.total > 3", "p", "no longer known after a silence", "event.day"),
    ],
)
def test_faults_and_their_places(text: str, play: str, what: str, wanted: str) -> None:
    at = Document(text).place(text.index("@"))
    [fault] = faults(text.replace("@", ""))
    assert (fault.line, fault.column, fault.play) == (*at, play)
    assert what in fault.what
    assert wanted in fault.wanted
    assert excerpt(text.replace("@", ""), fault).split("\n")[1].endswith("^")


def test_all_faults_at_once_in_the_order_of_the_text() -> None:
    """A wrong letter in one field hides nothing in its neighbours."""
    text = """
policies:
  caps: [{per: custmer, most: 2, within: 60d}]
  quiet: {from: 9pm, to: '08:00', zone: Mars}
intent: {weights: {viewz: 1}}
plays:
  - id: Bad Id
    on: [product added]
    when: cart.opn
    channels: [puhs]
    data: {a: cart.itms, b: (}
  - id: q
    when: true
    offer: {percent: 10}
"""
    found = [(fault.line, fault.what.split(" ")[-1]) for fault in faults(text)]
    assert [line for line, _ in found] == [3, 3, 4, 4, 5, 7, 7, 8, 9, 10, 11, 11, 12, 12, 12]
    assert {(7, "missing"), (12, "missing")} <= set(found)


def test_names_of_a_shops_own_are_allowed() -> None:
    read_playbook(PLAY.replace("Product Added", "Wish Granted, Cart Reviewed, Points Earned"))
    read_playbook("channels: {names: [web, whatsapp]}\n" + PLAY.replace("[web]", "[whatsapp]"))


def test_formulas_and_offers_are_text_whatever_they_look_like() -> None:
    text = PLAY + "    when: true\n    offer: {percent: 10, loud: true, from: 21:00}\n    data: {n: 20, x: 1.50}\n"
    play = read_playbook(text).playbook.plays[0]
    assert play.when == "true"
    assert play.offer == {"percent": "10", "loud": "true", "from": "21:00"}
    assert play.data == {"n": "20", "x": "1.50"}


@pytest.mark.parametrize(
    ("row", "caret"),
    [("a: x", "   ^"), ("\t: x", "\t  ^"), ("日本: x", "      ^"), ("é: x", "   ^")],
)
def test_the_caret_stands_under_its_character(row: str, caret: str) -> None:
    assert excerpt(f"one\r\n{row}\nthree", Fault(2, row.index("x") + 1, "", "")) == f"{row}\n{caret}"


ORDERED = "intent: {half_life: 15m, weights: {adds: 1.0, views: 2.0}}\n" + PLAY


def test_the_version_is_what_the_playbook_says() -> None:
    """Golden: a version must mean the same for ever."""
    version = read_playbook(ORDERED).version
    assert version == "480b5f0b99f112a6"
    commented = "# a comment\n" + ORDERED.replace("channels: [web]", "channels: [web]   # one\n    priority: 0")
    reordered = PLAY + "intent: {weights: {views: 2, adds: 1}, half_life: 900}"
    assert read_playbook(commented).version == version
    assert read_playbook(reordered).version == version
    assert read_playbook(ORDERED.replace("2.0", "2.5")).version != version
    assert read_playbook(ORDERED.replace("[web]", "[web, push]")).version != version
    assert read_playbook(ORDERED + "    when: cart.open").version != version


LINES = st.sampled_from(
    ["plays:", "  - id: p", "    on: [Product Added]", "    when: cart.open", "    when: (", "    occurrence: cart.id",
     "    channels: [web]", "    data: {a: cart.items[0].x}", "policies:", "  caps: [{per: x}]", "  quiet: 3", "  - 7",
     "intent: {weights: {views: a}}", "channels: {usual: [1], names: 4}", "? [a]", "complements: 3", "    after: {}",
     "    on: {a: b}", "    unless: 3", "  remember: []", "    cooldown: .inf",
     "    id: [x]", "  - {}", "---", "\t", "#"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.lists(LINES, max_size=12).map("\n".join)))
def test_no_text_crashes(text: str) -> None:
    """Whatever is written: a playbook, or faults with places inside the text."""
    try:
        read_playbook(text)
    except BadPlaybook as bad:
        assert bad.faults
        for fault in bad.faults:
            assert excerpt(text, fault).endswith("^")
