"""The data set `arrays`: an .npz file with inputs and labels or targets."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tune_app.config.data_summary import PassedOver
from tune_app.data.columns import column_notes
from tune_app.data.source import (
    Array,
    Examination,
    Examples,
    Source,
    checked_inputs,
    checked_targets,
    input_shape_of,
)
from tune_app.data.user_files.labels import ClassLabels
from tune_app.errors import DataError

# The keys of the splits that may be there: x_ and y_ are put before them.
VALIDATION_KEYS = ("val", "valid", "validation")
FEW_VALUES = 50  # whole-numbered targets with fewer different values are probably classes


class Arrays(Source):
    """An .npz file with x_train and y_train and, optionally, x_val, y_val, x_test and y_test.

    Whole numbers and texts in y are classes; decimal numbers are targets of a regression.
    """

    name = "arrays"

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as file:
                keys = {name.removesuffix(".npy") for name in file.namelist()}
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} is not an .npz file: {error}") from error
        for key in ("x_train", "y_train"):
            if key not in keys:
                found = ", ".join(sorted(keys)) or "nothing"
                raise DataError(f"{path} has no {key}, only {found}")
        self._parts = {"train": "train", **_optional_parts(path, keys)}
        self.has_test, self.has_validation = "test" in self._parts, "validation" in self._parts
        self._unread = sorted(keys - {f"{c}_{key}" for c in "xy" for key in self._parts.values()})
        shape = self._shape("x_train")
        self.input_shape = input_shape_of(self._where("x_train"), shape)
        y = checked_targets(self._where("y_train"), self._load("y_train"), shape[0])
        self.task = "regression" if y.dtype == np.float32 else "classification"
        self._labels: ClassLabels | None = None
        if self.task == "classification":
            self._labels = ClassLabels.of(self._where("y_train"), y)
            self.classes = self._labels.names
        self._y = self._encoded("y_train", y)

    def counts(self) -> tuple[int, ...]:
        return self._counts(self._y)

    def validation_counts(self) -> tuple[int, ...]:
        return self._counts(self._targets("validation"))

    def _counts(self, y: Array) -> tuple[int, ...]:
        if self._labels is None:
            return (len(y),)
        return tuple(np.bincount(y, minlength=len(self.classes)).tolist())

    def training(self) -> Examples:
        return Examples(self._inputs("train"), self._y)

    def validation(self) -> Examples:
        return self._read("validation")

    def testing(self) -> Examples:
        return self._read("test")

    def examine(self) -> Examination:
        """Check the values of every part; see `Source.examine`."""
        notes = [*self._shape_notes(), *self._label_notes()]
        x = self._inputs("train")
        if x.ndim == 2:
            notes += column_notes("x_train", x)
        del x
        if self.has_validation:
            self.validation()
        test_counts = self._counts(self.testing().y) if self.has_test else None
        passed: tuple[PassedOver, ...] = ()
        if self._unread:
            passed = (PassedOver("arrays of other names", len(self._unread), tuple(self._unread)),)
        return Examination(
            origins={name: f"x_{key}" for name, key in self._parts.items()},
            test_counts=test_counts,
            passed_over=passed,
            notes=tuple(notes),
        )

    def whole_targets(self) -> str | None:
        """Return the first targets of a regression whose targets are probably classes, or None."""
        return whole_values(self._y) if self.task == "regression" else None

    def _shape_notes(self) -> list[str]:
        stored = self._shape("x_train")
        if len(stored) != 4 or stored[1] == 1:
            return []
        channels, height, width = stored[1:]
        odd_last = channels == height != width
        small_last = channels >= 8 and width < min(channels, height)
        if not (odd_last or small_last):
            return []
        return [
            f"x_train of the shape {stored} is read as {channels} channels of {height} x {width} "
            f"pixels; are these {channels} x {height} pixels with {width} channels? "
            "Then save x.transpose(0, 3, 1, 2)"
        ]

    def _label_notes(self) -> list[str]:
        if self._labels is not None:
            return [self._labels.note] if self._labels.is_mapped else []
        if (whole := self.whole_targets()) is None:
            return []
        return [
            f"y_train holds whole numbers stored as decimals ({whole}) and is read as a "
            "regression; if they are classes, save y.astype(int)"
        ]

    def _read(self, part: str) -> Examples:
        key = f"x_{self._parts[part]}"
        x, y = self._inputs(part), self._targets(part)
        if x.shape[1:] != self.input_shape:
            raise DataError(
                f"{self._where(key)} has inputs of the shape {x.shape[1:]}, but x_train of "
                f"{self.input_shape}; both must have one shape"
            )
        stored, wanted = self._header(key)[1], self._header("x_train")[1]
        if (stored == np.uint8) != (wanted == np.uint8):
            raise DataError(
                f"{self._where(key)} holds {stored}, but x_train {wanted}; bytes are scaled "
                "differently, so store both with one type"
            )
        return Examples(x, y)

    def _inputs(self, part: str) -> Array:
        key = f"x_{self._parts[part]}"
        return checked_inputs(self._where(key), self._load(key))

    def _targets(self, part: str) -> Array:
        """Return the targets of validation or test, as class numbers where there are classes."""
        key = f"y_{self._parts[part]}"
        count = self._shape(f"x_{self._parts[part]}")[0]
        y = checked_targets(self._where(key), self._load(key), count)
        if (y.dtype == np.float32) != (self.task == "regression"):
            kinds = "decimal numbers, but y_train holds whole numbers"
            if self.task == "regression":
                kinds = "whole numbers, but y_train holds decimal numbers"
            raise DataError(f"{self._where(key)} holds {kinds}")
        return self._encoded(key, y)

    def _encoded(self, key: str, y: Array) -> Array:
        return y if self._labels is None else self._labels.encode(self._where(key), y)

    def _where(self, key: str) -> str:
        return f"{self.path}: {key}"

    def _load(self, key: str) -> Array:
        try:
            with np.load(self.path, allow_pickle=False) as file:  # lazy: reads only this key
                array: Array = file[key]
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{self._where(key)} cannot be read: {error}") from error
        return array

    def _shape(self, key: str) -> tuple[int, ...]:
        return self._header(key)[0]

    def _header(self, key: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return an array's shape and type from its header, without reading its values."""
        try:
            with zipfile.ZipFile(self.path) as file, file.open(f"{key}.npy") as member:
                version = np.lib.format.read_magic(member)
                read_header = {
                    (1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0,
                }[version]
                shape, _, dtype = read_header(member)
        except (KeyError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f"{self._where(key)} cannot be read: {error}") from error
        return shape, dtype


def _optional_parts(path: Path, keys: set[str]) -> dict[str, str]:
    """Return the keys of the validation and test part that a file with these `keys` has."""
    parts = {}
    for name, endings in (("validation", VALIDATION_KEYS), ("test", ("test",))):
        there = [key for key in endings if {f"x_{key}", f"y_{key}"} & keys]
        for key in there:
            if not {f"x_{key}", f"y_{key}"} <= keys:
                raise DataError(
                    f"{path} has only one of x_{key} and y_{key}; expected both or none"
                )
        if len(there) > 1:
            raise DataError(f"{path} has x_{there[0]} and x_{there[1]}; expected one of them")
        if there:
            parts[name] = there[0]
    return parts


def whole_values(y: Array) -> str | None:
    """Return the first values of targets that are probably classes, or None.

    >>> whole_values(np.array([[2.0], [0.0], [1.0], [0.0]]))
    '0.0, 1.0, 2.0'
    """
    values = np.unique(y)
    if len(values) >= min(FEW_VALUES, len(y)) or not (values == np.rint(values)).all():
        return None
    return ", ".join(str(float(value)) for value in values[:3]) + (
        ", ..." if len(values) > 3 else ""
    )
