"""Scores against other computations of them."""

import numpy as np
import pytest

from tune_app.report.prediction_scores import macro_f1


def test_macro_f1_is_the_mean_over_classes_of_the_harmonic_mean_of_precision_and_recall():
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=200)
    predicted = np.where(rng.random(200) < 0.6, labels, rng.integers(4, size=200))
    scores = []
    for number in range(4):
        right = np.sum((labels == number) & (predicted == number))
        precision = right / np.sum(predicted == number)
        recall = right / np.sum(labels == number)
        scores.append(2 / (1 / precision + 1 / recall))
    assert macro_f1(labels, predicted) == pytest.approx(np.mean(scores), abs=1e-12)


def test_a_class_that_is_never_predicted_counts_as_zero():
    assert macro_f1([0, 0, 1], [0, 0, 0]) == pytest.approx((0.8 + 0) / 2)
