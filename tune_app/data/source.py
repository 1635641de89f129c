"""The interface of a data set, and the checks that the examples of every data set must pass."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tune_app.errors import DataError

Task = Literal["classification", "regression"]
Array = NDArray[Any]


@dataclass(frozen=True)
class Examples:
    """Inputs `(N, ...)`, uint8 or float32, with int64 labels `(N,)` or float32 targets `(N, 1)`."""

    x: Array
    y: Array


class Source(ABC):
    """A data set before it is split."""

    name: str
    task: Task = "classification"
    classes: tuple[str, ...] = ()  # none for regression
    input_shape: tuple[int, ...]
    has_test: bool = False  # if False, `training` returns all examples

    @abstractmethod
    def counts(self) -> tuple[int, ...]:
        """Return the number of training examples of each class; for regression, one number.

        May read labels, but never inputs.
        """

    @abstractmethod
    def training(self) -> Examples:
        """Read the training part, without opening any file of the test part."""

    def testing(self) -> Examples:
        """Read the test part. Only call this where `has_test` is true."""
        raise AssertionError(f"{self.name} has no test part")


def input_shape_of(where: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of one input in an array of this shape, as `checked_inputs` reshapes it.

    Raises:
        DataError: An array of this shape holds no inputs.
    """
    if len(shape) not in (2, 3, 4):
        raise DataError(
            f"{where} has the shape {shape}, expected (N, features), (N, H, W) or (N, C, H, W)"
        )
    if 0 in shape:
        raise DataError(f"{where} is empty: its shape is {shape}")
    if len(shape) == 4 and shape[1] > 4 >= shape[3]:
        raise DataError(
            f"{where} has the shape {shape}, which looks like (N, H, W, C); expected "
            "(N, C, H, W); convert it with transpose(0, 3, 1, 2)"
        )
    return (1, *shape[1:]) if len(shape) == 3 else shape[1:]


def checked_inputs(where: str, x: Array) -> Array:
    """Return `x` as uint8 or float32 `(N, features)` or `(N, C, H, W)`; `(N, H, W)` gets a C of 1.

    Raises:
        DataError: The shape or a value cannot be trained on; the text names `where` and the value.
    """
    if x.dtype.kind not in "buif":
        raise DataError(f"{where} holds {x.dtype}, expected numbers")
    x = x.reshape(len(x), *input_shape_of(where, x.shape))
    if x.dtype == np.uint8:
        return np.ascontiguousarray(x)
    _refuse_non_finite(where, x)
    return np.ascontiguousarray(x, dtype=np.float32)


def checked_targets(where: str, y: Array, count: int) -> Array:
    """Return whole numbers as int64 labels `(count,)`, others as float32 targets `(count, 1)`.

    Raises:
        DataError: `y` has a wrong type, shape or value; the text names `where`.
    """
    if y.dtype.kind not in "buif":
        raise DataError(
            f"{where} holds {y.dtype}; expected whole numbers for classes, decimal for regression"
        )
    if y.ndim != 1 and y.shape[1:] != (1,):
        raise DataError(f"{where} has the shape {y.shape}, expected (N,)")
    if len(y) != count:
        raise DataError(f"{where} holds {len(y)} values for {count} inputs")
    if y.dtype.kind == "f":
        _refuse_non_finite(where, y)
        return np.ascontiguousarray(y.reshape(-1, 1), dtype=np.float32)
    return np.ascontiguousarray(y.reshape(-1), dtype=np.int64)


def _refuse_non_finite(where: str, values: Array) -> None:
    bad = ~np.isfinite(values)
    if bad.any():
        first = np.unravel_index(int(bad.argmax()), bad.shape)
        place = ", ".join(str(int(index)) for index in first)
        more = f" ({int(bad.sum())} such values)" if bad.sum() > 1 else ""
        raise DataError(f"{where}[{place}] is {values[first]}{more}; expected finite numbers")


def check_labels(where: str, y: Array, classes: int) -> None:
    """Raise DataError if a label is outside 0 ... classes - 1, naming the first such label."""
    bad = (y < 0) | (y >= classes)
    if bad.any():
        first = int(bad.argmax())
        raise DataError(f"{where}[{first}] is {y[first]}; expected a class from 0 to {classes - 1}")


def count_classes(where: str, y: Array) -> tuple[int, ...]:
    """Return the number of examples of each class 0 ... K - 1 in the labels `y`.

    Raises:
        DataError: A negative label, a class without an example, or fewer than two classes.
    """
    if (y < 0).any():
        check_labels(where, y, int(y.max()) + 1)
    present, counts = np.unique(y, return_counts=True)
    if len(present) < 2:
        raise DataError(f"{where} has one class only ({present[0]}); at least two are needed")
    if len(present) <= present[-1]:
        absent = int(np.setdiff1d(np.arange(len(present)), present)[0])
        raise DataError(
            f"{where} holds labels up to {present[-1]} but none of class {absent}; "
            f"expected {len(present)} classes numbered from 0 to {len(present) - 1}"
        )
    return tuple(int(count) for count in counts)


def digest(examples: Examples) -> str:
    """Return the SHA-256 of the examples' values, types and shapes, in hexadecimal."""
    total = hashlib.sha256()
    for array in (examples.x, examples.y):
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()
