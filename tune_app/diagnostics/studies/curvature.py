"""Curvature at points with a nearly zero gradient: do trainings end at minima or saddles?"""

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

EXACT_UP_TO = 4_000  # weights: the Hessian takes 128 MB, its eigenvalues half a minute
ITERATIONS = 300
MOST_EXAMPLES = 2_000


@dataclass(frozen=True)
class Rest:
    """The point at which minimising the gradient norm ended."""

    weights: Tensor
    loss: float
    gradient_norm: float
    iterations: int


def minimise_gradient(landscape: Landscape, start: Tensor, *, iterations: int) -> Rest:
    """Minimise g·g / 2 from `start`, where g is the gradient of the loss; return the end point.

    The gradient of g·g / 2 is H g, a product with the Hessian. SciPy's L-BFGS-B (Zhu et al. 1997)
    runs until it makes no more progress, for at most `iterations`. Each costs about three
    gradients.

    More training would only end at minima. This minimisation is attracted by saddle points and
    minima alike, and the share of positive eigenvalues then distinguishes them.
    """
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = torch.from_numpy(flat).to(start)
        _, slope = landscape.gradient(weights)
        curved = landscape.hessian_product(weights)(slope)  # H g
        return float(slope @ slope) / 2, curved.double().cpu().numpy()

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
    """Return the spectrum of the Hessian at `weights`, and its eigenvalues if they are exact.

    Up to `exact_up_to` weights, the spectrum is exact, which costs n Hessian products and n³
    operations. For more weights it is estimated by stochastic Lanczos quadrature, which costs 320
    products and gives standard errors. See spectrum.py.
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
    """Return a trial's row of `diagnose_curvature`, and its eigenvalues if they are exact.

    The loss is that of `most` training examples, without label smoothing and dropout.
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
    """Measure the curvature at the end of each training. Architectures may differ.

    Raises:
        DiagnosisError: No trial has weights.
    """
    usable = [subject for subject in subjects if subject.trial.checkpoint is not None]
    if not usable:
        subjects[0].network()  # raises an error that says what is missing
    found = [
        curvature_of(subject, most=most, iterations=iterations, exact_up_to=exact_up_to)
        for subject in usable
    ]
    table = pd.DataFrame([row for row, _ in found])
    finite = table[np.isfinite(table["loss"]) & np.isfinite(table["grad_norm"])]
    if finite.empty:
        raise DiagnosisError("no trial has a finite gradient; choose other trials")
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
            "From the trained weights, the gradient norm is minimised (L-BFGS on half its square, "
            "whose gradient is a product with the Hessian). There, the minimum ratio, which is the "
            "share of positive eigenvalues of the Hessian, is computed "
            + " and ".join(_METHODS[method] for method in sorted(methods))
            + ". Flat eigenvalues are too close to 0 for their sign to be known, so that their "
            "contribution to the ratio is random."
        ),
        findings=(
            f"The minimum ratio is between {ratio.min():.3f} and {ratio.max():.3f}, with a mean of "
            f"{ratio.mean():.3f}, over {len(finite)} trainings{estimated}.",
            f"The minimisation changed the median gradient norm from "
            f"{finite['grad_norm_before'].median():.2g} to {finite['grad_norm'].median():.2g}, and "
            f"the median loss from {finite['loss_before'].median():.3g} to "
            f"{finite['loss'].median():.3g}.",
            f"On average {finite['flat_share'].mean():.1%} of the eigenvalues are flat and "
            f"{finite['negative_share'].mean():.1%} are clearly negative; "
            f"{int((finite['negative_share'] == 0).sum())} of {len(finite)} trainings have no "
            "clearly negative eigenvalue.",
            f"Rank correlation between minimum ratio and loss: {_correlation(finite)}.",
        ),
        tables=tables,
        figures=(curvature_figure(finite, unit),),
    )


_METHODS = {
    "exact": "exactly from the whole Hessian in float64",
    "lanczos": "by stochastic Lanczos quadrature (Ubaru et al. 2017) with 8 probes of 40 steps and "
    "standard errors over the probes",
}


def _correlation(table: pd.DataFrame) -> str:
    known = table[table["loss"] > 0]
    if len(known) < 3 or known["minimum_ratio"].nunique() < 2:
        return "unknown, because there are too few different trainings"
    ranks = known[["loss", "minimum_ratio"]].rank()
    return f"{ranks['loss'].corr(ranks['minimum_ratio']):.2f} (Spearman)"
