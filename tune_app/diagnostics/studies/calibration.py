"""How far a classifier's confidence can be believed, and how well it knows each class."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tune_app.data.source import Array
from tune_app.results.statistics import wilson_interval

BINS = 15


def reliability(confidence: Array, is_right: Array, *, bins: int = BINS) -> pd.DataFrame:
    """Return for each of `bins` equal ranges of confidence what was claimed and what held.

    Columns: `low`, `high` (confidences above `low`, up to `high`), `examples`, `confidence` (their
    mean), `accuracy`, and `accuracy_low`, `accuracy_high`, its 95 % Wilson interval. Ranges
    without an example are left out. The reliability diagram of DeGroot and Fienberg (1983) as in
    Guo et al. (2017), "On Calibration of Modern Neural Networks", arXiv:1706.04599.
    """
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    rows = []
    for index in np.unique(place):
        own = place == index
        count, accuracy = int(own.sum()), float(is_right[own].mean())
        low, high = wilson_interval(accuracy, count)
        rows.append(
            {
                "low": float(edges[index]),
                "high": float(edges[index + 1]),
                "examples": count,
                "confidence": float(confidence[own].mean(dtype=np.float64)),
                "accuracy": accuracy,
                "accuracy_low": low,
                "accuracy_high": high,
            }
        )
    return pd.DataFrame(rows)


def calibration_error(table: pd.DataFrame) -> float:
    """Return the expected calibration error of what `reliability` returned.

    The mean over the examples of |accuracy - confidence| of their range: equation 3 of Guo et al.
    (2017). With few examples in a range it is above 0 for a perfect network too.
    """
    gaps = (table["accuracy"] - table["confidence"]).abs()
    return float((gaps * table["examples"]).sum() / table["examples"].sum())


def accuracy_by_class(labels: Array, predicted: Array, classes: Sequence[str]) -> pd.DataFrame:
    """Return a row for each class that has examples, in their order.

    Columns: `class`, `examples`, `right`, `accuracy` (the share of the class that is recognised,
    its recall), `accuracy_low` and `accuracy_high`, its 95 % Wilson interval; `predicted`, how
    often the class was answered, and `precision`, the share of these that is right, NaN of none.
    """
    rows = []
    for index, name in enumerate(classes):
        own = labels == index
        count, right = int(own.sum()), int((own & (predicted == index)).sum())
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
