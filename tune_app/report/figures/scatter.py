"""Accuracy against what it costs, weights or training time, with the Pareto front."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tune_app.config.budget import format_budget
from tune_app.report.figures.axes import (
    EARLY,
    MetricRange,
    Row,
    draw_hidden,
    hidden_marker,
    is_log_metric,
    legend_below,
    metric_label,
    metric_range,
    point_area,
    scored_rows,
    set_log_axis,
    set_metric_axis,
)
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import Mark, Theme, new_figure, ordered_marks, series_mark
from tune_app.results.ranking import is_number, pareto_front
from tune_app.results.store import SweepRecord
from tune_app.results.table import objective_of

COSTS = {"weights": "weights", "seconds": "training time (s)"}


@dataclass(frozen=True)
class Point:
    """A trial of the search: its cost and its validation metric."""

    trial_id: str
    cost: float
    value: float
    early: bool  # it ended before its last epoch


@dataclass(frozen=True)
class Retrained:
    """A winner of the search, retrained: its test metric over the seeds."""

    source: str  # the search trial
    cost: float  # the mean over the seeds
    mean: float
    std: float | None  # of the sample; None with one seed
    seeds: int


@dataclass(frozen=True)
class Series:
    """The trials that share a mark."""

    label: str
    points: tuple[Point, ...]
    retrained: tuple[Retrained, ...] = ()
    front: tuple[tuple[float, float], ...] = ()  # (cost, value), cheapest first


@dataclass(frozen=True)
class ScatterNumbers:
    """What a scatter of values against costs shows. `front` is that of all series together."""

    cost: str  # a key of COSTS
    metric: str
    mode: str
    series: tuple[Series, ...]
    front: tuple[tuple[float, float], ...]
    budgets: tuple[int, ...]
    unranked: int  # trials of the search without a result

    @property
    def points(self) -> list[Point]:
        """The trials of all series."""
        return [point for series in self.series for point in series.points]

    @property
    def retrained(self) -> list[Retrained]:
        """The retrained winners of all series."""
        return [winner for series in self.series for winner in series.retrained]


def scatter_numbers(rows: Sequence[Row], sweep: SweepRecord, cost: str) -> ScatterNumbers:
    """Return each trial's metric and cost ("weights" or "seconds"), a series for each budget."""
    metric, mode = objective_of(sweep)
    ranked = [row for row in scored_rows(rows, sweep) if _has_cost(row, cost)]
    budgets = sorted({row["budget"] for row in ranked}, key=lambda budget: budget or 0)
    series = []
    for budget in budgets:
        own = [row for row in rows if row["budget"] == budget]
        series.append(
            Series(
                "no budget" if budget is None else format_budget(budget),
                _points([row for row in ranked if row["budget"] == budget], metric, cost),
                _retrained(own, metric, cost),
            )
        )
    return ScatterNumbers(
        cost=cost,
        metric=metric,
        mode=mode,
        series=tuple(series),
        front=_front(ranked, metric, mode, cost),
        budgets=tuple(sweep.budgets),
        unranked=sum(row["stage"] == "search" for row in rows) - len(ranked),
    )


def compared_numbers(
    sweeps: Sequence[tuple[SweepRecord, Sequence[Row]]], cost: str
) -> ScatterNumbers:
    """Return the numbers of several sweeps with one objective, a series and a front for each."""
    parts = [scatter_numbers(rows, sweep, cost) for sweep, rows in sweeps]
    return ScatterNumbers(
        cost=cost,
        metric=parts[0].metric,
        mode=parts[0].mode,
        series=tuple(
            Series(sweep.name, tuple(part.points), tuple(part.retrained), part.front)
            for (sweep, _), part in zip(sweeps, parts, strict=True)
        ),
        front=(),
        budgets=tuple(sorted({budget for part in parts for budget in part.budgets})),
        unranked=sum(part.unranked for part in parts),
    )


def _has_cost(row: Row, cost: str) -> bool:
    return is_number(row[cost]) and row[cost] > 0


def _points(ranked: Sequence[Row], metric: str, cost: str) -> tuple[Point, ...]:
    return tuple(
        Point(row["trial_id"], row[cost], row[metric], row["status"] in EARLY) for row in ranked
    )


