"""What a benchmark's report looks like, and who is in it."""

import json

import pytest

from streams.tools.asking import Wrong
from streams.tools.bench import NAMES, PEERS, bench
from tests.bench import runner
from tests.bench.figures import Figures
from tests.bench.house import House
from tests.bench.implementations import BENCHES
from tests.bench.w import peers

FAST, SLOW = Figures(10.0, 90_000.0, 60.0, 3.0, 5.0, 9.0), Figures(30.0, 30_000.0, 80.0)


class Quiet(House):
    """Of no servers."""

    def __init__(self) -> None: ...

    def versions(self) -> dict[str, str]:
        return {"kafka": "none"}


def test_report_of_w() -> None:
    found = {"kairos": [SLOW, SLOW], "loop": [FAST, Figures(20.0, 40_000.0, 60.0, 5.0, 6.0, 7.0)]}
    told = json.loads(json.dumps(runner.report(Quiet(), "w", BENCHES["w"], found)))
    assert {"machine", "versions", "rounds", "implementations"} <= told.keys()
    assert told["rounds"] == 2
    loop, kairos = told["implementations"]["loop"], told["implementations"]["kairos"]
    names = ("cpu_us_per_event", "events_per_second", "rss_mb", "p50_ms", "p99_ms")
    assert [loop[name] for name in names] == [15.0, 65_000.0, 60.0, 4.0, 8.0]
    assert loop["range"]["cpu_us_per_event"] == [10.0, 20.0]
    assert loop["does_not"] == peers.PEERS["loop"].does_not
    assert (kairos["p99_ms"], kairos["does_not"]) == (None, "")
    assert told["ratios"]["kairos/loop"]["range"] == [1.5, 3.0]


def test_report_of_latency_sets_each_pace_against_its_own_echo() -> None:
    """And tells how many times longer it takes, which is what the machine says least about."""
    slow, fast = Figures(150.0, p50_ms=6.0, p99_ms=24.0), Figures(p50_ms=2.0, p99_ms=4.0)
    found = {row: [fast if "echo" in row else slow] for row in BENCHES["latency"].rows}
    found["idle"] = [Figures(idle_percent=1.5)]
    told = runner.report(Quiet(), "latency", BENCHES["latency"], found)
    assert told["ratios"]["kairos-half/echo-half"] == {"p50": 3.0, "p99": 6.0, "range": (3.0, 3.0)}
    assert told["ratios"].keys() == {"kairos/echo", "kairos-few/echo-few", "kairos-half/echo-half"}
    assert told["implementations"]["idle"]["idle_percent"] == 1.5


def test_kairos_comes_first_and_the_others_in_their_order() -> None:
    assert BENCHES["w"].chosen(["quix", "loop"]) == ["kairos", "loop", "quix"]
    assert BENCHES["w"].chosen([]) == ["kairos", "loop"]
    assert BENCHES["latency"].chosen([])[:2] == ["kairos", "echo"]


def test_what_is_not_installed_is_left_out_and_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    told = runner.left_out(BENCHES["w"], ["loop", "quix"])
    assert told == {"quix": f"quixstreams is not installed: {peers.INSTALL}"}


def test_help_names_all_there_are() -> None:
    assert PEERS.split(", ") == runner.choices("w")
    assert {*NAMES.split(", ")} == {*BENCHES}


def test_a_bench_may_say_what_is_set_against_what() -> None:
    assert BENCHES["scale"].compared(["5k", "5m", "quiet"]) == [("5m", "5k")]
    assert BENCHES["whole"].compared(["kairos", "shipped", "loop"]) == [("kairos", "shipped"), ("kairos", "loop")]


@pytest.mark.parametrize(("name", "beside"), [("w", "loop,spark"), ("latency", "loop")])
def test_nobody_else_can_be_asked_for(name: str, beside: str) -> None:
    with pytest.raises(Wrong, match="bench: wanted"):
        bench(name, beside=beside)
