"""Load a data set by name, keeping its test split away from the search.

A search gets training and validation examples only; the final stage asks for the test split with
its own functions, so that no search can read it by accident.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tune_app.config.sections import DatasetConfig
from tune_app.data.public import DIGIT_NAMES, FASHION_NAMES, Cifar10, Digits, FormulaSource, Mnist
from tune_app.data.source import Array, Examples, Source, Task, digest
from tune_app.data.splits import TEST_SEED, SplitPlan, divide, plan_split
from tune_app.data.user_files.arrays import Arrays
from tune_app.data.user_files.image_files import ImageShape
from tune_app.data.user_files.image_folders import Folders
from tune_app.data.user_files.user_paths import find_path
from tune_app.errors import SpaceError


@dataclass(frozen=True)
class DataShape:
    """The sizes of a data set, enough to plan networks and epochs without loading it."""

    task: Task
    input_shape: tuple[int, ...]
    outputs: int  # classes, or 1 for regression
    train_count: int
    validation_count: int


@dataclass(frozen=True)
class SearchData:
    """The training and validation examples of a sweep: plain arrays, cheap to share.

    In the final stage (see `load_final_data`) there are test examples and no validation examples.

    Images are uint8 `(N, C, H, W)`; other inputs are float32 `(N, features)`. Labels are int64
    `(N,)`, regression targets float32 `(N, 1)`. `mean` and `std` describe each channel (or
    feature) of `x_train`; for images they are on the scale where a byte of 255 is 1.
    """

    name: str
    task: Task
    x_train: Array
    y_train: Array
    x_val: Array
    y_val: Array
    classes: tuple[str, ...]  # empty for regression
    mean: tuple[float, ...]
    std: tuple[float, ...]  # 1 where all values are equal
    digest: str  # SHA-256 of the examples before they were split
    x_test: Array | None = None  # in the final stage only
    y_test: Array | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.x_train.shape[1:]

    @property
    def outputs(self) -> int:
        return len(self.classes) or 1


def data_shape(config: DatasetConfig, root: Path) -> DataShape:
    """Return the sizes of what `load_search_data` returns, without reading the inputs.

    A published data set does not have to be downloaded yet.
    """
    source = open_source(config, root)
    plan = plan_of(config, source, source.counts())
    outputs = len(plan.chosen) if source.classes else 1
    return DataShape(
        source.task, source.input_shape, outputs, sum(plan.train), sum(plan.validation)
    )


def load_search_data(config: DatasetConfig, root: Path) -> SearchData:
    """Return the training and validation examples. The test split is not opened.

    If the data set has no test split, a fixed share of its examples is used as one; these examples
    are left out here.

    Raises:
        DataMissingError: The data set was not found.
        DataError: The data set cannot be trained on.
        SpaceError: `config` does not fit the data set.
    """
    source = open_source(config, root)
    read = [source.training()]
    strata = _strata(source, read[0])
    plan = plan_of(config, source, np.bincount(strata, minlength=len(source.classes) or 1).tolist())
    rows, _ = divide(strata, plan.held_out, (TEST_SEED,))
    x, y = _keep_classes(source, plan, read[0].x[rows], read[0].y[rows])
    # Each further division draws from a stream of its own (1, 2, 3), so that a change of
    # `train_size` or `random_labels` moves no example into or out of the validation set.
    strata = y if source.classes else np.zeros(len(y), dtype=np.int64)
    if source.has_validation:
        rest = np.arange(len(y))
        read.append(source.validation())
        x_val, y_val = _keep_classes(source, plan, read[1].x, read[1].y)
    else:
        rest, validation = divide(strata, plan.validation, (config.seed, 1))
        x_val, y_val = x[validation], y[validation]
    kept, _ = divide(strata[rest], plan.unused, (config.seed, 2))
    x_train, y_train = x[rest[kept]], y[rest[kept]]
    if config.random_labels:
        # A shuffle keeps the number of examples per class, so the split stays stratified.
        y_train = np.random.default_rng((config.seed, 3, 0)).permutation(y_train)
        y_val = np.random.default_rng((config.seed, 3, 1)).permutation(y_val)
    mean, std = channel_moments(x_train)
    return SearchData(
        name=config.name,
        task=source.task,
        x_train=x_train,
        y_train=y_train,
        x_val=x_val,
        y_val=y_val,
        classes=tuple(source.classes[index] for index in plan.chosen) if source.classes else (),
        mean=mean,
        std=std,
        digest=digest(*read),
    )


def load_final_data(config: DatasetConfig, root: Path) -> SearchData:
    """Return the training and validation examples joined into one set, and the test examples.

    `mean` and `std` stay those of the search, because the configurations were chosen with them.
    Raises the errors of `load_search_data`.
    """
    data = load_search_data(config, root)
    x_test, y_test = load_test_data(config, root)
    return replace(
        data,
        x_train=np.concatenate([data.x_train, data.x_val]),
        y_train=np.concatenate([data.y_train, data.y_val]),
        x_val=data.x_val[:0],
        y_val=data.y_val[:0],
        x_test=x_test,
        y_test=y_test,
    )


def load_test_data(config: DatasetConfig, root: Path) -> tuple[Array, Array]:
    """Return the test inputs and their labels or targets, in the form that `SearchData` has.

    `random_labels` does not change them. Raises the errors of `load_search_data`.
    """
    source = open_source(config, root)
    if source.has_test:
        plan = plan_of(config, source, source.counts())
        test = source.testing()
        return _keep_classes(source, plan, test.x, test.y)
    read = source.training()
    plan = plan_of(config, source, source.counts())
    _, rows = divide(_strata(source, read), plan.held_out, (TEST_SEED,))
    return _keep_classes(source, plan, read.x[rows], read.y[rows])


def channel_moments(x: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation of each channel, with bytes scaled to 0 to 1.

    >>> channel_moments(np.array([[[[0, 255]]]], dtype=np.uint8))
    ((0.5,), (0.5,))
    """
    axes = (0, *range(2, x.ndim))
    if x.dtype == np.uint8:
        # By histogram: exact, and without a copy of the pixels in floating point.
        levels = np.arange(256) / 255
        channels = np.moveaxis(x, 1, 0)
        counts = np.array([_histogram(images) for images in channels])
        shares = counts / counts.sum(axis=1, keepdims=True)
        mean = shares @ levels
        std = np.sqrt((shares * (levels - mean[:, None]) ** 2).sum(axis=1))
    else:
        mean, std = x.mean(axes, dtype=np.float64), x.std(axes, dtype=np.float64)
    std = np.where(std == 0, 1, std)
    return tuple(mean.tolist()), tuple(std.tolist())


