"""The objects of REST answers that describe search files, for OpenAPI."""

from tune_app.service.schemas.sweep_schemas import AnswerModel, ProblemModel


class CheckModel(AnswerModel):
    """Problems of a search file; without problems, what it searches."""

    problems: list[ProblemModel]
    """Problems in the order of their lines; empty if the file is valid."""

    name: str | None
    """Name of the sweep; null if there are problems."""

    trials: int | None
    """Number of trials; null if there are problems."""

    budgets: list[int] | None
    """Weight budgets; null if there are problems."""


class KeyModel(AnswerModel):
    """A key of a search file."""

    key: str
    """Name of the key."""

    text: str
    """What the key means."""


class BudgetForecastModel(AnswerModel):
    """Forecast for one budget."""

    budget: int | None
    """Weight budget; null without budgets."""

    draws: int
    """Number of random draws that were tried."""

    fit: int
    """Draws that fit the budget."""

    over: int
    """Draws that exceed the budget."""

    unbuildable: int
    """Draws from which no network can be built."""

    share: float
    """Share of the draws that fit."""

    trials: int
    """Number of trials for this budget."""

    expected_epochs: int
    """Epochs that are likely to be trained."""

    seconds_per_epoch: list[float]
    """Time of an epoch: low, expected and high."""


class HistogramModel(AnswerModel):
    """Weights of random draws, in bins of equal width on a logarithmic scale."""

    budget: int | None
    """Weight budget that the draws were for."""

    counts: list[int]
    """Number of draws in each bin."""

    edges: list[float]
    """Limits of the bins; one more than there are bins."""


class ForecastModel(AnswerModel):
    """Forecast of a search file, in the form of `tune-app check --json`."""

    name: str
    """Name of the sweep."""

    trials: int
    """Number of trials."""

    planned_epochs: int
    """Epochs without early stopping."""

    expected_epochs: int
    """Epochs that are likely to be trained."""

    seconds: dict[str, float]
    """Duration of the search: `low`, `expected` and `high`."""

    concurrent: int
    """Number of trials that train at the same time."""

    disk_bytes: int
    """Disk space that the files will need."""

    final_trainings: int
    """Number of trainings of the final stage."""

    final_seconds: float
    """Duration of the final stage."""

    budgets: list[BudgetForecastModel]
    """Forecast for each budget."""

    histograms: list[HistogramModel]
    """Weights of random draws for each budget."""
