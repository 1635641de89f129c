"""The interface of a data set, and the checks that the examples of every data set must pass."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tune_app.config.data_summary import PassedOver
from tune_app.data.columns import refuse_lossy
from tune_app.errors import DataError

Task = Literal["classification", "regression"]
Array = NDArray[Any]


@dataclass(frozen=True)
class Examples:
    """Inputs `(N, ...)`, uint8 or float32, with int64 labels `(N,)` or float32 targets `(N, 1)`."""

    x: Array
    y: Array


@dataclass(frozen=True)
class Examination:
    """The result of checking all parts of a data set."""

    origins: Mapping[str, str]  # of train, validation and test, as far as they exist
    test_counts: tuple[int, ...] | None = None  # None: there is no test part, or it is not here
    kinds: Mapping[str, int] = field(default_factory=dict)  # of images: "8 x 8 colour" -> count
    passed_over: tuple[PassedOver, ...] = ()
    notes: tuple[str, ...] = ()


class Source(ABC):
    """A data set before it is split."""

    name: str
    task: Task = "classification"
    classes: tuple[str, ...] = ()  # none for regression
    input_shape: tuple[int, ...]
    has_test: bool = False  # if False, test examples are held out of `training`
    has_validation: bool = False  # if False, validation examples are held out of `training`

    @property
    def is_here(self) -> bool:
        """Whether the training part is on this machine, which a published set may not be."""
        return True

    @abstractmethod
    def counts(self) -> tuple[int, ...]:
        """Return the number of training examples of each class; for regression, one number.

        May read labels, but never inputs.
        """

    def validation_counts(self) -> tuple[int, ...]:
        """Return `counts` of the validation part. Only call this where `has_validation` is true."""
        raise AssertionError(f"{self.name} has no validation part")

    @abstractmethod
    def training(self) -> Examples:
        """Read the training part, without opening any file of the test part."""

    def validation(self) -> Examples:
        """Read the validation part. Only call this where `has_validation` is true."""
        raise AssertionError(f"{self.name} has no validation part")

    def testing(self) -> Examples:
        """Read the test part. Only call this where `has_test` is true."""
        raise AssertionError(f"{self.name} has no test part")

    def examine(self) -> Examination:
        """Check every part, so that faults are found before training.

        No value of the test part is returned, only how many examples of each class it has.

        Raises:
            DataError: A part cannot be used; the text says where and why.
        """
        if not self.has_test:
            return Examination({"train": self.name})
        test = self.testing()
        counts = np.bincount(test.y, minlength=len(self.classes))
        origins = {
            "train": f"the training part of {self.name}",
            "test": f"the test part of {self.name}",
        }
        return Examination(origins, tuple(counts.tolist()))


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
    refuse_lossy(where, x)
    return np.ascontiguousarray(x, dtype=np.float32)


def checked_targets(where: str, y: Array, count: int) -> Array:
    """Return whole numbers and texts unchanged, `(count,)`; others as float32 `(count, 1)`.

    Raises:
        DataError: `y` has a wrong type, shape or value; the text names `where`.
    """
    if y.dtype.kind not in "buifUS":
        raise DataError(
            f"{where} holds {y.dtype}; expected whole numbers or texts for classes, decimal "
            "numbers for a regression"
        )
    if y.ndim != 1 and y.shape[1:] != (1,):
        one_hot = y.ndim == 2 and y.dtype.kind in "buif" and bool(((y == 0) | (y == 1)).all())
        way_out = "; if these are one-hot labels, save y.argmax(1)" if one_hot else ""
        raise DataError(f"{where} has the shape {y.shape}, expected (N,){way_out}")
    if len(y) != count:
        raise DataError(f"{where} holds {len(y)} values for {count} inputs")
    if y.dtype.kind == "f":
        _refuse_non_finite(where, y)
        refuse_lossy(where, y.reshape(-1))
        return np.ascontiguousarray(y.reshape(-1, 1), dtype=np.float32)
    y = y.reshape(-1)
    return y if y.dtype.kind in "US" else np.ascontiguousarray(y, dtype=np.int64)


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


def digest(*parts: Examples) -> str:
    """Return the SHA-256 of the examples' values, types and shapes, in hexadecimal."""
    total = hashlib.sha256()
    for array in (array for part in parts for array in (part.x, part.y)):
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(
            np.ascontiguousarray(array).tobytes()
            if array.dtype.kind in "US"
            else np.ascontiguousarray(array).data
        )
    return total.hexdigest()
