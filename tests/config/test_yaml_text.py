"""YAML as search files read and write it."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tune_app.config.parsing.yaml_text import read_document, write_document
from tune_app.config.search_file import parse_value
from tune_app.errors import SpaceError

PLAIN = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**15), 10**15),
        st.floats(allow_nan=False),
        st.text(
            st.characters(exclude_categories=("C", "Z"), include_characters=" "), max_size=12
        ).filter(lambda text: "${" not in text),
        st.sampled_from(["1e-4", "yes", "no", "1:30", "~", "null", "2_000", ".inf", "0x1F", "010"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text("abc019.e-", max_size=4), inner)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-4", 0.0001),
        ("1E3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("2_000", 2000),
        ("010", 10),
        ("+3", 3),
        ("1:30", "1:30"),
        ("yes", "yes"),
        ("true", True),
        ("True", "True"),
        ("null", None),
        ("", None),
        ("'1'", "1"),
        ("2026-11-20", "2026-11-20"),
        ("[1, a]", [1, "a"]),
        ("{int: [1, 3]}", {"int": [1, 3]}),
    ],
)
def test_a_value_means_what_people_write(written, value):
    parsed = parse_value(written)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[1, 2", "'[1, 2' is not a valid value: not valid YAML: did not find expected ',' or ']'"),
        (
            "${LR}",
            "'${LR}' is not a valid value: environment variables are not expanded; write the value "
            "itself",
        ),
    ],
)
def test_a_value_that_cannot_be_read_is_refused(written, told):
    with pytest.raises(SpaceError) as caught:
        parse_value(written)
    assert str(caught.value) == told


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text("abc019.e-", max_size=4), PLAIN))
def test_what_is_written_is_read_back(data):
    text = write_document(data)
    document = read_document(text)
    assert document.problems == []
    assert document.data == data
    assert yaml.safe_load(text) == data or "e" in text


def test_every_value_has_its_line():
    document = read_document("a: 1\nb:\n  - x\n  - {c: 3,\n     d: 4}\n")
    assert document.lines == {
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 3,
        ("b", 1): 4,
        ("b", 1, "c"): 4,
        ("b", 1, "d"): 5,
    }


def test_an_alias_repeats_what_its_anchor_holds():
    assert read_document("a: &x [1, 2]\nb: *x\n").data == {"a": [1, 2], "b": [1, 2]}
