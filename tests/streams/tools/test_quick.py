"""The demo's playbook: the shipped one with silences of seconds, and nothing else changed."""

from processors.playbook import read_playbook
from streams.tools import quick
from streams.tools.init import shipped_playbook


def test_only_silences_change_and_it_can_be_read_again() -> None:
    shipped = read_playbook(shipped_playbook().read_text()).playbook
    short = read_playbook(quick.as_yaml(quick.quicken(shipped))).playbook
    assert [play.model_copy(update={"after": None}) for play in short.plays] == [
        play.model_copy(update={"after": None}) for play in shipped.plays
    ]
    silences = [
        (play.after, quick_.after) for play, quick_ in zip(shipped.plays, short.plays, strict=True) if play.after
    ]
    assert silences and all(new is not None and 5 <= new <= 15 for _, new in silences)
    assert [new for _, new in sorted(silences)] == sorted(new for _, new in silences if new)
    bought = short.policies.just_bought
    assert bought is None or bought.within < 5
    assert short.policies.caps == shipped.policies.caps


def test_it_says_what_it_changed() -> None:
    shipped = read_playbook(shipped_playbook().read_text()).playbook
    for play in shipped.plays:
        assert (f"{play.id} " in quick.told(shipped)) == (play.after is not None)
