"""Who is where, from what the commits counted."""

from schemas.playbook import Playbook
from streams.tools.segments import counts, rows

BOOK = Playbook.model_validate(
    {
        "segments": {"levels": [{"level": "now", "leaves": [{"id": "cart", "when": "cart.open"}]}]},
        "stages": {
            "first": "awareness",
            "table": [{"from": ["awareness"], "on": ["Order Completed"], "to": "conversion"}],
            "lapse": [{"from": "conversion", "after": "90d", "to": "awareness"}],
        },
    }
)


def test_partitions_are_summed_and_nobody_is_left_out() -> None:
    metas = [
        {"token": b"x", "count:segment:cart": b"2", "count:segment:gone": b"1", "count:stage:awareness": b"3"},
        {
            "count:segment:cart": b"5",
            "count:segment:others": b"7",
            "count:applied:pos": b"9",
            "count:segment:old": b"0",
        },
    ]
    assert rows(BOOK, counts(metas)) == [
        ("segment", "now", "cart", 7),
        ("segment", "", "others", 7),
        ("stage", "", "awareness", 3),
        ("stage", "", "conversion", 0),
        ("segment", "of an earlier playbook", "gone", 1),
    ]
    assert rows(Playbook(), {}) == []
