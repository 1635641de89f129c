"""Check columns (or channels) of numbers: values that 32 bits would change, and useless columns.

Networks compute with 32-bit numbers. A column such as a time in seconds since 1970 has larger
steps between two such numbers than between its own values, so it would silently become a few
values. All checks are made on the numbers as they were stored.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tune_app.errors import DataError

Array = NDArray[Any]
LARGEST = 1e37  # a factor below the largest 32-bit number, so that scaling cannot overflow
SMALLEST_SPREAD = 1e-30  # of a column that varies; its reciprocal must stay a 32-bit number
LOST_SHARE = 0.01  # of a column's deviation, as the root mean square of the rounding errors
COLUMNS_NAMED = 10
EXACT_TYPES = frozenset({"bool", "int8", "uint8", "int16", "uint16", "float16"})  # in 32 bits


def refuse_lossy(where: str, x: Array) -> None:
    """Raise DataError if 32-bit numbers cannot hold the columns of `x`, naming each such column.

    `x` is `(N,)`, `(N, columns)` or `(N, channels, ...)` with finite numbers.
    """
    if x.dtype.name in EXACT_TYPES:
        return
    problems = [
        text
        for place, column in _columns(x)
        if (text := _problem(f"{where}{place}", column)) is not None
    ]
    if problems:
        more = [f"and {len(problems) - COLUMNS_NAMED} more columns"]
        shown = [*problems[:COLUMNS_NAMED], *(more if len(problems) > COLUMNS_NAMED else [])]
        raise DataError(
            "; ".join(shown) + "; subtract the mean and divide by the deviation of such a column, "
            "in 64 bits, before you save it"
        )


def _columns(x: Array) -> Iterator[tuple[str, Array]]:
    if x.ndim == 1:
        yield "", x
    else:
        rest = ", ..." if x.ndim > 2 else ""
        for number in range(x.shape[1]):
            yield f"[:, {number}{rest}]", x[:, number].ravel()


def _problem(where: str, column: Array) -> str | None:
    exact = column.astype(np.float64)
    largest = float(np.abs(exact).max())
    if largest > LARGEST:
        return f"{where} reaches {largest:.3g}, beyond the {LARGEST:.0e} that 32-bit numbers allow"
    spread = float(exact.std())
    if spread == 0:
        return None
    if spread < SMALLEST_SPREAD:
        return f"{where} varies by {spread:.3g} only, too little for 32-bit numbers"
    if column.dtype == np.float32:
        return None
    narrow = column.astype(np.float32)
    if float(np.sqrt(np.mean((exact - narrow) ** 2))) <= LOST_SHARE * spread:
        return None
    before, after = len(np.unique(exact)), len(np.unique(narrow))
    return f"{where} has {before:,} different values, of which 32-bit numbers keep {after:,}"


def column_notes(where: str, x: Array) -> tuple[str, ...]:
    """Return notes on constant and equal columns in `x`, `(N, columns)`."""
    constant = np.flatnonzero((x == x[0]).all(axis=0))
    notes = []
    if len(constant):
        notes.append(f"{where}: {_listed(constant.tolist())} {_one_value(len(constant))}")
    varied = [number for number in range(x.shape[1]) if number not in set(constant.tolist())]
    notes += [
        f"{where}: {_listed(group)} are equal to each other"
        for group in _equal_columns(x, varied)[:COLUMNS_NAMED]
    ]
    return tuple(notes)


def _one_value(count: int) -> str:
    return "has one value only" if count == 1 else "have one value each"


def _equal_columns(x: Array, numbers: Sequence[int]) -> list[list[int]]:
    groups: dict[int, list[list[int]]] = {}
    for number in numbers:
        alike = groups.setdefault(hash(x[:, number].tobytes()), [])
        for group in alike:
            if np.array_equal(x[:, group[0]], x[:, number]):
                group.append(number)
                break
        else:
            alike.append([number])
    return [group for alike in groups.values() for group in alike if len(group) > 1]


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:COLUMNS_NAMED]))
    if len(numbers) == 1:
        return f"column {shown}"
    more = ", ..." if len(numbers) > COLUMNS_NAMED else ""
    return f"{len(numbers)} columns ({shown}{more})"
