"""Which examples train, validate and test: seeded, the same share of each class."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tune_app.config.sections import DatasetConfig
from tune_app.data.source import Array
from tune_app.errors import SpaceError

# A held-out test split is the data set's own, so no seed of a sweep may move it.
TEST_SEED = 0


@dataclass(frozen=True)
class SplitPlan:
    """How many examples of each class go where."""

    chosen: tuple[int, ...]  # the classes that are kept, in their new order
    held_out: tuple[int, ...]  # for the test, of every class there is; zeros with a test split
    validation: tuple[int, ...]  # of the chosen classes, as the next two
    unused: tuple[int, ...]  # left out, for `train_size`
    train: tuple[int, ...]


def plan_split(
    config: DatasetConfig, classes: Sequence[str], counts: Sequence[int], *, has_test: bool
) -> SplitPlan:
    """Return how a training part with `counts` examples of each class is divided.

    First the test share is held out, where there is no test split; then other classes are
    dropped, validation is taken, and `train_size` keeps some of the rest. So the validation set
    is the same for every `train_size`.

    Raises:
        SpaceError: An option asks for more than there is, or for nothing.
    """
    everything = tuple(counts)
    held_out = (0,) * len(everything)
    if not has_test:
        held_out = allocate(everything, _count("test", config.test, everything))
    chosen = choose_classes(config, classes) if classes else (0,)
    kept = tuple(everything[index] - held_out[index] for index in chosen)
    validation = allocate(kept, _count("validation", config.validation, kept))
    rest = _minus(kept, validation)
    unused = (0,) * len(rest)
    if config.train_size is not None:
        if not len(rest) <= config.train_size <= sum(rest):
            raise SpaceError(
                f"dataset.train_size must be from {len(rest)} (one of each class) to "
                f"{sum(rest)} (what validation leaves), got {config.train_size}"
            )
        unused = allocate(rest, sum(rest) - config.train_size)
    return SplitPlan(chosen, held_out, validation, unused, _minus(rest, unused))


def choose_classes(config: DatasetConfig, classes: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of the classes that `config` keeps, in the order it names them.

    Raises:
        SpaceError: An unknown class, one named twice, or fewer than two.
    """
    if config.classes is None:
        return tuple(range(len(classes)))
    chosen = [_class_number(wanted, classes) for wanted in config.classes]
    if len(set(chosen)) < max(len(chosen), 2):
        raise SpaceError(
            f"dataset.classes must name two or more different classes, got {list(config.classes)}"
        )
    return tuple(chosen)


def _class_number(wanted: int | str, classes: Sequence[str]) -> int:
    # Names come first: the classes of a folder may be called "3" and "8".
    if str(wanted) in classes:
        return classes.index(str(wanted))
    if isinstance(wanted, int) and 0 <= wanted < len(classes):
        return wanted
    close = difflib.get_close_matches(str(wanted), classes, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    known = ", ".join(classes[:20]) + (", ..." if len(classes) > 20 else "")
    raise SpaceError(f"dataset.classes: no class '{wanted}' among {known}{hint}")


def _count(option: str, value: float, counts: Sequence[int]) -> int:
    """Return a share or a count of examples as a count, leaving one of each class."""
    available = sum(counts)
    count = round(value * available) if value < 1 else int(value)
    most = available - len(counts)
    if not 1 <= count <= most:
        raise SpaceError(
            f"dataset.{option}: {value:g} makes {count} of {available} examples, "
            f"expected from 1 to {most} (one of each class stays for training)"
        )
    return count


def allocate(counts: Sequence[int], total: int) -> tuple[int, ...]:
    """Return how many of each class make up `total`, in proportion, by largest remainder.

    One of each class stays behind. Ties go to the first class.

    >>> allocate([60, 30, 1], 9)
    (6, 3, 0)
    """
    room = [count - 1 for count in counts]
    exact = [total * count / sum(counts) for count in counts]
    taken = [min(int(share), most) for share, most in zip(exact, room, strict=True)]
    while sum(taken) < total:
        open_classes = [index for index in range(len(taken)) if taken[index] < room[index]]
        taken[max(open_classes, key=lambda index: exact[index] - taken[index])] += 1
    return tuple(taken)


def divide(
    labels: Array, per_class: Sequence[int], seed: Sequence[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows that stay and the `per_class` rows that are taken, each in rising order.

    `labels` are 0 ... K - 1; the rows of a class are drawn without replacement.
    """
    generator = np.random.default_rng(seed)
    is_taken = np.zeros(len(labels), dtype=bool)
    for label, count in enumerate(per_class):
        rows = generator.permutation(np.flatnonzero(labels == label))
        is_taken[rows[:count]] = True
    return np.flatnonzero(~is_taken), np.flatnonzero(is_taken)


def _minus(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    return tuple(a - b for a, b in zip(left, right, strict=True))
