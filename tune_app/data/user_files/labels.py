"""Turn the labels of a file (numbers or texts) into class numbers from 0, with names."""

from dataclasses import dataclass

import numpy as np

from tune_app.data.source import Array
from tune_app.errors import DataError

MOST_SURE_CLASSES = 20  # with more, labels that are nearly all different are no classes
VALUES_SHOWN = 10


@dataclass(frozen=True)
class ClassLabels:
    """The distinct labels of a training part; the place of a label is its class number."""

    values: Array  # sorted

    @classmethod
    def of(cls, where: str, y: Array) -> "ClassLabels":
        """Return the classes of the labels `y`, whole numbers or texts.

        Raises:
            DataError: There is one class only, an empty text, or too many classes for `y`.
        """
        if y.dtype.kind in "US" and (empty := np.flatnonzero(y == y.dtype.type())).size:
            raise DataError(f"{where}[{empty[0]}] is an empty text; every example needs a label")
        labels = cls(np.unique(y))
        count = len(labels.values)
        if count < 2:
            raise DataError(
                f"{where} has one class only ({labels.values[0]}); at least two are needed"
            )
        if labels.is_mapped and count > max(MOST_SURE_CLASSES, len(y) // 5):
            raise DataError(
                f"{where} holds {count:,} different labels for {len(y):,} examples, too many for "
                "classes; for a regression save the targets as decimal numbers, with "
                "y.astype(float)"
            )
        return labels

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(_text(value) for value in self.values)

    @property
    def is_mapped(self) -> bool:
        """Whether the labels are anything but the numbers from 0 to the last class."""
        is_text = self.values.dtype.kind in "US"
        return is_text or not np.array_equal(self.values, np.arange(len(self.values)))

    @property
    def note(self) -> str:
        """The note in a summary about labels that are mapped to class numbers."""
        names = self.names
        shown = ", ".join(names[:VALUES_SHOWN]) + (", ..." if len(names) > VALUES_SHOWN else "")
        return (
            f"the labels {shown} became the classes 0 to {len(names) - 1}, in this order; "
            "the names are kept"
        )

    def encode(self, where: str, y: Array) -> Array:
        """Return the class number of each label, int64.

        Raises:
            DataError: A label is not among these classes; the text names the first such label.
        """
        if (y.dtype.kind in "US") != (self.values.dtype.kind in "US"):
            kinds = ("texts", "numbers") if y.dtype.kind in "US" else ("numbers", "texts")
            raise DataError(f"{where} holds {kinds[0]}, but y_train holds {kinds[1]}")
        codes = np.searchsorted(self.values, y).clip(max=len(self.values) - 1)
        unknown = np.flatnonzero(self.values[codes] != y)
        if len(unknown):
            first = int(unknown[0])
            expected = f"a class from 0 to {len(self.values) - 1}"
            if self.is_mapped:
                names = self.names
                more = ", ..." if len(names) > VALUES_SHOWN else ""
                expected = f"one of the labels of y_train: {', '.join(names[:VALUES_SHOWN])}{more}"
            count = f" ({len(unknown)} such labels)" if len(unknown) > 1 else ""
            raise DataError(f"{where}[{first}] is {_text(y[first])}{count}; expected {expected}")
        return codes.astype(np.int64)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)
