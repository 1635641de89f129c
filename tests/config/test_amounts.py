"""Numbers of weights and lengths of time, as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_app.config.budget import format_budget, parse_budget
from tune_app.config.durations import format_duration, parse_duration
from tune_app.errors import SpaceError


@pytest.mark.parametrize(
    ("written", "weights"),
    [
        ("20k", 20_000),
        ("20K", 20_000),
        ("1.5M", 1_500_000),
        ("0.5k", 500),
        ("2_000", 2_000),
        ("50890", 50_890),
        (" 20 k ", 20_000),
        (50_000, 50_000),
        (1e4, 10_000),
    ],
    ids=repr,
)
def test_a_budget_is_read_as_written(written, weights):
    assert parse_budget(written) == weights


@pytest.mark.parametrize(
    "written",
    [
        "",
        "k",
        "20q",
        "-5",
        "0",
        "1.2345k",
        "1e4k",
        0,
        -1,
        1.5,
        True,
        None,
        float("nan"),
        float("inf"),
    ],
    ids=repr,
)
def test_what_is_no_number_of_weights_is_refused(written):
    with pytest.raises(
        SpaceError, match=r"must be a whole number above 0, like 20k or 1\.5M, got "
    ):
        parse_budget(written)


@given(st.integers(1, 10**12))
def test_a_budget_comes_back_from_its_text(weights):
    assert parse_budget(format_budget(weights)) == weights
    assert len(format_budget(weights)) <= len(str(weights))


@pytest.mark.parametrize(
    ("weights", "written"),
    [(20_000, "20k"), (1_500_000, "1.5M"), (50_890, "50890"), (44_426, "44426"), (571, "571")],
)
def test_a_budget_is_written_short(weights, written):
    assert format_budget(weights) == written


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (45, 45),
        (0.5, 0.5),
    ],
    ids=repr,
)
def test_a_time_is_read_as_written(written, seconds):
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    ["", "soon", "30", "m", "-5s", "0s", "30 m", 0, -1, True, None, float("nan"), float("inf")],
    ids=repr,
)
def test_what_is_no_time_is_refused(written):
    with pytest.raises(SpaceError, match="must be a time above 0, like 90s, 30m, 2h or a number"):
        parse_duration(written)


@given(st.integers(1, 10**7))
def test_a_time_comes_back_from_its_text(seconds):
    assert parse_duration(format_duration(seconds)) == seconds
