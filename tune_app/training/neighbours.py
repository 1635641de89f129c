"""Nearest neighbours, exact, at the speed of a matrix product in single precision."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

_BLOCK_ENTRIES = 2**25  # distances at a time: 128 MB
_GROUP = 64


def nearest(points: Array, queries: Array, k: int) -> NDArray[np.int64]:
    """Return the rows of the `k` points nearest to each query, `(queries, k)`, nearest first.

    By Euclidean distance in double precision; equal distances in the order of the points. Both
    are `(N, features)`, bytes or float32, with at least `k` points.
    """
    search = _Search(points, np.arange(len(points)), queries)
    blocks = [search.pick(rows, near, k) for rows, near in search.blocks(np.arange(len(queries)))]
    return np.concatenate(blocks)


def nearest_by_fold(
    points: Array, folds: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the `k` nearest of all points to each, itself among them, and of other folds'.

    As `nearest` gives them, `(N, k)` each, from one computation of the distances. `folds` says
    to which fold each point belongs, `(N,)`.
    """
    order = np.argsort(folds, kind="stable")
    search = _Search(points, order, points)
    among_all = np.empty((len(points), k), dtype=np.int64)
    in_others = np.empty_like(among_all)
    for fold in np.unique(folds):
        own = np.flatnonzero(folds[order] == fold)  # a slice, as they are in order
        for rows, near in search.blocks(order[own]):
            among_all[rows] = search.pick(rows, near, k)
            near[:, own[0] : own[-1] + 1] = np.inf
            in_others[rows] = search.pick(rows, near, k)
    return among_all, in_others


class _Search:
    """Distances by |p|² - 2 q·p in float32, which a bound on their error makes exact.

    Whatever may be among the nearest after rounding is measured again in double precision.
    """

    def __init__(self, points: Array, order: NDArray[np.int64], queries: Array) -> None:
        self.points, self.order, self.queries = points, order, queries
        # Closer to the origin, where rounding is finer.
        self.centre = points.mean(axis=0, dtype=np.float64).astype(np.float32)
        near = self._centred(points, order)
        self.squares = np.einsum("ij,ij->i", near, near, dtype=np.float64).astype(np.float32)
        self.factors = near.T * np.float32(-2)
        self.longest = float(np.sqrt(self.squares.max()))

    def blocks(
        self, rows: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield some rows of the queries, with the squares of their distances but for |q|²."""
        size = max(1, _BLOCK_ENTRIES // len(self.points))
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            near = self._centred(self.queries, part) @ self.factors
            near += self.squares
            yield part, near

    def pick(self, rows: NDArray[np.int64], near: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Return the `k` nearest to the queries of `rows`, whose row of `near` is finite for k."""
        limits = _upper_bounds(near, k) + 2 * self._error(rows)
        of, columns = np.nonzero(near <= limits[:, None])
        ends = np.searchsorted(of, np.arange(1, len(rows) + 1)).tolist()
        picked = np.empty((len(rows), k), dtype=np.int64)
        start = 0
        for place, end in enumerate(ends):
            candidates = self.order[columns[start:end]]
            apart = self.points[candidates].astype(np.float64) - self.queries[rows[place]]
            distances = np.einsum("ij,ij->i", apart, apart)
            picked[place] = candidates[np.lexsort((candidates, distances))[:k]]
            start = end
        return picked

    def _centred(self, values: Array, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        centred: NDArray[np.float32] = np.subtract(values[rows], self.centre, dtype=np.float32)
        return centred

    def _error(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return how far a distance of each query may be off: that of a sum of n products."""
        queries = self._centred(self.queries, rows)
        lengths: NDArray[np.float32] = np.sqrt(np.einsum("ij,ij->i", queries, queries))
        unit = float(np.finfo(np.float32).eps) * (queries.shape[1] + 8)
        return (lengths + self.longest) * np.float32(unit * self.longest)


def _upper_bounds(near: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Return for each row a number that at least `k` of its entries do not exceed, and few do.

    The k-th smallest of the least entries of groups: much faster than a partition of the row.
    """
    groups = near.shape[1] // _GROUP
    if groups >= 4 * k:
        near = near[:, : groups * _GROUP].reshape(len(near), groups, _GROUP).min(axis=2)
    return np.partition(near, k - 1, axis=1)[:, k - 1]
