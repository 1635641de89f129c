"""Scores of predictions other than loss and accuracy."""

from numpy.typing import ArrayLike


def macro_f1(labels: ArrayLike, predicted: ArrayLike) -> float:
    """Return the mean over the classes of 2 TP / (2 TP + FP + FN).

    Classes that are neither a label nor a prediction do not count.

    >>> macro_f1([0, 0, 1, 1], [0, 1, 1, 1])
    0.7333333333333334
    """
    from sklearn.metrics import f1_score  # takes a second to import

    return float(f1_score(labels, predicted, average="macro", zero_division=0))