def _histogram(images: Array) -> Array:
    total = np.zeros(256, dtype=np.int64)
    for start in range(0, len(images), 1024):  # in parts: bincount copies each byte to 8 bytes
        total += np.bincount(images[start : start + 1024].ravel(), minlength=256)
    return total


def open_source(config: DatasetConfig, root: Path) -> Source:
    """Return the data set that `config` names, before it is split."""
    match config.name:
        case "digits":
            return Digits()
        case "mnist":
            counts = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
            return Mnist("mnist", root.absolute() / "MNIST" / "raw", DIGIT_NAMES, counts)
        case "fashion_mnist":
            folder = root.absolute() / "FashionMNIST" / "raw"
            return Mnist("fashion_mnist", folder, FASHION_NAMES, (6000,) * 10)
        case "cifar10":
            return Cifar10(root.absolute() / "cifar-10-batches-py")
        case "images":
            crop = (config.crop, config.crop) if isinstance(config.crop, int) else config.crop
            shape = ImageShape(config.resize, crop, config.channels)
            path = find_path(config.name, config.path, root)
            return Folders(path, layout=config.layout, shape=shape)
        case "arrays":
            return Arrays(find_path(config.name, config.path, root))
        case "sinc" | "sin":
            return FormulaSource(config.name)


def plan_of(
    config: DatasetConfig, source: Source, counts: tuple[int, ...] | list[int]
) -> SplitPlan:
    """Return how the examples of `source` are divided, with `counts` in its training part."""
    if config.classes is not None and not source.classes:
        raise SpaceError(
            f"dataset.classes: {source.name} is a regression and has no classes; remove it"
        )
    return plan_split(
        config,
        source.classes,
        counts,
        has_test=source.has_test,
        validation_counts=source.validation_counts() if source.has_validation else None,
    )


def _strata(source: Source, examples: Examples) -> Array:
    return examples.y if source.classes else np.zeros(len(examples.y), dtype=np.int64)


def _keep_classes(source: Source, plan: SplitPlan, x: Array, y: Array) -> tuple[Array, Array]:
    """Return the examples of the chosen classes, renumbered from 0."""
    if not source.classes or plan.chosen == tuple(range(len(source.classes))):
        return x, y
    new_number = np.full(len(source.classes), -1, dtype=np.int64)
    new_number[list(plan.chosen)] = np.arange(len(plan.chosen))
    rows = np.flatnonzero(new_number[y] >= 0)
    return x[rows], new_number[y[rows]]
