"""Eigenvalues of a symmetric matrix: exactly, or estimated from its products with vectors."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tune_app.diagnostics.mathematics.landscape import Product


@dataclass(frozen=True)
class Estimate:
    """A mean over independent probes, and its standard error."""

    value: float
    error: float  # 0 where it is exact


@dataclass(frozen=True)
class Spectrum:
    """What is known of the eigenvalues of an n × n matrix. Shares are of n."""

    method: str  # exact, lanczos
    positive: Estimate  # share above 0: the minimum ratio
    negative: Estimate  # share clearly below 0: beyond what rounding makes of a 0
    flat: Estimate  # share that rounding cannot tell from 0
    largest: float
    smallest: float
    trace: Estimate
    tolerance: float  # an eigenvalue of at most this size is `flat`


def exact_spectrum(matrix: Tensor) -> tuple[Spectrum, Tensor]:
    """Return what the eigenvalues of a symmetric matrix are, and these, ascending.

    `positive` counts every eigenvalue above 0, also those that rounding has put there: a matrix
    of n rows has errors of about n times the machine's precision times its largest eigenvalue.
    Costs 8 n² bytes and n³ operations.
    """
    values = torch.linalg.eigvalsh(matrix)
    largest, smallest = float(values[-1]), float(values[0])
    size = max(abs(largest), abs(smallest))
    tolerance = len(values) * torch.finfo(values.dtype).eps * size

    def share(mask: Tensor) -> Estimate:
        return Estimate(float(mask.double().mean()), 0.0)

    spectrum = Spectrum(
        method="exact",
        positive=share(values > 0),
        negative=share(values < -tolerance),
        flat=share(values.abs() <= tolerance),
        largest=largest,
        smallest=smallest,
        trace=Estimate(float(values.sum()), 0.0),
        tolerance=tolerance,
    )
    return spectrum, values


def lanczos(
    product: Product, probe: Tensor, steps: int, *, enough: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Return Ritz values, ascending, and the squared first entries of their vectors, float64.

    The Lanczos method (Golub and Van Loan, Matrix Computations, 10.1) from the vector `probe`,
    with full reorthogonalisation: `steps` products, and as many vectors in memory. It ends
    sooner where the space is exhausted, and where the largest Ritz value in size has moved by
    less than `enough`, relatively, in a step.
    """
    basis = [probe / probe.norm()]
    diagonal: list[float] = []
    beside: list[float] = []
    top = math.inf
    while True:
        image = product(basis[-1])
        diagonal.append(float(image @ basis[-1]))
        known = torch.stack(basis)
        for _ in range(2):  # once leaves what rounding put in; twice is enough
            image = image - known.T @ (known @ image)
        values, vectors = torch.linalg.eigh(_tridiagonal(diagonal, beside))
        before, top = top, float(values.abs().max())
        length = float(image.norm())
        is_settled = len(diagonal) > 3 and abs(top - before) < enough * top
        is_exhausted = length <= 10 * torch.finfo(probe.dtype).eps * top
        if len(diagonal) == min(steps, len(probe)) or is_exhausted or is_settled:
            return values, vectors[0] ** 2
        beside.append(length)
        basis.append(image / length)


def _tridiagonal(diagonal: list[float], beside: list[float]) -> Tensor:
    sides = torch.tensor(beside, dtype=torch.float64)
    matrix = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    return matrix + torch.diag(sides, 1) + torch.diag(sides, -1) if beside else matrix


def estimate_spectrum(
    product: Product, start: Tensor, *, probes: int = 8, steps: int = 40, seed: int = 0
) -> Spectrum:
    """Return what products say of the eigenvalues of an n × n matrix; `start` gives n and the kind.

    Stochastic Lanczos quadrature (Ubaru, Chen and Saad 2017, "Fast Estimation of tr(f(A)) via
    Stochastic Lanczos Quadrature", SIAM J. Matrix Anal. 38): for each of `probes` vectors of
    random signs, a quadrature of the spectral density with `steps` nodes. The trace is
    Hutchinson's (1990) with the same vectors. Errors are the standard errors over the probes;
    that of the quadrature itself, which blurs eigenvalues close to 0, is not in them. A node of at
    most a ten-thousandth of the largest in size counts as flat, and as positive by its sign.
    """
    generator = torch.Generator().manual_seed(seed)
    vectors = _sign_vectors(start, probes, generator)
    nodes = [lanczos(product, probe, steps) for probe in vectors]
    largest = max(float(values[-1]) for values, _ in nodes)
    smallest = min(float(values[0]) for values, _ in nodes)
    tolerance = 1e-4 * max(abs(largest), abs(smallest))
    rows = [
        (
            float(weights[values > 0].sum()),
            float(weights[values < -tolerance].sum()),
            float(weights[values.abs() <= tolerance].sum()),
            len(start) * float(values @ weights),
        )
        for values, weights in nodes
    ]
    positive, negative, flat, trace = (_estimate(column) for column in zip(*rows, strict=True))
    return Spectrum("lanczos", positive, negative, flat, largest, smallest, trace, tolerance)


def largest_eigenvalue(
    product: Product, start: Tensor, *, steps: int = 60, precision: float = 1e-3, seed: int = 0
) -> float:
    """Return the algebraically largest eigenvalue, by Lanczos from a random vector.

    Until a step changes the largest Ritz value by less than `precision`, relatively; the result
    is never above the true one.
    """
    generator = torch.Generator().manual_seed(seed)
    probe = next(_sign_vectors(start, 1, generator))
    values, _ = lanczos(product, probe, steps, enough=precision)
    return float(values[-1])


def _sign_vectors(like: Tensor, count: int, generator: torch.Generator) -> Iterator[Tensor]:
    for _ in range(count):
        bits = torch.randint(2, (len(like),), generator=generator)
        yield (2 * bits - 1).to(like)


def _estimate(values: tuple[float, ...]) -> Estimate:
    numbers = torch.tensor(values, dtype=torch.float64)
    error = float(numbers.std() / math.sqrt(len(values))) if len(values) > 1 else math.nan
    return Estimate(float(numbers.mean()), error)
