"""All errors that are raised on purpose. Their texts are written for the person running tune_app.

The text says what happened. `hint` says what to do, in different words for each door (command line,
Python, REST). Most classes also derive from a similar exception of Python:

    TuneAppError                            exit code 2: a mistake in the file or the arguments
    ├── SpaceError            ValueError    a search space, or a configuration, makes no sense
    ├── SweepFileError        ValueError    a search file is wrong; holds every problem of it
    ├── BudgetError           ValueError    no configuration meets a weight budget
    ├── BuildError            ValueError    a configuration that no network can be built from
    ├── FunctionError         ValueError    a function of the user's own cannot be found or called
    ├── ExportError           ValueError    an export cannot be written or read
    ├── DiagnosisError        ValueError    these trials cannot be diagnosed in this way
    ├── UnknownSweepError     LookupError   no sweep of that name in the store
    ├── UnknownTrialError     LookupError   no trial of that id in the sweep
    ├── SweepExistsError      FileExistsError
    ├── SweepBusyError        RuntimeError  a live process owns the sweep
    └── EnvironmentalError                  exit code 3: Ray, storage, disk, data
        ├── DataMissingError  FileNotFoundError
        ├── DataError         ValueError    a data set is there, and bad
        ├── StorageError      OSError       the record or the files cannot be read or written
        └── ClusterError      ConnectionError
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tune_app.hints import Door, Hint


class TuneAppError(Exception):
    """The base of every error raised on purpose; its text is for the person running tune_app."""

    exit_code: ClassVar[int] = 2

    def __init__(self, *args: object, hint: Hint | None = None) -> None:
        super().__init__(*args)
        self.hint = hint

    @property
    def text(self) -> str:
        """What happened, without the hint."""
        # OSError would render two arguments as "[Errno ...]"; ours always has one text.
        return " ".join(str(argument) for argument in self.args)

    def worded(self, door: Door) -> str:
        """Return what happened and the hint, in words for callers that came through `door`."""
        way_out = self.hint.words(door) if self.hint is not None else ""
        return "; ".join(filter(None, [self.text, way_out]))

    def __str__(self) -> str:
        return self.worded(Door.PYTHON)


class SpaceError(TuneAppError, ValueError):
    """A search space, or a configuration drawn from it, does not make sense."""


@dataclass(frozen=True)
class Problem:
    """A problem of a search file: its place, the rule, the value, and how to correct it."""

    line: int | None  # 1 for the first line; None where the file has no such place
    key: str  # dotted, as in the file: "parameters.lr"
    text: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line is not None else ""
        return f"{where}{self.key}: {self.text}" if self.key else f"{where}{self.text}"


class SweepFileError(TuneAppError, ValueError):
    """A search file has mistakes. `problems` holds all of them in the order of the lines."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n  ".join([f"{source}: {count}", *map(str, self.problems)]))


class BudgetError(TuneAppError, ValueError):
    """No configuration of the search space meets a weight budget."""


class BuildError(TuneAppError, ValueError):
    """No network can be built from this configuration: in a search, a refused draw."""


class FunctionError(TuneAppError, ValueError):
    """A user function, named in a search file or passed in Python, is missing or cannot be used."""


class ExportError(TuneAppError, ValueError):
    """An export cannot be written or read, or its results cannot be reproduced."""


class DiagnosisError(TuneAppError, ValueError):
    """A diagnostic cannot be computed for these trials."""


class UnknownSweepError(TuneAppError, LookupError):  # not KeyError: its str() adds quotes
    """No sweep of that name is in the store."""


class UnknownTrialError(TuneAppError, LookupError):
    """No trial of that id is in the sweep."""


class SweepExistsError(TuneAppError, FileExistsError):
    """A sweep of that name is already in the store."""


class SweepBusyError(TuneAppError, RuntimeError):
    """A live process owns the sweep."""


class EnvironmentalError(TuneAppError):
    """The environment failed: Ray, the storage, the disk, or the data."""

    exit_code: ClassVar[int] = 3


class DataMissingError(EnvironmentalError, FileNotFoundError):
    """A data set was not found."""


class DataError(EnvironmentalError, ValueError):
    """A data set was found and cannot be trained on."""


class StorageError(EnvironmentalError, OSError):
    """The record or the files of a sweep cannot be read or written."""


class ClusterError(EnvironmentalError, ConnectionError):
    """Ray cannot be started or reached."""
