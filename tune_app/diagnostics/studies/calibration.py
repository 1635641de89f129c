"""Calibration of a classifier's confidence, and its accuracy for each class."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tune_app.data.source import Array
from tune_app.results.statistics import wilson_interval

BINS = 15


def reliability(confidence: Array, is_right: Array, *, bins: int = BINS) -> pd.DataFrame:
    """Return the mean confidence and the accuracy for each of `bins` equal ranges of confidence.

    Columns: `low`, `high` (confidences above `low`, up to `high`), `examples`, `confidence` (the
    mean), `accuracy`, and `accuracy_low`, `accuracy_high`, its 95 % Wilson interval. Ranges
    without examples are left out. These are the numbers of the reliability diagram of DeGroot and
    Fienberg (1983) as in Guo et al. (2017), "On Calibration of Modern Neural Networks",
    arXiv:1706.04599.
    """
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    rows = []
    for index in np.unique(place):
        inside = place == index
        count, accuracy = int(inside.sum()), float(is_right[inside].mean())
        low, high = wilson_interval(accuracy, count)
        rows.append(
            {
                "low": float(edges[index]),
                "high": float(edges[index + 1]),
                "examples": count,
                "confidence": float(confidence[inside].mean(dtype=np.float64)),
                "accuracy": accuracy,
                "accuracy_low": low,
                "accuracy_high": high,
            }
        )
    return pd.DataFrame(rows)


def calibration_error(table: pd.DataFrame) -> float:
    """Return the expected calibration error of a table of `reliability`.

    It is the mean of |accuracy - confidence| over all examples, where each example counts with
    the values of its range: equation 3 of Guo et al. (2017). With few examples in a range, it is
    above 0 even for a perfectly calibrated network.
    """
    gaps = (table["accuracy"] - table["confidence"]).abs()
    return float((gaps * table["examples"]).sum() / table["examples"].sum())


def accuracy_by_class(labels: Array, predicted: Array, classes: Sequence[str]) -> pd.DataFrame:
    """Return a row for each class with examples, in the order of the classes.

    Columns: `class`, `examples`, `right` (correct predictions), `accuracy` (recall: the share of
    the class that is classified correctly), `accuracy_low` and `accuracy_high` (its 95 % Wilson
    interval), `predicted` (how often the class was predicted), and `precision` (the share of these
    predictions that is correct; NaN without predictions).
    """
    rows = []
    for index, name in enumerate(classes):
        members = labels == index
        count, right = int(members.sum()), int((members & (predicted == index)).sum())
        if not count:
            continue
        low, high = wilson_interval(right / count, count)
        answered = int((predicted == index).sum())
        rows.append(
            {
                "class": name,
                "examples": count,
                "right": right,
                "accuracy": right / count,
                "accuracy_low": low,
                "accuracy_high": high,
                "predicted": answered,
                "precision": right / answered if answered else float("nan"),
            }
        )
    return pd.DataFrame(rows)