def _front(
    ranked: Sequence[Row], metric: str, mode: str, cost: str
) -> tuple[tuple[float, float], ...]:
    # The one rule, with the cost in the place of the weights.
    priced = [{**row, "weights": row[cost]} for row in ranked]
    return tuple((row[cost], row[metric]) for row in pareto_front(priced, metric, mode))


def _retrained(rows: Sequence[Row], metric: str, cost: str) -> tuple[Retrained, ...]:
    tested = metric.replace("val_", "test_")
    by_source: dict[str, list[Row]] = {}
    for row in rows:
        if row["stage"] == "final" and is_number(row[tested]) and _has_cost(row, cost):
            by_source.setdefault(row["source"], []).append(row)
    winners = []
    for source, replicates in by_source.items():
        values = [row[tested] for row in replicates]
        winners.append(
            Retrained(
                source,
                fmean(row[cost] for row in replicates),
                fmean(values),
                stdev(values) if len(values) > 1 else None,
                len(values),
            )
        )
    return tuple(winners)


def pareto_figure(rows: Sequence[Row], sweep: SweepRecord) -> ReportFigure:
    """Return the metric against weights."""
    numbers = scatter_numbers(rows, sweep, "weights")
    return _figure(numbers, sweep, "pareto", "against weights", "with at most as many weights")


def time_figure(rows: Sequence[Row], sweep: SweepRecord) -> ReportFigure:
    """Return the metric against training time."""
    numbers = scatter_numbers(rows, sweep, "seconds")
    return _figure(numbers, sweep, "training-time", "against training time", "in at most that time")


def comparison_figure(
    sweeps: Sequence[tuple[SweepRecord, Sequence[Row]]], cost: str
) -> ReportFigure:
    """Return the metric of several sweeps with one objective against one of COSTS."""
    numbers = compared_numbers(sweeps, cost)
    words = {
        "weights": ("comparison-weights", "against weights", "with at most as many weights"),
        "seconds": ("comparison-time", "against training time", "in at most that time"),
    }
    return _figure(numbers, sweeps[0][0], *words[cost])


def _figure(
    numbers: ScatterNumbers, sweep: SweepRecord, name: str, against: str, rule: str
) -> ReportFigure:
    label = metric_label(numbers.metric, sweep)
    many = bool(numbers.series) and not numbers.front
    caption = [
        f"The {label.split(' (')[0]} of each trial at its best epoch; hollow marks are trials"
        f" that ended early. The {'steps lead' if many else 'step line leads'} over the trials"
        f" that no other beats {rule}{' in its own sweep' if many else ''}."
    ]
    if numbers.retrained:
        seeds = sorted({winner.seeds for winner in numbers.retrained})
        counted = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        caption.append(
            "Stars are the winners, retrained on training and validation data and measured on"
            f" the test split: mean and sample standard deviation over {counted} seeds."
        )
    if numbers.cost == "seconds":
        caption.append("The time is that of all epochs that a trial trained.")
    if numbers.unranked:
        caption.append(f"Trials without a result, left out: {numbers.unranked}.")
    return ReportFigure(
        name,
        f"{label.split(' (')[0].capitalize()} {against}",
        " ".join(caption),
        lambda theme: draw_scatter(numbers, label, theme),
    )


