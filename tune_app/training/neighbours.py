"""Find exact nearest neighbours at the speed of a matrix product in single precision.

The slow, exact way is to measure every distance in double precision. The fast way expands the
square, |q - p|² = |q|² - 2 q·p + |p|², so that one matrix product in float32 gives all distances
of a block of queries. Rounding makes these distances slightly wrong, so they cannot decide which
of two close points is nearer. This module uses both: the fast distances only rule points out.

A bound E on the rounding error of a query's distances is known in advance (`_Search._error`). If
at least k points have a fast distance of at most L, then the true distance of the k-th nearest
point is at most L + E. A point whose fast distance exceeds L + 2E has a true distance above L + E,
so it cannot be among the k nearest. The few points that remain are measured in double precision
and sorted. The result is exact, also in the order of equal distances.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

_BLOCK_ENTRIES = 2**25  # distances at a time: 128 MB
_GROUP = 64


def nearest(points: Array, queries: Array, k: int) -> NDArray[np.int64]:
    """Return the rows of the `k` points nearest to each query, `(queries, k)`, nearest first.

    Distances are Euclidean, in double precision; equal distances keep the order of the points.
    Points and queries are `(N, features)`, bytes or float32; there are at least `k` points.
    """
    search = _Search(points, np.arange(len(points)), queries)
    blocks = [search.pick(rows, near, k) for rows, near in search.blocks(np.arange(len(queries)))]
    return np.concatenate(blocks)


def nearest_by_fold(
    points: Array, folds: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the `k` nearest points to each point twice: among all points, and in other folds.

    Among all points, a point is its own first neighbour. Both results are `(N, k)`, in the order
    of `nearest`, and share one computation of the distances. `folds` is the fold of each point.
    """
    order = np.argsort(folds, kind="stable")
    search = _Search(points, order, points)
    among_all = np.empty((len(points), k), dtype=np.int64)
    in_others = np.empty_like(among_all)
    for fold in np.unique(folds):
        # The points are sorted by fold, so a fold is one slice of the columns of `near`. Setting
        # it to infinity takes the fold's own points out before the second pick.
        same_fold = np.flatnonzero(folds[order] == fold)
        for rows, near in search.blocks(order[same_fold]):
            among_all[rows] = search.pick(rows, near, k)
            near[:, same_fold[0] : same_fold[-1] + 1] = np.inf
            in_others[rows] = search.pick(rows, near, k)
    return among_all, in_others


class _Search:
    """The search of one set of points: fast distances in float32, and their error bound.

    The fast distances are |p|² - 2 q·p. The term |q|² is left out: it is the same for all points
    of a query, so it changes no comparison.
    """

    def __init__(self, points: Array, order: NDArray[np.int64], queries: Array) -> None:
        self.points, self.order, self.queries = points, order, queries
        # Moving the points' mean to the origin makes |p| and |q| small, and with them the
        # rounding error of |p|² - 2 q·p.
        self.centre = points.mean(axis=0, dtype=np.float64).astype(np.float32)
        near = self._centred(points, order)
        self.squares = np.einsum("ij,ij->i", near, near, dtype=np.float64).astype(np.float32)
        self.factors = near.T * np.float32(-2)
        self.longest = float(np.sqrt(self.squares.max()))

    def blocks(
        self, rows: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield the queries in blocks: their rows, and |p|² - 2 q·p to every point."""
        size = max(1, _BLOCK_ENTRIES // len(self.points))
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            near = self._centred(self.queries, part) @ self.factors
            near += self.squares
            yield part, near

    def pick(self, rows: NDArray[np.int64], near: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Return the `k` nearest points to the queries of `rows`; `near` has k finite columns."""
        # L + 2E of the module's docstring: no point beyond it can be among the k nearest.
        limits = _upper_bounds(near, k) + 2 * self._error(rows)
        places, columns = np.nonzero(near <= limits[:, None])
        # `places` ascends, so the candidates of each query are one slice of `columns`.
        ends = np.searchsorted(places, np.arange(1, len(rows) + 1)).tolist()
        picked = np.empty((len(rows), k), dtype=np.int64)
        start = 0
        for place, end in enumerate(ends):
            candidates = self.order[columns[start:end]]
            difference = self.points[candidates].astype(np.float64) - self.queries[rows[place]]
            distances = np.einsum("ij,ij->i", difference, difference)
            picked[place] = candidates[np.lexsort((candidates, distances))[:k]]
            start = end
        return picked

    def _centred(self, values: Array, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        centred: NDArray[np.float32] = np.subtract(values[rows], self.centre, dtype=np.float32)
        return centred

    def _error(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return a bound on the rounding error of each query's distances.

        A sum of n float32 products is off by at most about n * eps * |q| * |p| (Higham, Accuracy
        and Stability of Numerical Algorithms, section 3.1). The 8 covers the other roundings.
        """
        queries = self._centred(self.queries, rows)
        lengths: NDArray[np.float32] = np.sqrt(np.einsum("ij,ij->i", queries, queries))
        unit = float(np.finfo(np.float32).eps) * (queries.shape[1] + 8)
        return (lengths + self.longest) * np.float32(unit * self.longest)


def _upper_bounds(near: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Return a number for each row that at least `k` of its entries, but few more, do not exceed.

    This need not be the k-th smallest entry. Each row is cut into groups, and the k-th smallest
    of the groups' minima is returned: at least k entries (these minima) are at most that large.
    The minima are much faster to find than a partition of the whole row.
    """
    groups = near.shape[1] // _GROUP
    if groups >= 4 * k:
        near = near[:, : groups * _GROUP].reshape(len(near), groups, _GROUP).min(axis=2)
    return np.partition(near, k - 1, axis=1)[:, k - 1]
