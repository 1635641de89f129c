"""The objects of REST answers that describe charts, figures and rankings, for OpenAPI."""

from typing import Any, Literal

from tune_app.service.schemas.sweep_schemas import AnswerModel


class PointsModel(AnswerModel):
    """Trials of the scatter chart, best first. Lists have one entry for each trial."""

    trial: list[str]
    """Id of the trial."""

    weights: list[int]
    """Number of weights."""

    value: list[float]
    """Objective value."""

    budget: list[int | None]
    """Budget that the trial was drawn for."""

    early: list[bool]
    """Whether the trial ended before its last epoch."""


class FrontModel(AnswerModel):
    """Pareto front of weights and objective, from the fewest weights on."""

    weights: list[int]
    """Number of weights."""

    value: list[float]
    """Best objective value with at most these weights."""


class StepsModel(AnswerModel):
    """Improvements of the best value so far."""

    ended: list[int]
    """Number of trials that had ended."""

    value: list[float]
    """Best objective value by then."""


class ProgressModel(AnswerModel):
    """Best value so far for each budget."""

    ended: int
    """Number of trials that have ended."""

    curves: dict[str, StepsModel]
    """Improvements for each budget."""


class AxisTickModel(AnswerModel):
    """A tick of an axis."""

    share: float
    """Position on the axis, from 0 to 1."""

    text: str
    """Label of the tick."""


class AxisModel(AnswerModel):
    """An axis of the parallel coordinates; without categories it is numeric."""

    name: str
    """Parameter of this axis."""

    low: float
    """Value at the lower end."""

    high: float
    """Value at the upper end."""

    log: bool
    """Whether the scale is logarithmic."""

    whole: bool
    """Whether all values are whole numbers."""

    categories: list[str]
    """Categories from the lower end on; empty for a numeric axis."""

    ticks: list[AxisTickModel]
    """Ticks of the axis."""


class LinesModel(AnswerModel):
    """Lines of the parallel coordinates: those that meet the filters first."""

    trial: list[str]
    """Id of the trial."""

    value: list[float]
    """Objective value."""

    matches: list[bool]
    """Whether the trial meets the filters."""

    shares: dict[str, list[float | None]]
    """For each axis, the positions from 0 to 1; null without a value."""


class ParallelModel(AnswerModel):
    """Numbers of the parallel coordinates."""

    axes: list[AxisModel]
    """Axes from left to right."""

    lines: LinesModel
    """Lines across the axes."""


class ChartsModel(AnswerModel):
    """Numbers of the charts of a sweep. Rows come as columns of equal length."""

    revision: str
    """Revision of the sweep that the numbers belong to."""

    metric: str
    """Metric that ranks the trials."""

    mode: Literal["max", "min"]
    """Whether larger or smaller values are better."""

    label: str
    """Name of the metric, for an axis."""

    budgets: list[int]
    """Weight budgets of the sweep."""

    points: PointsModel
    """Trials of the scatter chart."""

    ranked: int
    """Number of ranked trials; the scatter chart may show fewer."""

    front: FrontModel
    """Best value for each number of weights."""

    progress: ProgressModel
    """How the best value improved, for each budget."""

    parallel: ParallelModel
    """Parallel coordinates of the parameters."""

    rungs: dict[str, list[dict[str, int]]]
    """For each budget, how many trials reached each rung and went on."""


class ImportanceModel(AnswerModel):
    """The importance of each parameter, by one method in one budget."""

    method: str
    """Method, such as `fanova`."""

    budget: int | None
    """Budget; null for trials of all sizes."""

    trials: int
    """Number of trials that were evaluated."""

    shares: dict[str, float]
    """Importance of each parameter; the shares add up to 1."""

    left_out: dict[str, str]
    """Parameters without a share, and why."""

    reason: str | None
    """Why there are no shares, such as too few trials."""


class WhyModel(AnswerModel):
    """An explanation of the ranking."""

    findings: list[str]
    """Findings, one sentence or more each."""

    method: str
    """How the findings were computed."""

    cautions: list[str]
    """Limits of the findings."""

    tables: dict[str, list[dict[str, Any]]]
    """Tables of the numbers behind the findings, by name."""


class FigureModel(AnswerModel):
    """A figure that can be requested as SVG or PNG."""

    name: str
    """Name of the figure, for its address."""

    title: str
    """Title of the figure."""

    caption: str
    """Caption that explains the figure."""


class FiguresModel(AnswerModel):
    """The figures of a sweep or a trial."""

    figures: list[FigureModel]
    """Figures that can be requested."""

    left_out: list[str]
    """Why other figures cannot be drawn."""
