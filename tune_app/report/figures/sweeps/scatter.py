"""Draw the objective against weights or training time, with the Pareto front."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tune_app.config.budget import format_budget
from tune_app.report.figures.axes import (
    MetricRange,
    draw_hidden,
    hidden_marker,
    is_log_metric,
    legend_below,
    metric_label,
    metric_range,
    point_area,
    set_log_axis,
    set_metric_axis,
)
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import SeriesMark, Theme, new_figure, ordered_marks, series_mark
from tune_app.report.figures.sweeps.scatter_numbers import (
    COSTS,
    Point,
    Retrained,
    ScatterNumbers,
    compared_numbers,
    scatter_numbers,
)
from tune_app.results.store import SweepRecord
from tune_app.results.tables.trial_row import TrialRow


def pareto_figure(rows: Sequence[TrialRow], sweep: SweepRecord) -> ReportFigure:
    """Return a figure of the metric against weights."""
    numbers = scatter_numbers(rows, sweep, "weights")
    return _figure(numbers, sweep, "pareto", "against weights", "with at most as many weights")


def time_figure(rows: Sequence[TrialRow], sweep: SweepRecord) -> ReportFigure:
    """Return a figure of the metric against training time."""
    numbers = scatter_numbers(rows, sweep, "seconds")
    return _figure(numbers, sweep, "training-time", "against training time", "in at most that time")


def comparison_figure(
    sweeps: Sequence[tuple[SweepRecord, Sequence[TrialRow]]], cost: str
) -> ReportFigure:
    """Return a figure of several sweeps with the same objective against one of COSTS."""
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
        f" that ended early. The step {'lines connect' if many else 'line connects'} the trials"
        f" for which no trial{' of the same sweep' if many else ''} is better {rule}."
    ]
    if numbers.retrained:
        seeds = sorted({winner.seeds for winner in numbers.retrained})
        counted = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        caption.append(
            "Stars are winners that were retrained on training and validation data and measured on"
            f" the test split, with mean and sample standard deviation over {counted} seeds."
        )
    if numbers.cost == "seconds":
        caption.append("Training time includes all epochs of a trial.")
    if numbers.unranked:
        caption.append(f"Trials without a result are left out ({numbers.unranked}).")
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
    # Series of one sweep are budgets, which have an order; several sweeps have none.
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
        mark = SeriesMark(theme.colors.muted, "o", "", "")
        handles.append(_handle(mark, hollow=True))
        labels.append("ended early")
    if numbers.retrained:
        mark = SeriesMark(theme.colors.muted, "*", "", "")
        handles.append(_handle(mark, hollow=True, size=10))
        labels.append("retrained, test data")
    if numbers.cost == "weights":
        _draw_budgets(axes, numbers.budgets, theme)
    if beyond := sum(shown.hides(point.value) for point in numbers.points):
        handles.append(_handle(SeriesMark(theme.colors.muted, hidden_marker(shown), "", "")))
        labels.append(f"not shown: {beyond}")
    legend_below(figure, handles, labels)
    return figure


def _scale(axes: Axes, numbers: ScatterNumbers, label: str) -> MetricRange:
    """Scale both axes; return the range of the vertical one."""
    costs = [point.cost for point in numbers.points]
    costs += [winner.cost for winner in numbers.retrained]
    # The dashed lines of the budgets must be inside the axes.
    if numbers.cost == "weights":
        costs += numbers.budgets
    set_log_axis(axes.xaxis, min(costs), max(costs))
    values = [point.value for point in numbers.points]
    for winner in numbers.retrained:
        values += [winner.mean - (winner.std or 0), winner.mean + (winner.std or 0)]
    shown = metric_range(values, numbers.mode, log=is_log_metric(numbers.metric, values))
    set_metric_axis(axes.yaxis, numbers.metric, shown)
    if numbers.retrained:  # then the axis shows results of both splits
        label = label.replace("validation ", "")
    axes.set(xlabel=COSTS[numbers.cost], ylabel=label)
    return shown


def _draw_points(axes: Axes, points: Sequence[Point], mark: SeriesMark, area: float) -> None:
    for early in (True, False):
        shown = [point for point in points if point.early == early]
        axes.scatter(
            [point.cost for point in shown],
            [point.value for point in shown],
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
    # The last trial of the front also beats everything that costs more, so that the line goes on to
    # the edge of the axes.
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


def _draw_retrained(
    axes: Axes, winners: Sequence[Retrained], mark: SeriesMark, theme: Theme
) -> None:
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


def _handle(mark: SeriesMark, *, line: Any = "", hollow: bool = False, size: float = 5.5) -> Line2D:
    return Line2D(
        [],
        [],
        color=mark.color,
        marker=mark.marker,
        markersize=size,
        linestyle=line,
        markerfacecolor="none" if hollow else mark.color,
    )
