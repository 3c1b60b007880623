"""Quiet hours in the customer's zone: over midnight, and where the hours change."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.zones import day, known, silence, zone

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = (time(21), time(8))


def at(text: str, there: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=there).timestamp()


@pytest.mark.parametrize(
    "now, end",
    [
        ("2026-06-10T20:59:59", None),
        ("2026-06-10T21:00:00", "2026-06-11T08:00:00"),
        ("2026-06-10T23:30:00", "2026-06-11T08:00:00"),
        ("2026-06-11T00:00:00", "2026-06-11T08:00:00"),
        ("2026-06-11T07:59:59", "2026-06-11T08:00:00"),
        ("2026-06-11T08:00:00", None),
        ("2026-03-28T22:00:00", "2026-03-29T08:00:00"),  # the night is an hour shorter
        ("2026-10-24T22:00:00", "2026-10-25T08:00:00"),  # and an hour longer
    ],
)
def test_a_night(now: str, end: str | None) -> None:
    assert silence(at(now), *NIGHT, BERLIN) == (at(end) if end else None)


def test_nights_where_hours_change_have_other_lengths() -> None:
    spring, autumn = at("2026-03-28T22:00:00"), at("2026-10-24T22:00:00")
    assert (silence(spring, *NIGHT, BERLIN) or 0) - spring == 9 * 3600
    assert (silence(autumn, *NIGHT, BERLIN) or 0) - autumn == 11 * 3600


def test_an_end_that_is_skipped_or_comes_twice() -> None:
    skipped = silence(at("2026-03-29T01:00:00"), time(21), time(2, 30), BERLIN)
    assert skipped == at("2026-03-29T03:30:00")
    twice = datetime(2026, 10, 25, 2, 15, tzinfo=BERLIN, fold=1).timestamp()
    assert silence(twice, time(21), time(2, 30), BERLIN) == twice + 15 * 60


def test_hours_within_a_day_and_none_at_all() -> None:
    assert silence(at("2026-06-10T13:00:00"), time(12), time(14), BERLIN) == at("2026-06-10T14:00:00")
    assert silence(at("2026-06-10T15:00:00"), time(12), time(14), BERLIN) is None
    assert silence(at("2026-06-10T12:00:00"), time(12), time(12), BERLIN) is None


HOURS = st.integers(0, 23).flatmap(lambda hour: st.sampled_from([time(hour), time(hour, 30)]))
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "Asia/Kathmandu"]
)


@given(st.integers(1_767_225_600, 1_798_761_600), HOURS, HOURS, ZONES)
def test_the_end_comes_after_now_within_a_day_and_is_not_quiet(now: int, start: time, end: time, name: str) -> None:
    there = ZoneInfo(name)
    over = silence(float(now), start, end, there)
    local = datetime.fromtimestamp(now, there).time()
    assert (over is not None) == (start <= local < end if start <= end else not end <= local < start)
    if over is not None:
        assert now < over <= now + 26 * 3600
        clock = datetime.fromtimestamp(over, there)
        skipped = clock.time() != end
        assert not skipped or (clock - timedelta(hours=2)).utcoffset() != clock.utcoffset()


@pytest.mark.parametrize(
    "name", ["", "Mars/Base", "../../etc/passwd", "/etc/passwd", "Europe", "a\x00b", "x" * 500, "\n"]
)
def test_a_zone_nobody_knows_is_none(name: str) -> None:
    assert known(name) is None and zone(name) is UTC


def test_a_day_is_the_customers() -> None:
    moment = at("2026-06-10T23:30:00", ZoneInfo("UTC"))
    assert (day(moment, ""), day(moment, "Asia/Tokyo")) == ("2026-06-10", "2026-06-11")
