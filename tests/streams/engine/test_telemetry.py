"""What is counted, and what a scrape sees of it."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

from processors.turn import Turn
from streams.engine.telemetry import Telemetry


def committed(telemetry: Telemetry, **counts: int) -> None:
    turn: Turn[Any] = Turn(0.0, 0.0, {})
    turn.counts = Counter({name.replace("_", ":"): count for name, count in counts.items()})
    telemetry.committed(0, turn, 0.01)


def lines(telemetry: Telemetry) -> set[str]:
    return {line for line in telemetry.expose().decode().splitlines() if line.startswith("kairos_")}


def test_what_commits_counted_is_there_when_somebody_looks_each_once() -> None:
    worker: Any = SimpleNamespace(partitions={})
    telemetry = Telemetry(worker)
    committed(telemetry, applied_cart=3, trigger_warm=2, refused_warm_cap=1, timer_armed=4)
    committed(telemetry, applied_cart=2, duplicate_pos=1, trigger_warm=-1)  # one was taken back: it counts no less
    wanted = {
        'kairos_events_total{outcome="applied",topic="cart"} 5.0',
        'kairos_events_total{outcome="duplicate",topic="pos"} 1.0',
        'kairos_triggers_total{play="warm"} 2.0',
        'kairos_refusals_total{play="warm",policy="cap"} 1.0',
        'kairos_timers_total{outcome="armed"} 4.0',
    }
    assert wanted <= lines(telemetry)
    assert wanted <= lines(telemetry)
    committed(telemetry, applied_cart=1)
    assert 'kairos_events_total{outcome="applied",topic="cart"} 6.0' in lines(telemetry)
