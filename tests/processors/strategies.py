"""Random histories: a few customers, a few products, times out of order, some messages twice."""

from hypothesis import strategies as st

from tests.processors.builders import Logged, added, happened, ordered, removed, viewed

WHO = st.sampled_from(["ann", "bob"])
WHAT = st.sampled_from(["boots", "hat", "scarf", "glove"])
WHEN = st.integers(0, 40).map(lambda n: n * 300.0)


@st.composite
def records(draw: st.DrawFn) -> Logged:
    who, what, at = draw(WHO), draw(WHAT), draw(WHEN)
    id = f"m{draw(st.integers(0, 60))}"
    kind = draw(st.sampled_from(["view", "view", "add", "add", "remove", "order", "till", "refund", "search"]))
    many = draw(st.integers(1, 3))
    match kind:
        case "view":
            return viewed(who, what, at=at, id=id, session=f"s{at // 1800:.0f}")
        case "add":
            return added(who, what, at=at, id=id, quantity=many)
        case "remove":
            return removed(who, what, at=at, id=id, quantity=many)
        case "order" | "till":
            return ordered(who, what, at=at, id=id, till=kind == "till")
        case "refund":
            return happened(who, "Order Refunded", at=at, id=id, topic="pos", total=1_000_000, channel="web")
        case _:
            return happened(who, "Products Searched", at=at, id=id, channel="app", query=what)


HISTORIES = st.lists(records(), max_size=40)
