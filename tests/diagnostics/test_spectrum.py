import pytest
import torch

from tune_app.diagnostics.mathematics.spectrum import (
    estimate_spectrum,
    exact_spectrum,
    lanczos,
    largest_eigenvalue,
)


def matrix_of(values, seed=0):
    torch.manual_seed(seed)
    turned, _ = torch.linalg.qr(torch.randn(len(values), len(values), dtype=torch.float64))
    return turned @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ turned.T


def test_the_shares_of_a_known_quadratic_are_counted():
    values = [-2.0, -1.0, 0.0, 0.5, 1.0, 3.0, 4.0, 10.0]
    spectrum, found = exact_spectrum(torch.diag(torch.tensor(values, dtype=torch.float64)))
    assert found.tolist() == pytest.approx(values)
    assert spectrum.positive.value == 5 / 8
    assert spectrum.negative.value == 2 / 8
    assert spectrum.flat.value == 1 / 8
    assert (spectrum.largest, spectrum.smallest) == pytest.approx((10, -2))
    assert spectrum.trace.value == pytest.approx(sum(values))
    assert spectrum.method == "exact"
    assert spectrum.positive.error == 0


def test_lanczos_run_to_its_end_finds_every_eigenvalue():
    values = [-3.0, -1.0, 0.5, 2.0, 7.0]
    matrix = matrix_of(values)
    found, weights = lanczos(lambda v: matrix @ v, torch.ones(5, dtype=torch.float64), 50)
    assert found.tolist() == pytest.approx(values)
    assert float(weights.sum()) == pytest.approx(1)


def test_lanczos_ends_where_the_space_is_exhausted():
    matrix = matrix_of([2.0] * 6 + [5.0] * 6)
    found, _ = lanczos(lambda v: matrix @ v, torch.ones(12, dtype=torch.float64), 12)
    assert found.tolist() == pytest.approx([2, 5])


def test_estimates_hold_the_exact_shares_within_their_errors():
    values = [*[-1.0] * 60, *torch.linspace(0.5, 3, 140).tolist(), 50.0]
    matrix = matrix_of(values)
    exact, _ = exact_spectrum(matrix)
    start = torch.zeros(len(values), dtype=torch.float64)
    found = estimate_spectrum(lambda v: matrix @ v, start, probes=16, steps=40)
    assert found.method == "lanczos"
    assert found.largest == pytest.approx(exact.largest, rel=1e-6)
    assert found.smallest == pytest.approx(exact.smallest, rel=1e-6)
    for name in ("positive", "negative", "trace"):
        estimate, truth = getattr(found, name), getattr(exact, name)
        assert estimate.error > 0
        assert abs(estimate.value - truth.value) < 4 * estimate.error
    again = estimate_spectrum(lambda v: matrix @ v, start, probes=16, steps=40)
    assert again == found


def test_the_trace_by_hutchinson_is_exact_for_a_diagonal_matrix():
    diagonal = torch.arange(1.0, 31.0, dtype=torch.float64)
    found = estimate_spectrum(lambda v: diagonal * v, torch.zeros_like(diagonal), probes=2)
    assert found.trace.value == pytest.approx(float(diagonal.sum()))


def test_the_largest_eigenvalue_is_found_from_below():
    values = [*torch.linspace(-2, 4, 199).tolist(), 4.5]
    matrix = matrix_of(values)
    found = largest_eigenvalue(lambda v: matrix @ v, torch.zeros(200, dtype=torch.float64))
    assert found == pytest.approx(4.5, rel=0.01)
    assert found <= 4.5 + 1e-9
