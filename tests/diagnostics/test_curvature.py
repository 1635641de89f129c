import numpy as np
import pytest
import torch
from test_landscape import central_differences, examples
from torch import nn

from tune_app.diagnostics.mathematics.landscape import Landscape
from tune_app.diagnostics.studies.curvature import (
    curvature_of,
    diagnose_curvature,
    measure_spectrum,
    minimise_gradient,
)
from tune_app.errors import DiagnosisError


def test_minimising_the_gradient_solves_a_linear_regression():
    data = examples(count=60, classes=0, loss="mse")
    landscape = Landscape(nn.Linear(3, 1), data)
    rest = minimise_gradient(landscape, landscape.start, iterations=200)
    with_one = np.column_stack([data.x.double().numpy(), np.ones(60)])
    solved, *_ = np.linalg.lstsq(with_one, data.y.double().numpy(), rcond=None)
    assert rest.weights.numpy() == pytest.approx(solved.ravel(), abs=1e-6)
    assert rest.gradient_norm < 1e-8


def test_a_saddle_is_found_and_told_from_a_minimum():
    # Two layers of one linear unit each: the origin is a saddle of (y - a b x)^2.
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    data = examples(count=30, inputs=1, classes=0, loss="mse")
    data = type(data)("train", data.x, 2 * data.x, data.normalize, "mse")
    landscape = Landscape(model, data)
    near = torch.tensor([0.05, -0.03], dtype=torch.float64)
    rest = minimise_gradient(landscape, near, iterations=100)
    assert rest.weights.numpy() == pytest.approx([0, 0], abs=1e-5)
    spectrum, values = measure_spectrum(landscape, rest.weights)
    assert spectrum.positive.value == spectrum.negative.value == 0.5
    square = float(data.x.double().square().mean())
    assert values == pytest.approx([-4 * square, 4 * square], abs=1e-6)


def test_the_minimum_ratio_is_that_of_a_hessian_by_finite_differences(bench):
    (subject, _) = bench.subjects("curve")
    row, values = curvature_of(subject, most=100, iterations=20)
    landscape = Landscape(subject.network(), subject.examples("train", 100))
    rest = minimise_gradient(landscape, landscape.start, iterations=20)
    hessian = central_differences(lambda at: landscape.gradient(at)[1], rest.weights)
    expected = np.linalg.eigvalsh((hessian + hessian.T).numpy() / 2)
    assert values["eigenvalue"].to_numpy() == pytest.approx(expected, abs=1e-7)
    assert row["method"] == "exact"
    assert row["minimum_ratio"] == (values["eigenvalue"] > 0).mean()
    assert row["grad_norm"] < row["grad_norm_before"]


def test_larger_networks_are_estimated_with_errors(bench):
    subjects = bench.subjects("digits", ["t0001", "t0002"])
    exact = diagnose_curvature(subjects, most=200, iterations=3)
    estimated = diagnose_curvature(subjects, most=200, iterations=3, exact_up_to=100)
    ours, theirs = (found.tables["curvature"] for found in (exact, estimated))
    assert list(theirs["method"]) == ["lanczos"] * 2
    assert theirs["largest"].to_numpy() == pytest.approx(ours["largest"].to_numpy(), rel=1e-3)
    apart = (theirs["trace"] - ours["trace"]).abs()
    assert (apart < 5 * theirs["trace_error"]).all()
    assert "curvature-eigenvalues" not in estimated.tables
    assert "stochastic Lanczos quadrature" in estimated.method


def test_trials_of_which_none_has_weights_are_refused(bench):
    with pytest.raises(DiagnosisError, match=r"t0004 \(failed\) has no saved weights"):
        diagnose_curvature(bench.subjects("digits", ["t0004"]))
