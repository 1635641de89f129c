"""Measure the metrics that a search file adds by name, with torchmetrics."""

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

# Functions of torchmetrics.functional.classification, called with the softmax of the outputs
# `(N, classes)` and labels `(N,)`. Means cover the classes that occur, as in scikit-learn.
_CLASSIFICATION: dict[str, tuple[str, dict[str, Any]]] = {
    "f1_macro": ("multiclass_f1_score", {"average": "macro"}),
    "f1_weighted": ("multiclass_f1_score", {"average": "weighted"}),
    "precision_macro": ("multiclass_precision", {"average": "macro"}),
    "recall_macro": ("multiclass_recall", {"average": "macro"}),
    "balanced_accuracy": ("multiclass_recall", {"average": "macro"}),
    "auroc": ("multiclass_auroc", {"average": None}),  # each class against the others
    "average_precision": ("multiclass_average_precision", {"average": None}),
    "cohen_kappa": ("multiclass_cohen_kappa", {}),
    "matthews": ("multiclass_matthews_corrcoef", {}),
    "top2_accuracy": ("multiclass_accuracy", {"average": "micro", "top_k": 2}),
    "top5_accuracy": ("multiclass_accuracy", {"average": "micro", "top_k": 5}),
    # Naeini et al. (2015): 15 bins of equal width, each weighted by its number of examples.
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
    """Check that the metrics can be measured on this task.

    Raises:
        SpaceError: A metric belongs to the other task, or torchmetrics is not installed.
    """
    if wrong := [name for name in names if METRICS[name].task != task]:
        targets = {"classification": "classes", "regression": "decimal numbers (a regression)"}
        raise SpaceError(
            f"metrics: {wrong[0]} is a metric of {METRICS[wrong[0]].task}, but the targets are "
            f"{targets[task]}; use {', '.join(metrics_of(task))}"
        )
    for name in names:
        largest = _CLASSIFICATION.get(name, ("", {}))[1].get("top_k", 0)
        if isinstance(largest, int) and largest >= outputs:
            raise SpaceError(f"metrics: {name} is always 1 for {outputs} classes; remove it")
    if names and find_spec("torchmetrics") is None:
        raise SpaceError(
            f"metrics: {', '.join(names)} need torchmetrics, which is not installed; "
            "run pip install 'tune-app[metrics]'"
        )


def measure_metrics(names: Collection[str], outputs: Tensor, targets: Tensor) -> dict[str, float]:
    """Return metrics by name for outputs `(N, outputs)` and labels `(N,)` or targets `(N, 1)`.

    The definitions are those of scikit-learn, in double precision. A metric that is not defined,
    such as auroc with a single class, is NaN.
    """
    with warnings.catch_warnings():
        # torchmetrics warns about classes without examples; they are left out of means on purpose.
        warnings.filterwarnings("ignore", category=UserWarning, module="torchmetrics")
        if targets.is_floating_point():
            predicted, wanted = outputs.double().flatten(), targets.double().flatten()
            return {
                name: float(_function("regression", *_REGRESSION[name])(predicted, wanted))
                for name in names
            }
        probabilities = outputs.double().softmax(1)
        return {name: _measure_classes(name, probabilities, targets) for name in names}


def _measure_classes(name: str, probabilities: Tensor, labels: Tensor) -> float:
    called, options = _CLASSIFICATION[name]
    classes = probabilities.shape[1]
    measure = _function("classification", called, {**options, "num_classes": classes})
    value = measure(probabilities, labels)
    if value.ndim:  # one value per class; torchmetrics' mean would count an absent class as 0
        occurring = torch.unique(labels)
        value = value[occurring].mean() if len(occurring) > 1 else torch.tensor(torch.nan)
    return float(value)


def _function(task: Task, called: str, options: dict[str, Any]) -> Measure:
    function = getattr(import_module(f"torchmetrics.functional.{task}"), called)
    return partial(function, **options)