def draw_scatter(numbers: ScatterNumbers, label: str, theme: Theme) -> Figure:
    """Draw the numbers of `scatter_numbers` or `compared_numbers`; `label` names the metric."""
    figure = new_figure(4.2)
    axes = figure.subplots()
    if numbers.front or len(numbers.series) == 1:
        marks = ordered_marks(len(numbers.series), theme)
    else:
        marks = [series_mark(index, theme) for index in range(len(numbers.series))]
    shown = _scale(axes, numbers, label)
    handles: list[Any] = []
    labels: list[str] = []
    for series, mark in zip(numbers.series, marks, strict=True):
        _draw_points(axes, series.points, mark, point_area(len(numbers.points)))
        hidden = [point.cost for point in series.points if shown.hides(point.value)]
        draw_hidden(axes, hidden, shown, mark.color)
        _draw_front(axes, series.front, mark.color, mark.line)
        _draw_retrained(axes, series.retrained, mark, theme)
        if len(numbers.series) > 1:
            handles.append(_handle(mark, line=mark.line if series.front else ""))
            labels.append(series.label)
    if numbers.front:
        handles += _draw_front(axes, numbers.front, theme.colors.muted, "-")
        labels.append("Pareto front")
    if any(point.early for point in numbers.points):
        mark = Mark(theme.colors.muted, "o", "", "")
        handles.append(_handle(mark, hollow=True))
        labels.append("ended early")
    if numbers.retrained:
        mark = Mark(theme.colors.muted, "*", "", "")
        handles.append(_handle(mark, hollow=True, size=10))
        labels.append("retrained, test data")
    if numbers.cost == "weights":
        _draw_budgets(axes, numbers.budgets, theme)
    if beyond := sum(shown.hides(point.value) for point in numbers.points):
        handles.append(_handle(Mark(theme.colors.muted, hidden_marker(shown), "", "")))
        labels.append(f"not shown: {beyond}")
    legend_below(figure, handles, labels)
    return figure


def _scale(axes: Axes, numbers: ScatterNumbers, label: str) -> MetricRange:
    """Set both axes; return what the upright one shows."""
    costs = [point.cost for point in numbers.points]
    costs += [winner.cost for winner in numbers.retrained]
    if numbers.cost == "weights":
        costs += numbers.budgets
    set_log_axis(axes.xaxis, min(costs), max(costs))
    values = [point.value for point in numbers.points]
    for winner in numbers.retrained:
        values += [winner.mean - (winner.std or 0), winner.mean + (winner.std or 0)]
    shown = metric_range(values, numbers.mode, log=is_log_metric(numbers.metric, values))
    set_metric_axis(axes.yaxis, numbers.metric, shown)
    if numbers.retrained:  # both splits are in it
        label = label.replace("validation ", "")
    axes.set(xlabel=COSTS[numbers.cost], ylabel=label)
    return shown


def _draw_points(axes: Axes, points: Sequence[Point], mark: Mark, area: float) -> None:
    for early in (True, False):
        own = [point for point in points if point.early == early]
        axes.scatter(
            [point.cost for point in own],
            [point.value for point in own],
            marker=mark.marker,
            s=area,
            facecolors="none" if early else mark.color,
            edgecolors=mark.color,
            linewidths=0.9,
            alpha=0.75 if early else 0.95,
            zorder=3 if early else 4,
        )


def _draw_front(
    axes: Axes, front: Sequence[tuple[float, float]], color: str, line: Any
) -> list[Line2D]:
    if not front:
        return []
    costs = [cost for cost, _ in front]
    values = [value for _, value in front]
    end = axes.get_xlim()[1]
    drawn: list[Line2D] = axes.step(
        [*costs, end],
        [*values, values[-1]],
        where="post",
        color=color,
        linestyle=line,
        linewidth=1.3,
        zorder=2,
    )
    return drawn


def _draw_retrained(axes: Axes, winners: Sequence[Retrained], mark: Mark, theme: Theme) -> None:
    if not winners:
        return
    axes.errorbar(
        [winner.cost for winner in winners],
        [winner.mean for winner in winners],
        yerr=[winner.std or 0 for winner in winners],
        fmt="*",
        markersize=12,
        markerfacecolor=theme.colors.background,
        markeredgecolor=mark.color,
        markeredgewidth=1.2,
        ecolor=theme.colors.ink,
        elinewidth=1.1,
        capsize=3,
        zorder=6,
    )


def _draw_budgets(axes: Axes, budgets: Sequence[int], theme: Theme) -> None:
    for budget in budgets:
        axes.axvline(
            budget, color=theme.colors.muted, linewidth=0.6, linestyle=(0, (2, 3)), zorder=1
        )
        axes.text(
            budget,
            1.01,
            format_budget(budget),
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=7.5,
            color=theme.colors.muted,
        )


def _handle(mark: Mark, *, line: Any = "", hollow: bool = False, size: float = 5.5) -> Line2D:
    return Line2D(
        [],
        [],
        color=mark.color,
        marker=mark.marker,
        markersize=size,
        linestyle=line,
        markerfacecolor="none" if hollow else mark.color,
    )
