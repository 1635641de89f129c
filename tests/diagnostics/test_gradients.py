import numpy as np
import pandas as pd
import pytest

from tune_app.diagnostics.retrain import retrain
from tune_app.diagnostics.studies.gradients import (
    diagnose_gradients,
    gradients_by_epoch,
    gradients_by_step,
)
from tune_app.errors import DiagnosisError


def test_a_trial_trained_again_repeats_its_record(bench):
    (subject,) = bench.subjects("digits", ["t0001"])
    again = retrain(subject)
    for ours, theirs in zip(again, bench.store.epochs("digits", "t0001"), strict=True):
        assert ours.train_loss == theirs.train_loss
        assert ours.val_accuracy == theirs.val_accuracy
        assert ours.grad_norm == theirs.grad_norm


def test_by_epoch_is_what_the_record_has(bench):
    subjects = bench.subjects("digits", ["t0001", "t0002"])
    table = gradients_by_epoch(subjects)
    assert list(table["trial"]) == ["t0001"] * 4 + ["t0002"] * 4
    epochs = bench.store.epochs("digits", "t0002")
    assert list(table["grad_norm"][4:]) == [epoch.grad_norm for epoch in epochs]


def test_steps_add_up_to_layers_and_epochs(bench):
    (subject,) = bench.subjects("digits", ["t0001"])
    table = gradients_by_step(subject, epochs=2)
    steps = -(-subject.sweep.resolved.train_count // 64)
    assert list(table["step"]) == list(range(1, 2 * steps + 1))
    assert list(table["epoch"]) == [1] * steps + [2] * steps
    layers = table[["grad_norm.hidden1", "grad_norm.output"]].to_numpy()
    assert np.allclose((layers**2).sum(1), table["grad_norm"] ** 2)
    # The record's mean is over all steps of an epoch with at most 32 of them.
    recorded = bench.store.epochs("digits", "t0001")
    means = table.groupby("epoch")["grad_norm"].mean()
    assert steps <= 32
    assert list(means) == pytest.approx([epoch.grad_norm for epoch in recorded[:2]], rel=1e-6)
    sizes = np.diff([*range(0, steps * 64, 64), subject.sweep.resolved.train_count])
    loss = np.average(table["loss"][:steps], weights=sizes)
    assert loss == pytest.approx(recorded[0].train_loss, rel=1e-5)


def test_the_diagnosis_has_a_figure_for_each_trial_by_step(bench):
    found = diagnose_gradients(bench.subjects("curve"), by_step=True)
    assert [figure.name for figure in found.figures] == [
        *("gradients", "gradients-by-step-t0001", "gradients-by-step-t0002")
    ]
    assert isinstance(found.tables["gradients-by-step"], pd.DataFrame)
    assert found.findings[0].startswith("t0001: the gradient norm changes from ")


def test_a_record_without_norms_says_how_to_get_them(bench):
    subjects = bench.subjects("digits", ["t0001"])
    for epoch in bench.store.epochs("digits", "t0001"):
        bench.store.record_epoch(type(epoch)(**{**vars(epoch), "grad_norm": None}))
    with pytest.raises(DiagnosisError, match="by_step=True trains again and records it"):
        diagnose_gradients(subjects)
