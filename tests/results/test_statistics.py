"""Means, intervals, tests and corrections, against SciPy and by hand."""

import math
import random

import pytest

from tune_app.results.statistics import (
    compare_with_best,
    confidence_interval,
    holm,
    sample_mean,
    sample_std,
    t_quantile,
    t_two_sided,
    welch_p,
    wilson_interval,
)

FIVE = [0.931, 0.928, 0.930, 0.926, 0.929]


def test_mean_and_deviation_are_those_of_a_sample():
    assert sample_mean(FIVE) == pytest.approx(0.9288)
    # Deviations from the mean in thousandths: 2.2, -0.8, 1.2, -2.8, 0.2; squares sum to 14.8.
    assert sample_std(FIVE) == pytest.approx(math.sqrt(14.8 / 4) / 1000)


def test_one_value_has_no_spread_and_none_has_no_mean():
    assert (sample_mean([0.5]), sample_std([0.5]), confidence_interval([0.5])) == (0.5, None, None)
    assert (sample_mean([]), sample_std([]), confidence_interval([])) == (None, None, None)


def test_the_interval_is_students_t():
    interval = confidence_interval(FIVE)
    half = 2.7764451 * math.sqrt(14.8 / 4) / 1000 / math.sqrt(5)  # a table's t for 4 degrees
    assert interval == pytest.approx((0.9288 - half, 0.9288 + half), abs=1e-9)


def test_the_interval_of_equal_values_is_that_value():
    assert confidence_interval([0.1] * 3) == (0.1, 0.1)


def test_the_t_distribution_is_scipys():
    distribution = pytest.importorskip("scipy.stats").t
    rng = random.Random(0)
    for _ in range(300):
        freedom, t = 10 ** rng.uniform(0, 3), 10 ** rng.uniform(-6, 2)
        expected = 2 * distribution.sf(t, freedom)
        assert t_two_sided(t, freedom) == pytest.approx(expected, rel=1e-10)
        assert t_two_sided(-t, freedom) == t_two_sided(t, freedom)
    for freedom in (1, 2, 3.7, 4, 9, 99):
        assert t_quantile(0.95, freedom) == pytest.approx(distribution.ppf(0.975, freedom))
    assert (t_two_sided(0, 3), t_two_sided(math.inf, 3)) == (1, 0)


def test_welchs_test_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    rng = random.Random(1)
    for _ in range(100):
        a = [rng.gauss(0.9, 0.01) for _ in range(rng.randint(2, 9))]
        b = [rng.gauss(0.9, 0.001) for _ in range(rng.randint(2, 9))]
        expected = stats.ttest_ind(a, b, equal_var=False).pvalue
        assert welch_p(a, b) == pytest.approx(expected, rel=1e-8)
        assert welch_p(b, a) == pytest.approx(welch_p(a, b))


def test_without_variance_equal_means_are_equal_and_others_are_not():
    assert welch_p([0.1] * 3, [0.1] * 5) == 1
    assert welch_p([0.1] * 3, [0.2] * 3) == 0
    assert welch_p([0.1] * 3, [0.1, 0.2]) == pytest.approx(0.5)  # Cauchy's, at t = 1


def test_one_value_cannot_be_tested():
    assert welch_p([0.5], FIVE) is None
    assert welch_p(FIVE, []) is None


def test_holms_correction_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_holms_correction_keeps_the_order_and_lies_between_none_and_bonferronis():
    rng = random.Random(2)
    for _ in range(100):
        raw = [rng.random() ** 3 for _ in range(rng.randint(1, 10))]
        adjusted = holm(raw)
        for p_value, own in zip(raw, adjusted, strict=True):
            assert p_value <= own <= min(1, len(raw) * p_value) + 1e-12
        by_raw = [own for _, own in sorted(zip(raw, adjusted, strict=True))]
        assert by_raw == sorted(adjusted)


def test_what_cannot_be_told_from_the_best_is_a_tie():
    near = [value - 0.0005 for value in FIVE]
    far = [value - 0.05 for value in FIVE]
    best, second, third = compare_with_best([FIVE, near, far], "max")
    assert (best.best, best.tie, best.p_value) == (True, True, None)
    assert (second.best, second.tie) == (False, True)
    assert (third.best, third.tie) == (False, False)
    assert second.p_value == pytest.approx(welch_p(near, FIVE))
    assert third.p_value == pytest.approx(2 * welch_p(far, FIVE))


def test_the_correction_can_make_a_tie_of_what_alone_would_differ():
    other = [value - 0.0035 for value in FIVE]
    alone = compare_with_best([FIVE, other], "max")[1]
    among = compare_with_best([FIVE, *[other] * 5], "max")[1:]
    assert alone.p_value < 0.05 <= 5 * alone.p_value
    assert not alone.tie
    assert all(comparison.tie for comparison in among)


def test_a_loss_is_best_where_it_is_smallest():
    assert [c.best for c in compare_with_best([[0.2, 0.3], [0.1, 0.1]], "min")] == [False, True]


def test_of_equal_means_the_first_is_the_best():
    comparisons = compare_with_best([[0.5, 0.7], [0.6, 0.6]], "max")
    assert [c.best for c in comparisons] == [True, False]
    assert comparisons[1].tie


def test_a_row_that_cannot_be_tested_is_neither_tie_nor_different():
    single, none, best, other = compare_with_best([[0.9], [], FIVE, FIVE], "max")
    assert (single.tie, single.p_value, none.tie, none.best) == (None, None, None, False)
    assert (best.best, other.tie) == (True, True)
    # Not counted among the comparisons, either.
    assert other.p_value == 1
    assert not any(c.best for c in compare_with_best([[], []], "max"))


@pytest.mark.parametrize(("right", "examples"), [(0, 7), (7, 7), (131, 144), (5431, 6000)])
def test_wilsons_interval_is_scipys(right, examples):
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(right, examples).proportion_ci(method="wilson")
    low, high = wilson_interval(right / examples, examples)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
