"""Decide which examples train, validate and test: seeded, with the same share of each class.

Counts come first, rows second. `plan_split` decides how many examples of each class go where and
needs only the class counts, so a command can report sizes before a data set is downloaded.
`divide` then draws that many rows of each class. Every draw has its own seed, so that the test
split never moves, and the validation split moves only with the seed of the data set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tune_app.config.parsing.similar_names import proposal
from tune_app.config.sections import DatasetConfig
from tune_app.data.source import Array
from tune_app.errors import SpaceError

# A held-out test split belongs to the data set, so no seed of a sweep may move it.
TEST_SEED = 0


@dataclass(frozen=True)
class SplitPlan:
    """The number of examples of each class in each part."""

    chosen: tuple[int, ...]  # the classes that are kept, in their new order
    held_out: tuple[int, ...]  # test examples of every class; zeros where a test split exists
    # Of the chosen classes, like the next two; taken from the training part, or the data set's own.
    validation: tuple[int, ...]
    unused: tuple[int, ...]  # left out because of `train_size`
    train: tuple[int, ...]


def plan_split(
    config: DatasetConfig,
    classes: Sequence[str],
    counts: Sequence[int],
    *,
    has_test: bool,
    validation_counts: Sequence[int] | None = None,
) -> SplitPlan:
    """Return how a training part with `counts` examples of each class is divided.

    Where the data set has no test split, the test share is held out first. Then classes that were
    not chosen are dropped, the validation share is taken, and `train_size` keeps some of the
    rest. In this order the validation set is the same for every `train_size`. If the data set comes
    with a validation split, with `validation_counts` examples, none are held out for it.

    Raises:
        SpaceError: An option asks for more examples than exist, or for none.
    """
    everything = tuple(counts)
    held_out = (0,) * len(everything)
    if not has_test:
        held_out = allocate(everything, _count("test", config.test, everything))
    chosen = choose_classes(config, classes) if classes else (0,)
    kept = tuple(everything[index] - held_out[index] for index in chosen)
    if validation_counts is None:
        validation = allocate(kept, _count("validation", config.validation, kept))
        rest = _minus(kept, validation)
    else:
        validation = tuple(validation_counts[index] for index in chosen)
        if not sum(validation):
            raise SpaceError(
                "dataset.classes: the validation split has no example of these classes"
            )
        rest = kept
    unused = (0,) * len(rest)
    if config.train_size is not None:
        if not len(rest) <= config.train_size <= sum(rest):
            raise SpaceError(
                f"dataset.train_size must be from {len(rest)} (one per class) to {sum(rest)} "
                f"(all examples outside validation), got {config.train_size}"
            )
        unused = allocate(rest, sum(rest) - config.train_size)
    return SplitPlan(chosen, held_out, validation, unused, _minus(rest, unused))


def choose_classes(config: DatasetConfig, classes: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of the classes that `config` keeps, in the order of `config`.

    Raises:
        SpaceError: A class is unknown or listed twice, or there are fewer than two.
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
    known = ", ".join(classes[:20]) + (", ..." if len(classes) > 20 else "")
    raise SpaceError(
        f"dataset.classes: no class '{wanted}' among {known}{proposal(wanted, classes)}"
    )


def _count(option: str, value: float, counts: Sequence[int]) -> int:
    """Convert a share or a count of examples to a count, which leaves one example per class."""
    available = sum(counts)
    count = round(value * available) if value < 1 else int(value)
    most = available - len(counts)
    if most < 1:
        raise SpaceError(
            f"dataset.{option}: too few examples: {available} of {len(counts)} classes, of which "
            f"one of each class stays for training, so none is left for {option}; add examples"
        )
    if not 1 <= count <= most:
        raise SpaceError(
            f"dataset.{option}: {value:g} is {count} of {available} examples; expected from 1 to "
            f"{most}, because one example of each class stays for training"
        )
    return count


def allocate(counts: Sequence[int], total: int) -> tuple[int, ...]:
    """Return how many examples of each class to take so that they sum to `total`, in proportion.

    At least one example of each class is left. Ties go to the first class.

    >>> allocate([60, 30, 1], 9)
    (6, 3, 0)
    """
    # The largest-remainder method: every class gets its exact share rounded down, and the rest of
    # `total` goes one by one to the class that is furthest below its exact share.
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
    """Return the rows that stay and the rows that are taken, both in ascending order.

    `per_class[c]` rows of class c are taken, drawn without replacement. `labels` are 0 ... K - 1.
    """
    generator = np.random.default_rng(seed)
    is_taken = np.zeros(len(labels), dtype=bool)
    for label, count in enumerate(per_class):
        rows = generator.permutation(np.flatnonzero(labels == label))
        is_taken[rows[:count]] = True
    return np.flatnonzero(~is_taken), np.flatnonzero(is_taken)


def _minus(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    return tuple(a - b for a, b in zip(left, right, strict=True))
