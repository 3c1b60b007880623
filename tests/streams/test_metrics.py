"""The table of metrics, and what is made of it."""

import pytest

from streams.metrics import ALL, COLLECTOR, PREFIX, Metrics, table


def test_every_row_is_exposed_and_in_the_table() -> None:
    metrics = Metrics(ALL)
    for row in ALL:
        metrics(row.name, *row.labels)
    exposed, text = metrics.expose()[0].decode(), table()
    for row in ALL:
        assert f"# TYPE {PREFIX}{row.name} {row.kind}" in exposed
        assert f"`{PREFIX}{row.name}`" in text


def test_names_follow_the_convention() -> None:
    for row in ALL:
        assert row.name.endswith("_total") == (row.kind == "counter") and "_ms" not in row.name
    assert len({row.name for row in ALL}) == len(ALL)


def test_a_child_is_made_once() -> None:
    metrics = Metrics(COLLECTOR)
    assert metrics("dead_letters_total", "http", "invalid") is metrics("dead_letters_total", "http", "invalid")


def test_two_processes_share_nothing() -> None:
    one, other = Metrics(COLLECTOR), Metrics(COLLECTOR)
    one("inflight_bytes").set(5)
    assert b"kairos_inflight_bytes 0.0" in other.expose()[0]


def test_an_unknown_metric_is_a_bug() -> None:
    with pytest.raises(KeyError):
        Metrics(COLLECTOR)("nothing")
