"""List the metrics that a search file can add by name.

`tune_app.training.metric_functions` measures them. The list is separate because reading a search
file must not import torch.
"""

from dataclasses import dataclass
from typing import Literal

Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class MetricKind:
    """The task that a metric belongs to, its meaning, and whether to maximise or minimise it."""

    task: Task
    meaning: str
    mode: str = "max"


_PER_CLASS = "mean over the classes that occur"
METRICS: dict[str, MetricKind] = {
    "f1_macro": MetricKind("classification", f"F1, {_PER_CLASS}"),
    "f1_weighted": MetricKind("classification", "F1, mean over classes by their examples"),
    "precision_macro": MetricKind("classification", f"precision, {_PER_CLASS}"),
    "recall_macro": MetricKind("classification", f"recall, {_PER_CLASS}"),
    "balanced_accuracy": MetricKind("classification", f"recall, {_PER_CLASS}; as recall_macro"),
    "auroc": MetricKind(
        "classification", f"area under the ROC curve, one against the rest, {_PER_CLASS}"
    ),
    "average_precision": MetricKind("classification", f"average precision, {_PER_CLASS}"),
    "cohen_kappa": MetricKind("classification", "Cohen's kappa: accuracy beyond chance"),
    "matthews": MetricKind("classification", "Matthews' correlation coefficient"),
    "top2_accuracy": MetricKind("classification", "the label is among the two likeliest"),
    "top5_accuracy": MetricKind("classification", "the label is among the five likeliest"),
    "calibration_error": MetricKind(
        "classification", "expected calibration error, 15 bins of equal width", "min"
    ),
    "mae": MetricKind("regression", "mean absolute error", "min"),
    "rmse": MetricKind("regression", "root of the mean squared error", "min"),
    "r2": MetricKind("regression", "coefficient of determination"),
    "explained_variance": MetricKind("regression", "share of the targets' variance"),
    "pearson": MetricKind("regression", "linear correlation with the targets"),
    "spearman": MetricKind("regression", "correlation of ranks with the targets"),
}

# The metrics that an objective can name, each with its mode.
OBJECTIVES: dict[str, str] = {
    "val_accuracy": "max",
    "val_loss": "min",
    **{f"val_{name}": kind.mode for name, kind in METRICS.items()},
}


def metrics_of(task: Task) -> list[str]:
    """Return the names of the metrics of a task."""
    return [name for name, kind in METRICS.items() if kind.task == task]
