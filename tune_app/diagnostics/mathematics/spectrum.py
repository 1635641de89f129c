"""Eigenvalues of a symmetric matrix: exact, or estimated from products with vectors."""

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
    error: float  # 0 for an exact value


@dataclass(frozen=True)
class Spectrum:
    """Properties of the eigenvalues of an n × n matrix. Shares are relative to n."""

    method: str  # exact, lanczos
    positive: Estimate  # share of eigenvalues above 0: the minimum ratio
    negative: Estimate  # share below -tolerance
    flat: Estimate  # share within the tolerance of 0
    largest: float
    smallest: float
    trace: Estimate
    tolerance: float  # rounding errors may turn a 0 into an eigenvalue of this size


def exact_spectrum(matrix: Tensor) -> tuple[Spectrum, Tensor]:
    """Return the spectrum of a symmetric matrix, and its eigenvalues in ascending order.

    `positive` counts every eigenvalue above 0, including zeros that rounding made positive: the
    eigenvalues of n rows have errors of about n times the machine precision times the largest
    eigenvalue. Costs 8 n² bytes and n³ operations.
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

    The Lanczos method (Golub and Van Loan, Matrix Computations, 10.1), starting from `probe`,
    with full reorthogonalisation. It costs `steps` products and keeps as many vectors in memory.
    It ends earlier if the space is exhausted, or if a step changes the Ritz value of the largest
    magnitude by less than the share `enough`.
    """
    # Multiplying a vector by a matrix again and again turns it towards the eigenvectors with the
    # largest eigenvalues. Lanczos keeps all these directions: it builds an orthonormal basis of
    # probe, A probe, A² probe, ... In this basis a symmetric A is tridiagonal, because A times a
    # basis vector only has components along that vector, the one before (both known) and the new
    # one. The small tridiagonal matrix has eigenvalues (Ritz values) that approximate those of A,
    # the outermost first. The squared first entries of its eigenvectors say how much of `probe`
    # lies along each of them.
    basis = [probe / probe.norm()]
    diagonal: list[float] = []
    beside: list[float] = []
    top = math.inf
    while True:
        image = product(basis[-1])  # A times the newest basis vector
        diagonal.append(float(image @ basis[-1]))
        known = torch.stack(basis)
        # Remove the components along all earlier vectors. In exact arithmetic two of them would
        # be enough, but rounding errors grow and would make eigenvalues appear twice. Doing it
        # once leaves new rounding errors; "twice is enough" (W. Kahan, in B. N. Parlett, The
        # Symmetric Eigenvalue Problem, section 6.9).
        for _ in range(2):
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
    """Return an estimate of the eigenvalues of an n × n matrix from its products with vectors.

    The size n, the type and the device are those of `start`. The method is stochastic Lanczos
    quadrature (Ubaru, Chen and Saad 2017, "Fast Estimation of tr(f(A)) via Stochastic Lanczos
    Quadrature", SIAM J. Matrix Anal. 38), with `probes` vectors of random signs and `steps` nodes
    for each. The trace is Hutchinson's estimate (1990) with the same vectors. Errors are standard
    errors over the probes; they do not include the error of the quadrature, which blurs
    eigenvalues close to 0. Nodes of at most a ten-thousandth of the largest magnitude are flat;
    those above 0 are also positive.
    """
    # The share of eigenvalues above 0 is the mean of f(eigenvalue), where f is 1 above 0 and else
    # 0, that is tr(f(A)) / n. For a vector of random signs v, the expectation of v · f(A) v is
    # tr(f(A)). Lanczos from v gives a Gauss quadrature of v · f(A) v / n: the Ritz values are its
    # nodes, and the squared first entries its weights, which add up to 1. So a share is the sum of
    # the weights of the nodes in its interval, averaged over the probes.
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
    """Return the algebraically largest eigenvalue by Lanczos, starting from a random vector.

    Lanczos ends when a step changes the largest Ritz value by less than the share `precision`.
    The result is never above the exact eigenvalue.
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
