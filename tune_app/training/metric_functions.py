"""Metrics that a search file adds by name, measured by torchmetrics."""

import warnings
from collections.abc import Callable, Collection
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from tune_app.config.named_metrics import METRICS, Task, metrics_of
from tune_app.errors import SpaceError

# Functions of torchmetrics.functional.classification, called with outputs' softmax `(N, classes)`
# and labels `(N,)`. A mean over classes is one over those that occur, as scikit-learn's is.
_CLASSIFICATION: dict[str, tuple[str, dict[str, Any]]] = {
    "f1_macro": ("multiclass_f1_score", {"average": "macro"}),
    "f1_weighted": ("multiclass_f1_score", {"average": "weighted"}),
    "precision_macro": ("multiclass_precision", {"average": "macro"}),
    "recall_macro": ("multiclass_recall", {"average": "macro"}),
    "auroc": ("multiclass_auroc", {"average": None}),  # each class against the others
    "average_precision": ("multiclass_average_precision", {"average": None}),
    "cohen_kappa": ("multiclass_cohen_kappa", {}),
    "matthews": ("multiclass_matthews_corrcoef", {}),
    "top2_accuracy": ("multiclass_accuracy", {"average": "micro", "top_k": 2}),
    "top5_accuracy": ("multiclass_accuracy", {"average": "micro", "top_k": 5}),
    # Naeini et al. (2015): 15 bins of equal width, the mean distance weighted by their examples.
    "calibration_error": ("multiclass_calibration_error", {"n_bins": 15, "norm": "l1"}),
}
# Functions of torchmetrics.functional.regression, called with outputs and targets `(N,)`.
_REGRESSION: dict[str, tuple[str, dict[str, Any]]] = {
    "mae": ("mean_absolute_error", {}),
    "rmse": ("mean_squared_error", {"squared": False}),
    "r2": ("r2_score", {}),
    "explained_variance": ("explained_variance", {}),
    "pearson": ("pearson_corrcoef", {}),
    "spearman": ("spearman_corrcoef", {}),
}

Measure = Callable[[Tensor, Tensor], Tensor]


def require_metrics(names: Collection[str], task: Task, outputs: int) -> None:
    """Check that the metrics can be measured of this task.

    Raises:
        SpaceError: One is of the other task, or torchmetrics is not installed.
    """
    if wrong := [name for name in names if METRICS[name].task != task]:
        targets = {"classification": "classes", "regression": "decimal numbers, a regression"}
        raise SpaceError(
            f"metrics: {wrong[0]} is of {METRICS[wrong[0]].task}, and the targets are "
            f"{targets[task]}; use {', '.join(metrics_of(task))}"
        )
    for name in names:
        largest = _CLASSIFICATION.get(name, ("", {}))[1].get("top_k", 0)
        if isinstance(largest, int) and largest >= outputs:
            raise SpaceError(f"metrics: {name} is always 1 of {outputs} classes; remove it")
    if names and find_spec("torchmetrics") is None:
        raise SpaceError(
            f"metrics: {', '.join(names)} are measured by torchmetrics, which is not installed; "
            "pip install 'tune-app[metrics]'"
        )


def measure_metrics(names: Collection[str], outputs: Tensor, targets: Tensor) -> dict[str, float]:
    """Return metrics by name, of outputs `(N, outputs)` and labels `(N,)` or targets `(N, 1)`.

    All of METRICS that are of the targets' task, by the definitions of scikit-learn; in double
    precision. One that is not defined, such as auroc of one class alone, is NaN.
    """
    with warnings.catch_warnings():
        # Of classes without an example, which are left out of a mean: what is wanted, and no news.
        warnings.filterwarnings("ignore", category=UserWarning, module="torchmetrics")
        if targets.is_floating_point():
            found, wanted = outputs.double().flatten(), targets.double().flatten()
            return {
                name: float(_function("regression", *_REGRESSION[name])(found, wanted))
                for name in names
            }
        shares = outputs.double().softmax(1)
        return {name: _of_classes(name, shares, targets) for name in names}


def _of_classes(name: str, shares: Tensor, labels: Tensor) -> float:
    called, options = _CLASSIFICATION[name]
    measure = _function("classification", called, {**options, "num_classes": shares.shape[1]})
    value = measure(shares, labels)
    if value.ndim:  # a value per class; torchmetrics' own mean counts one that is absent as 0
        occurring = torch.unique(labels)
        value = value[occurring].mean() if len(occurring) > 1 else torch.tensor(torch.nan)
    return float(value)


def _function(task: Task, called: str, options: dict[str, Any]) -> Measure:
    function = getattr(import_module(f"torchmetrics.functional.{task}"), called)
    return partial(function, **options)
