"""Where things stand in a YAML file."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from processors.places import BadYaml, Document, Path, read_yaml


def read(text: str) -> Document:
    return read_yaml(text, lambda path: False)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("on: [a]", {"on": ["a"]}),
        ("a: yes", {"a": "yes"}),
        ("a: 21:00", {"a": "21:00"}),
        ("a: 2026-01-01", {"a": "2026-01-01"}),
        ("a: 0x10", {"a": "0x10"}),
        ("a: -3", {"a": -3}),
        ("a: 2.5", {"a": 2.5}),
        ("a: 1e3", {"a": 1000.0}),
        ("a: true", {"a": True}),
        ("a: 'true'", {"a": "true"}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("", None),
        ("\ufeffa: 1", {"a": 1}),
    ],
)
def test_scalars_are_yaml_1_2(text: str, data: object) -> None:
    assert read(text).data == data


def test_names_and_values_have_places() -> None:
    document = read("plays:\n  - id: a\n    on: [x, yy]\n")
    at = {path: (document.place(spot.key), document.place(spot.start)) for path, spot in document.spots.items()}
    assert at[("plays", 0, "id")] == ((2, 5), (2, 9))
    assert at[("plays", 0, "on", 1)] == ((3, 13), (3, 13))


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ("a: [1, 2", 1, 9, "expected ',' or ']'"),
        ("a: 1\n\tb: 2", 2, 1, "where none may stand"),
        ("a:\n  - b\n c: 1", 3, 2, "a line that stands in no list or map"),
        ("a: &x 1", 1, 4, "anchors"),
        ("a: *x", 1, 4, "anchors"),
        ("a: !!python/name:os.system x", 1, 4, "tags"),
        ("a: 1\n---\nb: 2", 2, 1, "a second document"),
        ("a: \x01", 1, 4, "a character YAML does not allow"),
        ("[" * 5000, 1, 1, "nested too deeply"),
        ("a: " + "b" * 1_000_001, 1, 1, "a file of 1000004 characters"),
    ],
)
def test_what_is_no_yaml(text: str, line: int, column: int, what: str) -> None:
    with pytest.raises(BadYaml) as bad:
        read(text)
    assert Document(text).place(bad.value.stain.index) == (line, column)
    assert what in bad.value.stain.what


def test_names_that_stand_twice() -> None:
    document = read("a: 1\nb: 2\na: 3")
    assert document.data == {"a": 1, "b": 2}
    assert [(document.place(stain.index), stain.wanted) for stain in document.stains] == [
        ((3, 1), "once; first in line 1")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a: one two\n   three@",
        "a: 'one ''two'' three@'",
        'a: "one \\"two\\" \\u00e9 \\\n   three@"',
        "a: |\n  one\n    two\n  three@\n",
        "a: >-\n  one\n  two\n\n  three@\n",
        "- a:   one [0] three@   # comment",
        "a: |\r\n  one\r\n  three@\r\n",
    ],
)
def test_inside_finds_a_character(text: str) -> None:
    document = read(text)
    path: Path = (0, "a") if text.startswith("-") else ("a",)
    value = document.spot(path).text
    line = value[: value.index("@")].count("\n") + 1
    column = len(value[: value.index("@")].split("\n")[-1]) + 1
    assert document.inside(path, line, column) == document.text.index("@")


@given(
    st.text(alphabet="ab c'\"\\:#é日\n\t", min_size=1, max_size=40).filter(lambda text: text.strip() == text),
    st.sampled_from(["'", '"', "|", ">", None]),
)
def test_inside_for_any_text_and_style(value: str, style: Any) -> None:
    """Each character that is not white stands in the file where `inside` says."""
    dumped = yaml.dump({"a": value}, default_style=style, allow_unicode=True, width=20).replace('"a":', "a:", 1)
    document = read(dumped)
    text = document.spot(("a",)).text
    assert text == value
    rows = text.split("\n")
    places = [document.inside(("a",), y + 1, x + 1) for y, row in enumerate(rows) for x in range(len(row))]
    assert places == sorted(places)
    for (y, x), place in zip(((y, x) for y, row in enumerate(rows) for x in range(len(row))), places, strict=True):
        if not rows[y][x].isspace():
            assert document.text[place] in (rows[y][x], "\\")


@given(st.text(alphabet="ab:-[]{}|>'\"#&*!% \n\t,?\\", max_size=60))
def test_no_text_crashes(text: str) -> None:
    try:
        read(text)
    except BadYaml as bad:
        assert 0 <= bad.stain.index <= len(text)
