"""Curvature where the gradient is nearly zero: what kind of point trainings come to rest at."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from tune_app.diagnostics.diagnosis import Diagnosis
from tune_app.diagnostics.figures.curvature_figure import curvature_figure
from tune_app.diagnostics.mathematics.landscape import Landscape
from tune_app.diagnostics.mathematics.spectrum import Spectrum, estimate_spectrum, exact_spectrum
from tune_app.diagnostics.workbench import Subject
from tune_app.errors import DiagnosisError

EXACT_UP_TO = 4_000  # weights: 128 MB, and half a minute for the eigenvalues
ITERATIONS = 300
MOST_EXAMPLES = 2_000


@dataclass(frozen=True)
class Rest:
    """Where minimising the gradient norm ended."""

    weights: Tensor
    loss: float
    gradient_norm: float
    iterations: int


def minimise_gradient(landscape: Landscape, start: Tensor, *, iterations: int) -> Rest:
    """Move `start` to where the gradient g of the loss is smallest: minimise g·g / 2.

    Its gradient is H g, a product with the Hessian; the minimiser is SciPy's L-BFGS-B (Zhu et al.
    1997), until it cannot go on or for `iterations`. Unlike going on with the training it is
    drawn to saddle points as to minima, which is what the share of positive eigenvalues is to
    tell. Each iteration costs about three gradients.
    """
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = torch.from_numpy(flat).to(start)
        _, slope = landscape.gradient(weights)
        pulled = landscape.hessian_product(weights)(slope)
        return float(slope @ slope) / 2, pulled.double().cpu().numpy()

    found = minimize(
        objective,
        start.double().cpu().numpy(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "ftol": 0.0, "gtol": 1e-14, "maxcor": 30},
    )
    weights = torch.from_numpy(found.x).to(start)
    loss, slope = landscape.gradient(weights)
    return Rest(weights, loss, float(slope.norm()), int(found.nit))


def measure_spectrum(
    landscape: Landscape, weights: Tensor, *, exact_up_to: int = EXACT_UP_TO, seed: int = 0
) -> tuple[Spectrum, NDArray[np.float64] | None]:
    """Return the spectrum of the Hessian at `weights`: exact, with all eigenvalues, or estimated.

    Exact up to `exact_up_to` weights, n Hessian products and n³ operations; beyond that by
    stochastic Lanczos quadrature, 320 products, with standard errors. See spectrum.py.
    """
    if landscape.size <= exact_up_to:
        spectrum, values = exact_spectrum(landscape.hessian(weights))
        return spectrum, values.cpu().numpy()
    return estimate_spectrum(landscape.hessian_product(weights), weights, seed=seed), None


def curvature_of(
    subject: Subject,
    *,
    most: int = MOST_EXAMPLES,
    iterations: int = ITERATIONS,
    exact_up_to: int = EXACT_UP_TO,
) -> tuple[dict[str, object], pd.DataFrame | None]:
    """Return a trial's row of `diagnose_curvature`, and its eigenvalues where they are exact.

    On `most` of its training examples, labels not smoothed, dropout off.
    """
    began = time.perf_counter()
    landscape = Landscape(subject.network(), subject.examples("train", most))
    loss, slope = landscape.gradient(landscape.start)
    rest = minimise_gradient(landscape, landscape.start, iterations=iterations)
    spectrum, values = measure_spectrum(landscape, rest.weights, exact_up_to=exact_up_to)
    row: dict[str, object] = {
        "trial": subject.full_name,
        "weights": landscape.size,
        "examples": len(landscape.examples),
        "method": spectrum.method,
        "loss_before": loss,
        "grad_norm_before": float(slope.norm()),
        "iterations": rest.iterations,
        "loss": rest.loss,
        "grad_norm": rest.gradient_norm,
        "minimum_ratio": spectrum.positive.value,
        "minimum_ratio_error": spectrum.positive.error,
        "negative_share": spectrum.negative.value,
        "negative_share_error": spectrum.negative.error,
        "flat_share": spectrum.flat.value,
        "flat_share_error": spectrum.flat.error,
        "flat_below": spectrum.tolerance,
        "largest": spectrum.largest,
        "smallest": spectrum.smallest,
        "trace": spectrum.trace.value,
        "trace_error": spectrum.trace.error,
        "seconds": time.perf_counter() - began,
    }
    if values is None:
        return row, None
    return row, pd.DataFrame({"trial": subject.full_name, "eigenvalue": values})


def diagnose_curvature(
    subjects: Sequence[Subject],
    *,
    most: int = MOST_EXAMPLES,
    iterations: int = ITERATIONS,
    exact_up_to: int = EXACT_UP_TO,
) -> Diagnosis:
    """Measure where each trial rests; networks may be of different architectures.

    Raises:
        DiagnosisError: No trial has weights.
    """
    usable = [subject for subject in subjects if subject.trial.checkpoint is not None]
    if not usable:
        subjects[0].network()  # says what is missing
    found = [
        curvature_of(subject, most=most, iterations=iterations, exact_up_to=exact_up_to)
        for subject in usable
    ]
    table = pd.DataFrame([row for row, _ in found])
    finite = table[np.isfinite(table["loss"]) & np.isfinite(table["grad_norm"])]
    if finite.empty:
        raise DiagnosisError("the gradient is not finite at any trial's weights; name others")
    eigenvalues = [values for _, values in found if values is not None]
    tables = {"curvature": table}
    if eigenvalues:
        tables["curvature-eigenvalues"] = pd.concat(eigenvalues, ignore_index=True)
    methods = set(table["method"])
    unit = "MSE" if all(subject.loss == "mse" for subject in usable) else "nats"
    ratio = finite["minimum_ratio"]
    errors = finite.loc[finite["method"] == "lanczos", "minimum_ratio_error"]
    estimated = f", standard error at most {errors.max():.3f}" if len(errors) else ""
    return Diagnosis(
        name="curvature",
        title="Curvature where the gradient is nearly zero",
        method=(
            "Each training is continued by minimising the norm of its gradient (L-BFGS on half "
            "its square, whose gradient is a product with the Hessian). Then the minimum ratio, "
            "the share of eigenvalues of the Hessian above 0, "
            + " and ".join(_METHODS[method] for method in sorted(methods))
            + ". Flat eigenvalues are those that rounding cannot tell from 0: their sign, and so "
            "their part in the ratio, is chance."
        ),
        findings=(
            f"The minimum ratio is {ratio.min():.3f} to {ratio.max():.3f}, mean "
            f"{ratio.mean():.3f}, over {len(finite)} trainings{estimated}.",
            f"The gradient norm went from a median of {finite['grad_norm_before'].median():.2g} to "
            f"{finite['grad_norm'].median():.2g}, the loss from "
            f"{finite['loss_before'].median():.3g} to {finite['loss'].median():.3g}.",
            f"On average {finite['flat_share'].mean():.1%} of the eigenvalues are flat and "
            f"{finite['negative_share'].mean():.1%} clearly negative; "
            f"{int((finite['negative_share'] == 0).sum())} of {len(finite)} trainings rest where "
            "none is.",
            f"Rank correlation of minimum ratio and loss: {_correlation(finite)}.",
        ),
        tables=tables,
        figures=(curvature_figure(finite, unit),),
    )


_METHODS = {
    "exact": "exactly, from the whole Hessian in float64",
    "lanczos": "estimated by stochastic Lanczos quadrature (Ubaru et al. 2017) with 8 probes of 40 "
    "steps, with standard errors over the probes",
}


def _correlation(table: pd.DataFrame) -> str:
    known = table[table["loss"] > 0]
    if len(known) < 3 or known["minimum_ratio"].nunique() < 2:
        return "too few different trainings to tell"
    ranks = known[["loss", "minimum_ratio"]].rank()
    return f"{ranks['loss'].corr(ranks['minimum_ratio']):.2f} (Spearman)"
