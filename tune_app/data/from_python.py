"""Data that are given in Python: tensors, arrays or torch data sets, written as an .npz file.

So a sweep on them is recorded, resumed and evaluated as any other: its data set is `arrays`.
"""

import contextlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tune_app.data.source import Array, Examples, checked_inputs, checked_targets, digest
from tune_app.data.user_files import Arrays
from tune_app.errors import DataError, StorageError

FOLDER = ".data"  # in a storage: no sweep's name begins with a dot


def save_data(train: Any, folder: Path, test: Any = None) -> Path:
    """Return the .npz file of these examples in `folder`, written unless it is there.

    `train`, and `test` if there is one, are a pair of tensors or arrays, inputs and labels or
    targets, or a data set of torch: something with `len` whose items are such pairs, each an
    input and its label. Inputs are (features,), (H, W) or (C, H, W), all of one size; bytes stay
    bytes. Whole-numbered labels are classes from 0, decimal ones targets of a regression.

    Raises:
        DataError: They cannot be trained on; says where and why.
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
            source = Arrays(path)  # one class, a class without examples, a test unlike the rest
            if test is not None:
                source.testing()
        except DataError as error:
            path.unlink(missing_ok=True)
            raise DataError(str(error).replace(f"{path}: ", "data: ")) from None
    return path


def _examples(split: str, given: Any) -> Examples:
    x, y = _pair(split, given)
    inputs = checked_inputs(f"data: x_{split}", x)
    return Examples(inputs, checked_targets(f"data: y_{split}", y, len(inputs)))


def _pair(split: str, given: Any) -> tuple[Array, Array]:
    if isinstance(given, tuple | list) and len(given) == 2 and _is_array(given[0]):
        return _array(given[0]), _array(given[1])
    if not (hasattr(given, "__getitem__") or hasattr(given, "__iter__")):
        raise DataError(
            f"data: {split} is of type {type(given).__name__}, expected a pair of tensors or "
            "arrays, or a data set whose items are pairs"
        )
    inputs: list[Array] = []
    labels: list[Array] = []
    for place, item in enumerate(_items(given)):
        if not (isinstance(item, tuple | list) and len(item) == 2):
            raise DataError(f"data: {split}[{place}] is no pair of an input and its label")
        one, label = _array(item[0]), _array(item[1])
        if inputs and one.shape != inputs[0].shape:
            raise DataError(
                f"data: {split}[{place}] has the shape {one.shape}, the first {inputs[0].shape}; "
                "all must be of one size"
            )
        if labels and label.shape != labels[0].shape:
            raise DataError(
                f"data: the label of {split}[{place}] has the shape {label.shape}, the first "
                f"{labels[0].shape}"
            )
        inputs.append(one)
        labels.append(label)
    if not inputs:
        raise DataError(f"data: {split} is empty")
    return np.stack(inputs), np.stack(labels)


def _items(given: Any) -> Iterable[Any]:
    # A torch data set has no end of its own: its items are counted by its length.
    if hasattr(given, "__len__"):
        return (given[index] for index in range(len(given)))
    items: Iterable[Any] = given
    return items


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or hasattr(value, "detach")


def _array(value: Any) -> Array:
    """Return a tensor, an image or a number as an array."""
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _write(path: Path, arrays: dict[str, Array]) -> None:
    unfinished: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".new", delete=False) as file:
            unfinished = file.name
            np.savez(file, **arrays)  # type: ignore[arg-type]
        Path(unfinished).replace(path)
    except OSError as error:
        if unfinished is not None:
            with contextlib.suppress(OSError):
                Path(unfinished).unlink(missing_ok=True)
        raise StorageError(f"{path} cannot be written: {error}") from error
