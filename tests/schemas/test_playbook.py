"""The playbook's shape."""

import pytest
from pydantic import ValidationError

from schemas.playbook import Channels, IntentModel, Play, Playbook, Quiet, seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250ms", 0.25),
        ("30s", 30.0),
        ("45m", 2700.0),
        ("1.5h", 5400.0),
        ("7d", 604_800.0),
        (" 2w ", 1_209_600.0),
        (60, 60),
    ],
)
def test_durations(text: object, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "45", "m", "-5m", "1.2.3h", "5 weeks", "1e3s", "٣m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="wanted a duration"):
        seconds(text)


def test_an_empty_playbook_is_a_playbook() -> None:
    playbook = Playbook()
    assert playbook.plays == []
    assert set(playbook.channels.usual.values()) <= set(playbook.channels.names)


def test_parts_are_frozen_and_closed() -> None:
    with pytest.raises(ValidationError):
        Playbook().plays = []
    with pytest.raises(ValidationError):
        Channels.model_validate({"nmaes": []})


@pytest.mark.parametrize("weight", [float("inf"), float("nan"), "much"])
def test_weights_are_finite(weight: object) -> None:
    with pytest.raises(ValidationError):
        IntentModel.model_validate({"weights": {"views": weight}})


def test_written_out_and_read_again_it_is_the_same() -> None:
    playbook = Playbook.model_validate(
        {
            "policies": {"quiet": {"from": "21:00", "to": "08:00"}},
            "plays": [
                {"id": "p", "on": ["Order Completed"], "occurrence": "orders.id", "channels": ["web"], "after": "1d"}
            ],
        }
    )
    assert Playbook.model_validate(playbook.model_dump(mode="json", by_alias=True)) == playbook


def test_steps_have_room_but_no_one_in_it_yet() -> None:
    with pytest.raises(ValidationError):
        Play.model_validate({"id": "p", "on": ["x"], "occurrence": "a", "channels": ["web"], "steps": [1]})


def test_quiet_hours_are_times_of_day() -> None:
    start, end = Quiet.model_validate({"from": "21:00", "to": "08:00"}).hours()
    assert start > end, "they span midnight"
