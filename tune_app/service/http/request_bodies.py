"""The objects that are read: names and typed values, and nothing else."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tune_app.service.routes.schemas import BudgetText, Name


class Strict(BaseModel):
    """A body: nothing but what is named is read, and nothing is read as what it is not."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SourceBody(Strict):
    """A search file's text."""

    source: str = Field(max_length=1_000_000)


class CreateBody(Strict):
    """A sweep to start; the options are those of `tune-app run`."""

    source: str = Field(max_length=1_000_000, description="the search file")
    name: Name | None = Field(default=None, description="its name, if not the file's")
    new: bool = Field(default=False, description="take the next free name")
    trials: int | None = Field(default=None, ge=1, le=10_000)
    no_final: bool = False


class ResumeBody(Strict):
    pass


class ExtendBody(Strict):
    trials: int = Field(ge=1, le=10_000, description="how many in all")


class FinalBody(Strict):
    top: int | None = Field(default=None, ge=1, le=100)
    seeds: int | None = Field(default=None, ge=1, le=100)
    budgets: list[BudgetText] = Field(default_factory=list, max_length=20)


class RenameBody(Strict):
    name: Name


class NoteBody(Strict):
    note: str = Field(max_length=2_000)


class ArchiveBody(Strict):
    undo: bool = False


class PruneBody(Strict):
    top: int = Field(default=10, ge=0, le=10_000)


class ReportBody(Strict):
    format: Literal["html"] = "html"


class ComparisonBody(Strict):
    sweeps: list[Name] = Field(min_length=1, max_length=8, description="whose report; in order")
    format: Literal["html"] = "html"


class LoginBody(Strict):
    token: str = Field(max_length=200)
