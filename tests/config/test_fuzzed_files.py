"""Whatever a search file holds: a sweep, or a list of problems, and soon."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from search_files import sweeps

from tune_app.config.search_file import parse_sweep
from tune_app.config.sweep import SweepConfig
from tune_app.errors import SweepFileError

SHIPPED = sorted((Path(__file__).parents[2] / "search_spaces").glob("*.yaml"))
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=9),
        st.sampled_from(["auto", "10k", "30m", "${HOME}", "adam", "fcn", "<<", "1e400"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(st.text(max_size=4), st.sampled_from(["int", "float", "choice", "when"])),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)
FUZZ = settings(max_examples=150, deadline=None)


def parse(text):
    """Return the problems of `text`, none if it is a sweep; nothing else may come of it."""
    problems = ()
    try:
        assert isinstance(parse_sweep(text, source="fuzz"), SweepConfig)
    except SweepFileError as error:
        problems = error.problems or ["no problem"]
    assert not any("\n" in str(problem) for problem in problems)
    return problems


@FUZZ
@given(st.text())
def test_any_text_is_read_or_refused(text):
    parse(text)


@FUZZ
@given(st.text("{}[]:,-?&*!|>'\"%@`#~ \n\tabc019.", max_size=60))
def test_any_text_of_yaml_signs_is_read_or_refused(text):
    parse(text)


@FUZZ
@given(st.data())
def test_a_shipped_file_with_a_piece_replaced_is_read_or_refused(data):
    text = data.draw(st.sampled_from(SHIPPED)).read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 40, len(text))))
    piece = data.draw(st.one_of(st.text(max_size=9), st.sampled_from([": ", "\n  ", "[", "when"])))
    parse(text[:start] + piece + text[end:])


@FUZZ
@given(sweeps(), st.data())
def test_a_right_file_with_a_value_replaced_is_read_or_refused(raw, data):
    part = raw
    while True:
        keys = list(part) if isinstance(part, dict) else range(len(part))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(part[key], dict | list) or not part[key] or data.draw(st.booleans()):
            break
        part = part[key]
    part[key] = data.draw(VALUES)
    parse(yaml.safe_dump(raw))


@pytest.mark.parametrize(
    "text",
    [
        "name: " + "[" * 400_000,
        "name: " + "{a: " * 100_000,
        "parameters: {lr: {choice: [" + "1, " * 300_000 + "1]}}",
        "budgets: [" + ", ".join(map(str, range(1, 9000))) + "]",
        "budgets: [" + "x, " * 9000 + "x]",
        "parameters:\n" + "".join(f"  p{n}: {{int: [1, {n}]}}\n" for n in range(2000)),
        "parameters: {lr: {choice: [" + ", ".join(map(str, range(1, 9000))) + "]}}",
        "search: {sampler: grid}\nparameters: {width: {int: [1, 999999999999]}}",
        "name: " + "9" * 5000 + "\nsearch: {trials: " + "9" * 5000 + "}",
        "model: &a [" + "x, " * 900 + "x]\nbudgets: [" + "*a, " * 900 + "*a]",
        "name: |\n" + "  x\n" * 100_000,
    ],
    ids=lambda text: text[:24],
)
def test_a_file_that_is_large_inside_is_refused_in_a_second(text):
    assert parse(text)
