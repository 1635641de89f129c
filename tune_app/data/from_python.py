"""Save data that a Python caller passes (tensors, arrays or torch data sets) as an .npz file.

A sweep on such data uses the data set `arrays` with this file, so that it is recorded, resumed and
evaluated like any other sweep.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tune_app.atomic_file import replacing
from tune_app.data.source import Array, Examples, checked_inputs, checked_targets, digest
from tune_app.data.user_files.arrays import Arrays
from tune_app.errors import DataError

FOLDER = ".data"  # in a storage; cannot clash with a sweep, whose name never begins with a dot


def save_data(train: Any, folder: Path, test: Any = None) -> Path:
    """Return the .npz file of these examples in `folder`; write it if it does not exist.

    `train` and `test` are each a pair of tensors or arrays (inputs, and labels or targets), or a
    torch data set: an object with `len` whose items are pairs of an input and its label. Inputs
    are (features,), (H, W) or (C, H, W), all of one size; bytes stay bytes. Whole-numbered labels
    are classes from 0; decimal labels are targets of a regression.

    Raises:
        DataError: The examples cannot be trained on; the text says where and why.
        StorageError: The file cannot be written.
    """
    parts = {"train": _examples("train", train)}
    if test is not None:
        parts["test"] = _examples("test", test)
    name = "-".join(digest(part)[:16] for part in parts.values())
    path = folder.absolute() / f"{name}.npz"
    if not path.exists():
        arrays = {}
        for split, part in parts.items():
            arrays[f"x_{split}"] = part.x
            arrays[f"y_{split}"] = part.y[:, 0] if part.y.ndim == 2 else part.y
        _write(path, arrays)
        try:
            # Reading the file runs the checks that need all labels or both splits.
            source = Arrays(path)
            if test is not None:
                source.testing()
        except DataError as error:
            path.unlink(missing_ok=True)
            raise DataError(str(error).replace(f"{path}: ", "data: ")) from None
    return path


def _examples(split: str, data: Any) -> Examples:
    x, y = _pair(split, data)
    inputs = checked_inputs(f"data: x_{split}", x)
    return Examples(inputs, checked_targets(f"data: y_{split}", y, len(inputs)))


def _pair(split: str, data: Any) -> tuple[Array, Array]:
    if isinstance(data, tuple | list) and len(data) == 2 and _is_array(data[0]):
        return _array(data[0]), _array(data[1])
    if not (hasattr(data, "__getitem__") or hasattr(data, "__iter__")):
        raise DataError(
            f"data: {split} is of type {type(data).__name__}; expected a pair of tensors or "
            "arrays, or a data set whose items are pairs"
        )
    inputs: list[Array] = []
    labels: list[Array] = []
    for place, item in enumerate(_items(data)):
        if not (isinstance(item, tuple | list) and len(item) == 2):
            raise DataError(f"data: {split}[{place}] is not a pair of an input and its label")
        one, label = _array(item[0]), _array(item[1])
        if inputs and one.shape != inputs[0].shape:
            raise DataError(
                f"data: {split}[{place}] has the shape {one.shape}, but {split}[0] has "
                f"{inputs[0].shape}; all inputs must have one shape"
            )
        if labels and label.shape != labels[0].shape:
            raise DataError(
                f"data: the label of {split}[{place}] has the shape {label.shape}, but that of "
                f"{split}[0] has {labels[0].shape}; all labels must have one shape"
            )
        inputs.append(one)
        labels.append(label)
    if not inputs:
        raise DataError(f"data: {split} is empty; give at least one example")
    return np.stack(inputs), np.stack(labels)


def _items(data: Any) -> Iterable[Any]:
    # Iterating over a torch data set need not end, so its items are taken by index.
    if hasattr(data, "__len__"):
        return (data[index] for index in range(len(data)))
    items: Iterable[Any] = data
    return items


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or hasattr(value, "detach")


def _array(value: Any) -> Array:
    """Return a tensor, an image or a number as an array."""
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _write(path: Path, arrays: dict[str, Array]) -> None:
    with replacing(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
