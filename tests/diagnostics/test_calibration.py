import numpy as np
import pytest
from scipy.stats import binomtest

from tune_app.diagnostics.studies.calibration import (
    accuracy_by_class,
    calibration_error,
    reliability,
)
from tune_app.diagnostics.studies.network_behaviour import diagnose_network
from tune_app.errors import DiagnosisError


def test_ranges_of_confidence_are_counted_with_their_upper_end():
    confidence = np.array([0.5, 0.5000001, 0.75, 1.0, 1.0], dtype=np.float64)
    is_right = np.array([True, False, True, True, False])
    table = reliability(confidence, is_right, bins=4)
    assert list(table["low"]) == [0.25, 0.5, 0.75]
    assert list(table["examples"]) == [1, 2, 2]
    assert list(table["accuracy"]) == [1.0, 0.5, 0.5]
    # |1 - 0.5| of one, |0.5 - 0.625| of two, |0.5 - 1| of two, over five
    assert calibration_error(table) == pytest.approx((0.5 + 2 * 0.125 + 2 * 0.5) / 5, rel=1e-6)


def test_a_network_that_is_as_often_right_as_it_claims_has_no_error():
    confidence = np.repeat([0.25, 0.75], 100)
    is_right = np.concatenate([np.arange(100) < 25, np.arange(100) < 75])
    assert calibration_error(reliability(confidence, is_right)) == pytest.approx(0)


def test_intervals_are_those_of_wilson():
    table = reliability(np.full(40, 0.9), np.arange(40) < 31)
    exact = binomtest(31, 40).proportion_ci(method="wilson")
    row = table.iloc[0]
    assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx((exact.low, exact.high))


def test_classes_are_counted_as_truth_and_as_answers():
    labels = np.array([0, 0, 0, 1, 1, 3])
    predicted = np.array([0, 0, 1, 1, 0, 0])
    table = accuracy_by_class(labels, predicted, ["a", "b", "c", "d"])
    assert list(table["class"]) == ["a", "b", "d"]
    assert list(table["accuracy"]) == pytest.approx([2 / 3, 1 / 2, 0])
    assert list(table["precision"].fillna(-1)) == pytest.approx([2 / 4, 1 / 2, -1])
    exact = binomtest(2, 3).proportion_ci(method="wilson")
    assert table.iloc[0]["accuracy_low"] == pytest.approx(exact.low)


def test_a_network_is_shown_with_its_tables_and_the_reports_figures(bench):
    (subject,) = bench.subjects("images", ["t0001"])
    found = diagnose_network([subject])
    names = [figure.name for figure in found.figures]
    assert names[0] == "network-t0001"
    assert names[-2:] == ["calibration-t0001", "accuracy-by-class-t0001"]
    assert {"first-layer-t0001", "confusion-t0001"} <= set(names)
    confusion = found.tables["confusion"]
    count = subject.sweep.resolved.validation_count
    assert confusion[["3", "5", "8"]].to_numpy().sum() == count
    right = np.trace(confusion[["3", "5", "8"]].to_numpy())
    assert right / count == pytest.approx(subject.trial.val_accuracy)
    assert found.tables["accuracy-by-class"]["right"].sum() == right
    assert len(found.tables["surest-errors"]) == count - right


def test_one_classifier_is_shown_at_a_time(bench):
    with pytest.raises(DiagnosisError, match="network needs one trial, but there are 2: name one"):
        diagnose_network(bench.subjects("images"))
    with pytest.raises(DiagnosisError, match="network needs classes"):
        diagnose_network(bench.subjects("curve", ["t0001"]))
