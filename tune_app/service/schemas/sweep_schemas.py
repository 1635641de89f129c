"""The objects of REST answers that describe sweeps, the queue and errors, for OpenAPI.

Answers are built from records and rows and are not validated against these classes: that would
double the time of a large answer. A test compares the answers with the document instead.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from tune_app.results.store import SweepStatus

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
TrialId = Annotated[str, StringConstraints(pattern=r"^[a-z][0-9]{1,9}$")]
BudgetText = Annotated[str, StringConstraints(pattern=r"^[0-9][0-9_.]{0,12}[kKmM]?$")]
BudgetChoice = Annotated[str, StringConstraints(pattern=r"^(all|[0-9][0-9_.]{0,12}[kKmM]?)$")]


class AnswerModel(BaseModel):
    """Base of the objects in answers; the text below a field is its description in OpenAPI."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class ProblemModel(AnswerModel):
    """A problem in a search file."""

    line: int | None
    """Line in the file; 1 is the first. Null if the file has no such place."""

    key: str
    """Key of the search file, such as `parameters.lr`; empty for the whole file."""

    text: str
    """What is wrong, and what is allowed instead."""


class ErrorDetail(AnswerModel):
    """The description of an error."""

    code: str
    """Short code of the error, such as `not_found`."""

    message: str
    """What went wrong, in words."""

    request_id: str
    """Id of the request; the log of the service has details under it."""

    problems: list[ProblemModel]
    """Problems of the search file; empty for other errors."""


class ErrorModel(AnswerModel):
    """The answer to every request that fails."""

    error: ErrorDetail
    """The error, in words and as a code."""


class SweepModel(AnswerModel):
    """A sweep in the form of `tune-app list --json`, and the state of a running sweep."""

    name: str
    """Name of the sweep."""

    status: SweepStatus
    """Status of the sweep; `interrupted` if its process died."""

    dataset: str
    """Name of the data set."""

    model: str
    """Kind of network: `fcn`, `cnn`, or the name of the user's model."""

    budgets: list[int]
    """Weight budgets, from small to large; empty without budgets."""

    trials: int
    """Number of trials of the search that were drawn."""

    best: dict[str, float | None]
    """Best objective value for each budget; `all` without budgets."""

    objective: str
    """Metric that ranks the trials, such as `val_accuracy`."""

    created: float
    """Time when the sweep was created."""

    ended: float | None
    """Time when the sweep ended; null while it runs."""

    note: str
    """Note of the user; may be empty."""

    archived: bool
    """Whether the sweep is archived."""

    statuses: dict[str, int]
    """Number of search trials for each status."""

    planned: int
    """Number of trials that the search is going to have."""

    epochs: int
    """Number of epochs trained, including those of the final stage."""

    epochs_per_second: float | None
    """Epochs per second since the first trial started."""

    seconds_left: float | None
    """Estimated time until the search ends; null if unknown."""

    stop_reason: str | None
    """Why the sweep stopped before its end."""

    revision: str
    """Text that changes with every change of the sweep."""


class SweepDetail(SweepModel):
    """Everything that is recorded about a sweep, except its trials."""

    config: dict[str, Any]
    """The search file with all defaults filled in."""

    source: str
    """Text of the search file."""

    command: str
    """Command that started the sweep."""

    versions: dict[str, Any]
    """Versions of Python and of the packages that trained."""

    git_commit: str | None
    """Commit of the folder from which the sweep was started."""

    hardware: dict[str, Any]
    """Processor, memory and GPUs of the machine."""

    seed: int
    """Seed of the search."""

    resolved: dict[str, Any]
    """Settings that were `auto` in the file: device, precision, shapes."""

    refused: dict[str, int]
    """For each budget, draws that were refused because they cannot fit."""

    epochs_saved: int | None
    """Epochs that were saved by stopping trials early."""

    final: dict[str, Any]
    """Plan of the final stage: seeds, and the winners of each budget."""

    baselines: list[dict[str, Any]]
    """Results of the baselines, one object each."""

    test_readings: list[dict[str, Any]]
    """When the test split was read, and for what."""


class QueuedModel(AnswerModel):
    """A command in the queue."""

    name: str
    """Name of the sweep."""

    status: Literal["queued", "starting", "refused"]
    """`refused` if the command failed before its sweep was recorded."""

    verb: Literal["run", "resume", "final"]
    """What the command does."""

    command: str
    """The command as it can be typed."""

    place: int | None
    """Place among the commands that wait; 1 is next. Null if it does not wait."""

    message: str | None
    """Why the command was refused."""


class DoneModel(AnswerModel):
    """The result of a change."""

    message: str
    """What was done."""

    command: str
    """The command that does the same."""

    name: str | None = None
    """Name of the sweep after the change."""


class Health(AnswerModel):
    """The state of the service."""

    status: Literal["ok"]
    """Always `ok`; a service that is down does not answer."""

    version: str
    """Version of tune-app."""
