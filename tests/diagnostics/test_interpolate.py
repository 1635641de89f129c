import numpy as np
import pandas as pd
import pytest
import torch
from test_landscape import examples
from torch import nn

from tune_app.diagnostics.mathematics.batch_norm import recompute_batch_norm
from tune_app.diagnostics.studies.interpolation import (
    ALPHAS,
    barrier,
    diagnose_interpolation,
    interpolate,
)
from tune_app.errors import DiagnosisError


def test_the_loss_of_a_linear_regression_is_a_parabola_along_the_line():
    torch.manual_seed(0)
    first, second = nn.Linear(3, 1), nn.Linear(3, 1)
    data = examples(classes=0, loss="mse")
    table = interpolate(first, second, [data], alphas=(-1.0, 0.0, 0.5, 1.0, 2.0))
    with_one = torch.cat([data.x, torch.ones(len(data), 1)], dim=1).double().numpy()
    ends = [
        np.concatenate([own.weight.detach().numpy().ravel(), own.bias.detach().numpy()])
        for own in (first, second)
    ]
    for alpha, loss in zip(table["alpha"], table["loss"], strict=True):
        weights = (1 - alpha) * ends[0] + alpha * ends[1]
        expected = np.mean((with_one @ weights - data.y.numpy().ravel()) ** 2)
        assert loss == pytest.approx(expected, rel=1e-5)
    assert table["accuracy"].isna().all()


def test_batch_norm_is_recomputed_over_all_examples():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    data = examples(count=300, classes=2)  # in one batch
    recompute_batch_norm(network, data)
    inside = network[0](data.x).detach()
    assert torch.allclose(network[1].running_mean, inside.mean(0), atol=1e-6)
    assert torch.allclose(network[1].running_var, inside.var(0), atol=1e-6)
    assert not network.training
    assert not network[1].training
    assert network[1].momentum == 0.1


def test_the_ends_are_the_trials_and_the_splits_are_measured_whole(bench):
    first, second = bench.subjects("digits", ["t0001", "t0002"])
    found = diagnose_interpolation([first, second])
    table = found.tables["interpolate"].set_index(["split", "alpha"])
    assert len(table) == 2 * len(ALPHAS)
    for alpha, subject in ((0.0, first), (1.0, second)):
        own = table.loc["validation", alpha]
        assert own["loss"] == pytest.approx(subject.trial.val_loss, rel=1e-5)
        assert own["accuracy"] == pytest.approx(subject.trial.val_accuracy)
    assert found.figures[0].caption.endswith(
        "α = 0 is t0001 (lr 0.01, batch_size 64), α = 1 is t0002 (lr 0.003, batch_size 256)."
    )


def test_networks_with_batch_norm_and_regressions_are_measured_too(bench):
    norms = diagnose_interpolation(bench.subjects("images"), most=60)
    assert "Batch-norm statistics are recomputed" in norms.method
    assert np.isfinite(norms.tables["interpolate"]["loss"]).all()
    curve = diagnose_interpolation(bench.subjects("curve"), most=60)
    assert curve.tables["interpolate"]["accuracy"].isna().all()


@pytest.mark.parametrize("names", [["t0001"], []], ids=["one", "three"])
def test_other_than_two_trials_are_refused(bench, names):
    subjects = bench.subjects("digits", names)
    with pytest.raises(DiagnosisError) as caught:
        diagnose_interpolation(subjects)
    assert str(caught.value) == (
        f"interpolate needs two trials, but there are {len(subjects)}: name two, such as t0001 "
        "and t0002, or OTHER_SWEEP/t0001"
    )


def test_the_barrier_is_above_the_line_between_the_ends():
    losses = pd.Series([9.0, 1.0, 4.0, 3.0, 8.0], index=[-1.0, 0.0, 0.5, 1.0, 2.0])
    assert barrier(losses) == 2.0
    assert barrier(pd.Series([1.0, 1.5, 3.0], index=[0.0, 0.5, 1.0])) == 0.0
