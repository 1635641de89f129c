"""Every error raised on purpose. Its text is written for the person running tune_app.

The text says what happened; `hint` holds the way out, which each door words its own way.

Most derive from the nearest of Python's own, too:

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
    """Base of every error raised on purpose; its text is written for the person running us."""

    exit_code: ClassVar[int] = 2

    def __init__(self, *args: object, hint: Hint | None = None) -> None:
        super().__init__(*args)
        self.hint = hint

    @property
    def text(self) -> str:
        """What happened, without the way out."""
        # OSError would render two arguments as "[Errno ...]"; ours always has one text.
        return " ".join(str(argument) for argument in self.args)

    def worded(self, door: Door) -> str:
        """Return what happened and the way out, for whoever asked through `door`."""
        way_out = self.hint.words(door) if self.hint is not None else ""
        return "; ".join(filter(None, [self.text, way_out]))

    def __str__(self) -> str:
        return self.worded(Door.PYTHON)


class SpaceError(TuneAppError, ValueError):
    """A search space, or a configuration drawn from it, does not make sense."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a search file: where, which rule, what was given, the way out."""

    line: int | None  # 1 for the first line; None where the file has no such place
    key: str  # dotted, as in the file: "parameters.lr"
    text: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line is not None else ""
        return f"{where}{self.key}: {self.text}" if self.key else f"{where}{self.text}"


class SweepFileError(TuneAppError, ValueError):
    """A search file is wrong. `problems` holds all that was found, in the order of its lines."""

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
    """A function of the user's own, named in a search file or given in Python, is of no use."""


class ExportError(TuneAppError, ValueError):
    """An export cannot be written, or what was written does not hold."""


class DiagnosisError(TuneAppError, ValueError):
    """A diagnostic has no answer for these trials."""


class UnknownSweepError(TuneAppError, LookupError):  # not KeyError: its str() adds quotes
    """No sweep of that name is in the store."""


class UnknownTrialError(TuneAppError, LookupError):
    """No trial of that id is in the sweep."""


class SweepExistsError(TuneAppError, FileExistsError):
    """A sweep of that name is already in the store."""


class SweepBusyError(TuneAppError, RuntimeError):
    """A live process owns the sweep."""


class EnvironmentalError(TuneAppError):
    """What surrounds us failed: Ray, the storage, the disk, the data."""

    exit_code: ClassVar[int] = 3


class DataMissingError(EnvironmentalError, FileNotFoundError):
    """A data set is not where it was looked for."""


class DataError(EnvironmentalError, ValueError):
    """A data set was found and cannot be trained on."""


class StorageError(EnvironmentalError, OSError):
    """The record or the files of a sweep cannot be read or written."""


class ClusterError(EnvironmentalError, ConnectionError):
    """Ray cannot be started or reached."""
