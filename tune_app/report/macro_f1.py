"""The macro-averaged F1 score."""

from numpy.typing import ArrayLike


def macro_f1(labels: ArrayLike, predicted: ArrayLike) -> float:
    """Return the mean over the classes of 2 TP / (2 TP + FP + FN).

    The classes are those that are there, as labels or as predictions.

    >>> macro_f1([0, 0, 1, 1], [0, 1, 1, 1])
    0.7333333333333334
    """
    from sklearn.metrics import f1_score  # takes a second to import

    return float(f1_score(labels, predicted, average="macro", zero_division=0))
