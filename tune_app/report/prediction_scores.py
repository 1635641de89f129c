"""Numbers about predictions beside loss and accuracy."""

import math

from numpy.typing import ArrayLike

NORMAL_95 = 1.959963984540054  # the standard normal is within it, on both sides, 95 % of the time


def macro_f1(labels: ArrayLike, predicted: ArrayLike) -> float:
    """Return the mean over the classes of 2 TP / (2 TP + FP + FN).

    The classes are those that are there, as labels or as predictions.

    >>> macro_f1([0, 0, 1, 1], [0, 1, 1, 1])
    0.7333333333333334
    """
    from sklearn.metrics import f1_score  # takes a second to import

    return float(f1_score(labels, predicted, average="macro", zero_division=0))


def wilson_interval(accuracy: float, examples: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of an accuracy that so many examples measured.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal
    of the American Statistical Association 22 (1927). It is about other examples of the kind, for
    this one network.

    >>> [round(end, 4) for end in wilson_interval(0.9, 100)]
    [0.8256, 0.9448]
    """
    shrink = NORMAL_95**2 / examples
    middle = (accuracy + shrink / 2) / (1 + shrink)
    spread = accuracy * (1 - accuracy) / examples + shrink / (4 * examples)
    half = NORMAL_95 * math.sqrt(spread) / (1 + shrink)
    return middle - half, middle + half
