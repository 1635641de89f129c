"""The summary of a data set: what was read, what was skipped, and what may be a mistake.

Separate from `tune_app.data`, because the record, the pages and the report show a summary without
importing the data sets.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

NAMES_SHOWN = 3  # of the files that were passed over for one reason
CLASSES_SHOWN = 12  # more classes are summarised by their smallest and largest count
_SINGULAR = re.compile(r"\b(image|file|array)s\b")


@dataclass(frozen=True)
class SplitSummary:
    """The examples of one split, and where they come from."""

    name: str  # train, validation or test
    origin: str  # "train/", "x_val"; of a split that was held out, the origin of the training split
    counts: tuple[int, ...]  # examples of each class; one number for a regression
    held_out: bool = False  # taken from the training split

    @property
    def total(self) -> int:
        return sum(self.counts)

    @property
    def where(self) -> str:
        return f"{'held out of' if self.held_out else 'from'} {self.origin}"


@dataclass(frozen=True)
class PassedOver:
    """Files or arrays that were found but not read, for one reason."""

    what: str  # in the plural: "hidden files"
    count: int
    names: tuple[str, ...] = ()  # a few of them

    def __str__(self) -> str:
        shown = ", ".join(self.names[:NAMES_SHOWN])
        more = ", ..." if self.count > len(self.names[:NAMES_SHOWN]) else ""
        what = self.what if self.count != 1 else _SINGULAR.sub(r"\1", self.what, count=1)
        return f"{self.count:,} {what}" + (f" ({shown}{more})" if shown else "")


@dataclass(frozen=True)
class DataSummary:
    """The description of the data that `check`, `run`, the report and the pages show."""

    task: str  # classification or regression
    input_shape: tuple[int, ...]
    classes: tuple[str, ...]  # none of a regression
    splits: tuple[SplitSummary, ...]
    kinds: Mapping[str, int] = field(default_factory=dict)  # "8 x 8 colour" -> images
    passed_over: tuple[PassedOver, ...] = ()
    notes: tuple[str, ...] = ()  # what was changed while reading, or may be a mistake
    warnings: tuple[str, ...] = ()  # what makes the results misleading

    def holds_out(self, name: str) -> bool:
        """Tell whether a split was held out of the training split; others come with the data."""
        return any(split.name == name and split.held_out for split in self.splits)

    def lines(self) -> list[str]:
        """Return the summary as lines of text, the splits first."""
        width = max(len(split.name) for split in self.splits)
        lines = [
            f"{split.name:<{width}}  {split.total:,} examples {split.where}"
            f"{_of_classes(self.classes, split.counts)}"
            for split in self.splits
        ]
        if self.kinds:
            listed = [f"{count:,} of {kind}" for kind, count in self.kinds.items()]
            lines.append(f"images: {', '.join(listed)}")
        return [*lines, *self.remarks()]

    def remarks(self) -> list[str]:
        """Return lines on what was not read, what was changed, and what may be a mistake."""
        lines = [f"not read: {one}" for one in self.passed_over]
        lines += [f"note: {note}" for note in self.notes]
        return [*lines, *(f"warning: {warning}" for warning in self.warnings)]

    def to_json(self) -> dict[str, Any]:
        """Return the summary as plain data; if there are classes, counts are by class."""
        splits = {
            split.name: {
                "from": split.origin,
                "held_out": split.held_out,
                "examples": split.total,
                "per_class": dict(zip(self.classes, split.counts, strict=True))
                if self.classes
                else None,
            }
            for split in self.splits
        }
        return {
            "task": self.task,
            "input_shape": list(self.input_shape),
            "classes": list(self.classes),
            "splits": splits,
            "kinds": dict(self.kinds),
            "passed_over": [{**asdict(one), "names": list(one.names)} for one in self.passed_over],
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the summary that `to_json` wrote."""
        splits = tuple(
            SplitSummary(
                name,
                split["from"],
                tuple((split["per_class"] or {"": split["examples"]}).values()),
                split["held_out"],
            )
            for name, split in values["splits"].items()
        )
        passed = tuple(
            PassedOver(one["what"], one["count"], tuple(one["names"]))
            for one in values["passed_over"]
        )
        return cls(
            task=values["task"],
            input_shape=tuple(values["input_shape"]),
            classes=tuple(values["classes"]),
            splits=splits,
            kinds=dict(values["kinds"]),
            passed_over=passed,
            notes=tuple(values["notes"]),
            warnings=tuple(values["warnings"]),
        )


def _of_classes(classes: Sequence[str], counts: Sequence[int]) -> str:
    if not classes:
        return ""
    if len(classes) > CLASSES_SHOWN:
        return f": {len(classes)} classes with {min(counts):,} to {max(counts):,} each"
    listed = [f"{name} {count:,}" for name, count in zip(classes, counts, strict=True)]
    return f": {', '.join(listed)}"
