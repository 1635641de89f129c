"""Metrics by name, against scikit-learn's numbers and our own arithmetic."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn

from tune_app.config.named_metrics import METRICS, metrics_of
from tune_app.errors import SpaceError
from tune_app.training import metric_functions
from tune_app.training.metric_functions import measure_metrics, require_metrics

pytest.importorskip("torchmetrics", reason="the extra `metrics` is not installed")


@pytest.fixture(scope="module")
def answers():
    """Outputs and labels of seven classes, one of which does not occur and is guessed once."""
    generator = torch.Generator().manual_seed(3)
    labels = torch.randint(0, 6, (300,), generator=generator)
    outputs = torch.randn(300, 7, generator=generator)
    outputs[:, 6] = -5
    outputs[torch.arange(300), labels] += 1.5
    return outputs, labels


def test_metrics_of_classes_are_those_of_scikit_learn(answers):
    outputs, labels = answers
    y, shares = labels.numpy(), outputs.double().softmax(1).numpy()
    guessed = shares.argmax(1)
    occur = range(6)
    one_hot = np.eye(7)[y]
    scores = [sklearn.average_precision_score(one_hot[:, k], shares[:, k]) for k in occur]
    areas = [sklearn.roc_auc_score(one_hot[:, k], shares[:, k]) for k in occur]
    confidence, right = shares.max(1), guessed == y
    bins = [np.floor(confidence * 15) == index for index in range(15)]
    expected = {
        "f1_macro": sklearn.f1_score(y, guessed, average="macro"),
        "f1_weighted": sklearn.f1_score(y, guessed, average="weighted"),
        "precision_macro": sklearn.precision_score(y, guessed, average="macro"),
        "recall_macro": sklearn.balanced_accuracy_score(y, guessed),
        "balanced_accuracy": sklearn.balanced_accuracy_score(y, guessed),
        "auroc": np.mean(areas),
        "average_precision": np.mean(scores),
        "cohen_kappa": sklearn.cohen_kappa_score(y, guessed),
        "matthews": sklearn.matthews_corrcoef(y, guessed),
        "top2_accuracy": sklearn.top_k_accuracy_score(y, shares, k=2, labels=range(7)),
        "top5_accuracy": sklearn.top_k_accuracy_score(y, shares, k=5, labels=range(7)),
        "calibration_error": sum(
            abs(confidence[own].mean() - right[own].mean()) * own.mean()
            for own in bins
            if own.any()
        ),
    }
    assert list(expected) == metrics_of("classification")
    measured = measure_metrics(expected, outputs, labels)
    assert measured == pytest.approx(expected, abs=1e-6)


def test_metrics_of_a_regression_are_those_of_scikit_learn():
    generator = torch.Generator().manual_seed(4)
    targets = torch.randn(80, 1, generator=generator)
    outputs = 0.7 * targets + 0.4 * torch.randn(80, 1, generator=generator) + 0.1
    y, found = targets.numpy().ravel(), outputs.numpy().ravel()
    ranks = [np.argsort(np.argsort(values)) for values in (y, found)]
    expected = {
        "mae": sklearn.mean_absolute_error(y, found),
        "rmse": sklearn.root_mean_squared_error(y, found),
        "r2": sklearn.r2_score(y, found),
        "explained_variance": sklearn.explained_variance_score(y, found),
        "pearson": np.corrcoef(y, found)[0, 1],
        "spearman": np.corrcoef(*ranks)[0, 1],
    }
    assert list(expected) == metrics_of("regression")
    assert measure_metrics(expected, outputs, targets) == pytest.approx(expected, abs=1e-6)


def test_what_is_not_defined_is_nan_and_not_a_number_made_up():
    one_class = torch.zeros(20, dtype=torch.long)
    assert math.isnan(measure_metrics(["auroc"], torch.rand(20, 3), one_class)["auroc"])


def test_nothing_is_imported_where_nothing_is_asked_for(monkeypatch):
    monkeypatch.setattr(metric_functions, "import_module", pytest.fail)
    assert measure_metrics((), torch.rand(4, 3), torch.tensor([0, 1, 2, 0])) == {}


@pytest.mark.parametrize(
    ("names", "task", "outputs", "told"),
    [
        (
            ["f1_macro", "r2"],
            "classification",
            10,
            "metrics: r2 is a metric of regression, but the targets are classes; use f1_macro, ",
        ),
        (
            ["auroc"],
            "regression",
            1,
            "metrics: auroc is a metric of classification, but the targets are decimal numbers (a "
            "regression); use mae, rmse, r2, explained_variance, pearson, spearman",
        ),
        (
            ["top5_accuracy"],
            "classification",
            5,
            "metrics: top5_accuracy is always 1 for 5 classes; remove it",
        ),
    ],
    ids=["a number's", "a class's", "all classes"],
)
def test_a_metric_that_does_not_suit_the_data_is_refused(names, task, outputs, told):
    with pytest.raises(SpaceError) as raised:
        require_metrics(names, task, outputs)
    assert str(raised.value).startswith(told)


def test_without_torchmetrics_the_extra_is_named_only_where_metrics_are_asked_for(monkeypatch):
    monkeypatch.setattr(metric_functions, "find_spec", lambda name: None)
    require_metrics([], "classification", 10)
    with pytest.raises(SpaceError) as raised:
        require_metrics(["f1_macro", "auroc"], "classification", 10)
    assert str(raised.value) == (
        "metrics: f1_macro, auroc need torchmetrics, which is not installed; run "
        "pip install 'tune-app[metrics]'"
    )


def test_every_metric_has_a_function_of_its_task():
    known = {
        "classification": metric_functions._CLASSIFICATION,
        "regression": metric_functions._REGRESSION,
    }
    for name, kind in METRICS.items():
        assert name in known[kind.task]
