"""Statistics of repeated measurements: spread, confidence intervals, and tests of differences.

Student's t distribution is computed here, because importing SciPy takes half a second, as long as
the rest of `tune-app show`. A test compares it with SciPy's.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

SIGNIFICANCE = 0.05
NORMAL_95 = 1.959963984540054  # 95 % of a standard normal lie within this distance of 0


@dataclass(frozen=True)
class ComparisonWithBest:
    """The comparison of one series of measurements with the series of the best mean."""

    best: bool
    p_value: float | None  # adjusted; None for the best, and where nothing can be tested
    tie: bool | None  # with the best, which ties with itself; None where nothing can be tested


def sample_mean(values: Sequence[float]) -> float | None:
    """Return the mean, or None without values. The mean of equal values is exactly their value."""
    return statistics.mean(values) if values else None


def sample_std(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation, with n - 1; None for fewer than two values."""
    return statistics.stdev(values) if len(values) > 1 else None


def confidence_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % confidence interval of the mean: mean ± t(0.975, n - 1) std / sqrt(n).

    Uses Student's t and assumes approximately normal values; None for fewer than two values. It
    covers the choice of seeds, not the choice of the test split. For an accuracy, the interval can
    extend beyond 1.
    """
    mean, std = sample_mean(values), sample_std(values)
    if mean is None or std is None:
        return None
    half = t_quantile(1 - SIGNIFICANCE, len(values) - 1) * std / math.sqrt(len(values))
    return mean - half, mean + half


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share that was observed in `count` examples.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal of
    the American Statistical Association 22 (1927). It covers the choice of examples for one
    network, not the choice of the network.

    >>> [round(end, 4) for end in wilson_interval(0.9, 100)]
    [0.8256, 0.9448]
    """
    # The ends are the shares p for which `share` is 1.96 standard errors away, where the standard
    # error is that of p itself, sqrt(p (1 - p) / count): the two solutions of a quadratic
    # equation. Unlike share ± 1.96 standard errors of `share` they stay between 0 and 1, and do
    # not become one point where all answers are right.
    shrink = NORMAL_95**2 / count
    middle = (share + shrink / 2) / (1 + shrink)
    variance = share * (1 - share) / count + shrink / (4 * count)
    half = NORMAL_95 * math.sqrt(variance) / (1 + shrink)
    return middle - half, middle + half


def welch_p(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return the two-sided p-value of Welch's t-test: equal means, whatever the variances.

    B. L. Welch, The generalization of "Student's" problem when several different population
    variances are involved, Biometrika 34 (1947). None if either series has fewer than two values.
    If neither varies, the result is 1 for equal means and 0 for different means.
    """
    if len(a) < 2 or len(b) < 2:
        return None
    error_a = statistics.variance(a) / len(a)
    error_b = statistics.variance(b) / len(b)
    difference = statistics.mean(a) - statistics.mean(b)
    error = error_a + error_b
    if error == 0:
        return float(difference == 0)
    # As shares of the whole error: the squares of tiny variances would underflow.
    share_a, share_b = error_a / error, error_b / error
    freedom = 1 / (share_a**2 / (len(a) - 1) + share_b**2 / (len(b) - 1))
    return t_two_sided(difference / math.sqrt(error), freedom)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number, in the order given.

    S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 6 (1979): the smallest of n p-values is multiplied by n, the next by n - 1, and so
    on; then each is raised to the largest adjusted value before it.

    >>> holm([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    floor = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = floor
    return adjusted


def compare_with_best(samples: Sequence[Sequence[float]], mode: str) -> list[ComparisonWithBest]:
    """Compare each series of values with the series of the best mean, "max" or "min".

    Welch's test compares each series with the best, Holm-corrected over these comparisons; a
    difference that is not significant at 5 % is a tie. If several means are the best, the first row
    counts as the best. Because the best was chosen by the same values, equally good series tie
    slightly less often than in 95 % of the cases.
    """
    # Comparing each series only with the best keeps the number of tests, and so Holm's correction,
    # as small as the question allows: all pairs would hide real differences.
    means = [sample_mean(values) for values in samples]
    known = [place for place, mean in enumerate(means) if mean is not None]
    if not known:
        return [ComparisonWithBest(False, None, None) for _ in samples]
    sign = 1 if mode == "min" else -1
    best = min(known, key=lambda place: sign * (means[place] or 0.0))
    tested = {
        place: p_value
        for place, values in enumerate(samples)
        if place != best and (p_value := welch_p(values, samples[best])) is not None
    }
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    return [
        ComparisonWithBest(True, None, True)
        if place == best
        else ComparisonWithBest(False, adjusted[place], adjusted[place] >= SIGNIFICANCE)
        if place in adjusted
        else ComparisonWithBest(False, None, None)
        for place in range(len(samples))
    ]


def t_two_sided(t: float, freedom: float) -> float:
    """Return the probability that Student's t is at least as far from 0 as `t`.

    >>> round(t_two_sided(2.776445, 4), 6)
    0.05
    """
    # As I_x(freedom / 2, 1 / 2), Abramowitz and Stegun 26.5.27 and 26.7.1.
    square = t * t
    if math.isinf(square):
        return 0.0
    x, y = freedom / (freedom + square), square / (freedom + square)
    return _incomplete_beta(freedom / 2, 0.5, x, y)


@cache
def t_quantile(level: float, freedom: float) -> float:
    """Return the t for which Student's t lies between -t and t with probability `level`.

    >>> round(t_quantile(0.95, 4), 4)
    2.7764
    """
    low, high = 0.0, 1.0
    while t_two_sided(high, freedom) > 1 - level:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        above = t_two_sided(middle, freedom) > 1 - level
        low, high = (middle, high) if above else (low, middle)
    return middle


def _incomplete_beta(a: float, b: float, x: float, y: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), where y = 1 - x.

    Evaluates the continued fraction 26.5.8 of Abramowitz and Stegun by Lentz's method. Where it
    converges slowly, I_x(a, b) = 1 - I_y(b, a) is used instead.
    """
    if x <= 0 or y <= 0:
        return float(x > 0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, y, x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    log_front += a * math.log(x) + b * math.log(y)
    ratio = 1 / (1 - (a + b) * x / (a + 1))
    c, d = 1.0, ratio
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        before = ratio
        for term in (even, odd):
            d = 1 / (1 + term * d)
            c = 1 + term / c
            ratio *= c * d
        if abs(ratio - before) <= 1e-15 * abs(ratio):
            break
    return math.exp(log_front) * ratio / a
