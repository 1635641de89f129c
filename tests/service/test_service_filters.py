"""Filters over trials as they are typed: quotes, missing and empty values."""

import pytest

from tune_app.errors import TuneAppError
from tune_app.service.pages.filters import parse_filters, split_filters

KNOWN = ("lr", "optimizer", "shape", "my layer")


def kept(typed: str, values: dict[str, list[object]]) -> list[object]:
    """Return the values of the one filtered column that meet a filter."""
    (one,) = parse_filters(split_filters(typed), KNOWN)
    return [value for value in values[one.name] if one.keeps(value)]


SHAPES = {"shape": ["a b", "c,d", "e|f", 'say "g"', "back\\slash", "", None, "plain"]}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ('shape="a b"', ["a b"]),
        ('shape="a b"|"c,d"', ["a b", "c,d"]),
        ('shape="e|f"|plain', ["e|f", "plain"]),
        (r'shape="say \"g\""', ['say "g"']),
        (r'shape="back\\slash"', ["back\\slash"]),
        ('shape=""', [""]),
        ("shape=", ["", None]),
        ("shape=none", [None]),
        ('shape!="a b"|"c,d"|plain', ["e|f", 'say "g"', "back\\slash", "", None]),
        ('shape~"a b"', ["a b"]),
    ],
)
def test_a_filter_finds_values_with_spaces_commas_bars_and_quotes(typed, expected):
    assert kept(typed, SHAPES) == expected


@pytest.mark.parametrize(
    "typed",
    ['shape="a b"|"c,d"', 'shape=""', "shape=", r'shape="say \"g\""', '"my layer">=3', "lr<1e-3"],
)
def test_what_a_filter_prints_is_read_as_the_same_filter(typed):
    (one,) = parse_filters(split_filters(typed), KNOWN)
    assert str(one) == typed
    assert parse_filters(split_filters(str(one)), KNOWN) == (one,)


def test_conditions_are_separated_by_spaces_and_commas_outside_quotes():
    typed = 'lr>=0.1, shape="a, b" optimizer=adam|"x y"'
    assert split_filters(typed) == ["lr>=0.1", 'shape="a, b"', 'optimizer=adam|"x y"']


def test_what_is_not_a_filter_is_refused_with_an_example():
    with pytest.raises(TuneAppError) as error:
        parse_filters(["adam"], KNOWN)
    assert str(error.value) == (
        "'adam' is not a filter: write lr>=0.001, optimizer=adam|sgd or name=\"a b\""
    )
