"""Settings say all their faults at once, and show no secret."""

import base64

import pytest

from schemas.families import ALL
from streams.settings import BadSettings, read_settings

GOOD, OTHER = (base64.b64encode(bytes([n] * 32)).decode() for n in (1, 2))


def test_master_keys_are_read_in_their_order() -> None:
    settings = read_settings(encrypt=True, encryption_keys=f"{GOOD}, {OTHER}")
    assert settings.masters() == [b"\x01" * 32, b"\x02" * 32]
    assert GOOD not in repr(settings) and OTHER not in str(settings)
    assert read_settings().masters() == []


def test_encryption_without_a_key_is_one_fault_among_all() -> None:
    with pytest.raises(BadSettings) as bad:
        read_settings(encrypt=True, partitions=0, app="Not An App")
    said = str(bad.value)
    assert "3 at fault" in said and "KAIROS_ENCRYPTION_KEYS" in said and "KAIROS_PARTITIONS" in said
    assert "KAIROS_ENCRYPT is on" in said


@pytest.mark.parametrize(
    ("given", "why"),
    [("no base64!", "key 1; got no base64"), (f"{GOOD},{'Zm9v' * 3}", "key 2; got 9 bytes")],
)
def test_a_bad_master_key_is_named_by_its_number_and_never_shown(given: str, why: str) -> None:
    with pytest.raises(BadSettings) as bad:
        read_settings(encryption_keys=given)
    assert why in str(bad.value)
    assert not any(key in str(bad.value) for key in given.split(","))


@pytest.mark.parametrize("keys", ["server:shop:secret", "a-secret-key", "server::secret-key", "robot:shop:secret-key"])
def test_a_bad_write_key_is_not_shown(keys: str) -> None:
    with pytest.raises(BadSettings) as raised:
        read_settings(write_keys=f"browser:web:good-secret,{keys}")
    assert "KAIROS_WRITE_KEYS" in str(raised.value) and "key 2: wanted" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_families_of_facts_are_named_in_any_order() -> None:
    assert read_settings().kept() == ALL
    settings = read_settings(facts="viewed, windows")
    assert settings.facts == "windows,viewed" and settings.kept() == {"windows", "viewed"}
    assert read_settings(facts="none").kept() == frozenset()
    assert read_settings().environment().get("KAIROS_FACTS") is None


@pytest.mark.parametrize("facts", ["", "hours", "none,likes"])
def test_a_family_that_nobody_knows_is_a_fault(facts: str) -> None:
    with pytest.raises(BadSettings, match=r"KAIROS_FACTS=.*wanted families of windows"):
        read_settings(facts=facts)
