"""The objects that are answered, for the OpenAPI document."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
TrialId = Annotated[str, StringConstraints(pattern=r"^[a-z][0-9]{1,9}$")]
BudgetText = Annotated[str, StringConstraints(pattern=r"^[0-9][0-9_.]{0,12}[kKmM]?$")]
BudgetChoice = Annotated[str, StringConstraints(pattern=r"^(all|[0-9][0-9_.]{0,12}[kKmM]?)$")]


class ProblemModel(BaseModel):
    """One thing wrong in a search file."""

    line: int | None
    key: str
    text: str


class ErrorDetail(BaseModel):
    code: str
    message: str
    request_id: str
    problems: list[ProblemModel]


class ErrorModel(BaseModel):
    """What every error is answered with."""

    error: ErrorDetail


class SweepModel(BaseModel):
    """A line of `tune-app list --json`, and the state of a running sweep."""

    name: str
    status: str
    dataset: str
    model: str
    budgets: list[int]
    trials: int
    best: dict[str, float | None]
    objective: str
    created: float
    ended: float | None
    note: str
    archived: bool
    statuses: dict[str, int]
    planned: int
    epochs: int
    epochs_per_second: float | None
    seconds_left: float | None
    stop_reason: str | None
    revision: str


class SweepDetail(SweepModel):
    """Everything the record says of a sweep, but for its trials."""

    config: dict[str, Any]
    source: str
    command: str
    versions: dict[str, Any]
    git_commit: str | None
    hardware: dict[str, Any]
    seed: int
    resolved: dict[str, Any]
    refused: dict[str, int]
    epochs_saved: int | None
    final: dict[str, Any]
    baselines: list[dict[str, Any]]
    test_readings: list[dict[str, Any]]


class TrialModel(BaseModel):
    """A trial, as `tune-app show --all --format json` has it.

    Metrics that the search file adds are numbers beside these: val_f1_macro, test_f1_macro, ...
    """

    model_config = ConfigDict(extra="allow")

    sweep: str
    trial_id: str
    stage: str
    status: str
    rank: int | None
    budget: int | None
    weights: int | None
    macs: int | None
    parameters: dict[str, Any]
    config: dict[str, Any]
    sampler: str
    val_accuracy: float | None
    val_loss: float | None
    best_epoch: int | None
    epochs: int
    seconds: float
    seed: int
    stop_reason: str | None
    checkpoint: str | None
    error: str | None
    number: int
    fill_share: float | None
    attempts: int
    train_accuracy: float | None
    train_loss: float | None
    test_accuracy: float | None
    test_loss: float | None
    source: str | None
    created: float
    started: float | None
    ended: float | None
    node: str | None


class EpochModel(BaseModel):
    """What one epoch measured; metrics that the search file adds too, as val_f1_macro."""

    model_config = ConfigDict(extra="allow")

    epoch: int
    attempt: int
    started: float | None
    seconds: float | None
    train_loss: float | None
    train_accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    lr: float | None
    grad_norm: float | None


class TrialDetail(TrialModel):
    """A trial with its epochs, as `tune-app trial --format json` has it."""

    history: list[EpochModel]


class TrialPage(BaseModel):
    """Some of the trials of a sweep."""

    trials: list[TrialModel]
    matching: int
    total: int
    page: int
    pages: int


class CurvesModel(BaseModel):
    """The epochs of several trials, by trial."""

    curves: dict[str, list[EpochModel]]


class PointsModel(BaseModel):
    """The trials of the scatter chart, best first."""

    trial: list[str]
    weights: list[int]
    value: list[float]
    budget: list[int | None]
    early: list[bool]


class FrontModel(BaseModel):
    """The Pareto front, from the fewest weights on."""

    weights: list[int]
    value: list[float]


class StepsModel(BaseModel):
    """Where the best value so far improves, by trials ended."""

    ended: list[int]
    value: list[float]


class ProgressModel(BaseModel):
    """The best value so far under each budget."""

    ended: int
    curves: dict[str, StepsModel]


class AxisTickModel(BaseModel):
    share: float
    text: str


class AxisModel(BaseModel):
    """An axis of the parallel coordinates; without categories it is one of numbers."""

    name: str
    low: float
    high: float
    log: bool
    whole: bool
    categories: list[str]
    ticks: list[AxisTickModel]


class LinesModel(BaseModel):
    """The lines of the parallel coordinates: those that match first, best ones first."""

    trial: list[str]
    value: list[float]
    matches: list[bool]
    shares: dict[str, list[float | None]]


class ParallelModel(BaseModel):
    axes: list[AxisModel]
    lines: LinesModel


class ChartsModel(BaseModel):
    """The numbers of a sweep's charts. Rows come as columns of equal length."""

    revision: str
    metric: str
    mode: str
    label: str
    budgets: list[int]
    points: PointsModel
    ranked: int
    front: FrontModel
    progress: ProgressModel
    parallel: ParallelModel
    rungs: dict[str, list[dict[str, int]]]


class ImportanceModel(BaseModel):
    method: str
    budget: int | None
    trials: int
    shares: dict[str, float]
    left_out: dict[str, str]
    reason: str | None


class WhyModel(BaseModel):
    """Why a ranking is what it is: sentences, and the tables that they are read from."""

    findings: list[str]
    method: str
    cautions: list[str]
    tables: dict[str, list[dict[str, Any]]]


class FigureModel(BaseModel):
    """A figure that can be fetched as SVG or PNG."""

    name: str
    title: str
    caption: str


class FiguresModel(BaseModel):
    figures: list[FigureModel]
    left_out: list[str]


class CheckModel(BaseModel):
    """What is wrong with a search file; nothing, if `problems` is empty."""

    problems: list[ProblemModel]
    name: str | None
    trials: int | None
    budgets: list[int] | None


class KeyModel(BaseModel):
    """A key of a search file, and what it means."""

    key: str
    text: str


class BudgetForecastModel(BaseModel):
    budget: int | None
    draws: int
    fit: int
    over: int
    unbuildable: int
    share: float
    trials: int
    expected_epochs: int
    seconds_per_epoch: list[float]


class HistogramModel(BaseModel):
    """Weights of random draws, in bins of equal width on a logarithmic scale."""

    budget: int | None
    counts: list[int]
    edges: list[float]


class ForecastModel(BaseModel):
    """What to expect of a search file, as `tune-app check --json` has it."""

    name: str
    trials: int
    planned_epochs: int
    expected_epochs: int
    seconds: dict[str, float]
    concurrent: int
    disk_bytes: int
    final_trainings: int
    final_seconds: float
    budgets: list[BudgetForecastModel]
    histograms: list[HistogramModel]


class QueuedModel(BaseModel):
    """A sweep that is to run: what is done for it, and its place among those that wait."""

    name: str
    status: str
    verb: str
    command: str
    place: int | None
    message: str | None


class DoneModel(BaseModel):
    """What was done, in words, and the command that does the same."""

    message: str
    command: str
    name: str | None = None


class Health(BaseModel):
    status: str
    version: str
