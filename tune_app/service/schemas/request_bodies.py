"""The objects in the bodies of requests."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tune_app.service.schemas.sweep_schemas import BudgetText, Name

Source = Annotated[str, Field(max_length=1_000_000, examples=["name: study\nmodel: fcn\n"])]


class Strict(BaseModel):
    """Base of all bodies: unknown keys are refused, and no value is converted to another type."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class SourceBody(Strict):
    """A search file."""

    source: Source
    """Text of the search file."""


class CreateBody(Strict):
    """A sweep to run, with the options of `tune-app run`."""

    source: Source
    """Text of the search file."""

    name: Name | None = None
    """Name of the sweep (default: the name in the file)."""

    new: bool = False
    """If the name is taken, take the next free one: name-2, name-3, ..."""

    trials: int | None = Field(default=None, ge=1, le=10_000)
    """Number of trials (default: the number in the file)."""

    no_final: bool = False
    """Leave out the final stage."""


class ResumeBody(Strict):
    """An empty object."""


class ExtendBody(Strict):
    """A larger number of trials."""

    trials: int = Field(ge=1, le=10_000, examples=[200])
    """Number of trials in all, with those that the sweep already has."""


class FinalBody(Strict):
    """Options of the final stage, as of `tune-app final`."""

    top: int | None = Field(default=None, ge=1, le=100)
    """Number of winners for each budget."""

    seeds: int | None = Field(default=None, ge=1, le=100)
    """Number of seeds for each winner."""

    budgets: list[BudgetText] = Field(default_factory=list, max_length=20, examples=[["20k"]])
    """Budgets whose winners are retrained (default: all)."""


class RenameBody(Strict):
    """The new name of a sweep."""

    name: Name
    """New name of the sweep."""


class NoteBody(Strict):
    """The note of a sweep."""

    note: str = Field(max_length=2_000, examples=["the one for the paper"])
    """Text of the note; an empty text removes the note."""


class ArchiveBody(Strict):
    """Whether to archive or to restore."""

    undo: bool = False
    """Restore the sweep instead of archiving it."""


class PruneBody(Strict):
    """Which weights to keep."""

    top: int = Field(default=10, ge=0, le=10_000)
    """Number of best trials of each budget that keep their weights."""


class ReportBody(Strict):
    """The form of a report."""

    format: Literal["html"] = "html"
    """Format of the report."""


class ComparisonBody(Strict):
    """The sweeps of a report."""

    sweeps: list[Name] = Field(min_length=1, max_length=8, examples=[["first", "second"]])
    """Names of the sweeps, in the order of the report."""

    format: Literal["html"] = "html"
    """Format of the report."""


class LoginBody(Strict):
    """The token that logs a browser in."""

    token: str = Field(max_length=200)
    """The access token of the service."""
