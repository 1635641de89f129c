"""Slices: the objective against each single parameter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tune_app.config.budget import format_budget
from tune_app.report.figures.axes import (
    ParameterScale,
    draw_hidden,
    grid_shape,
    is_log_metric,
    legend_below,
    metric_label,
    metric_range,
    panel_grid,
    parameter_scales,
    parameter_value,
    point_area,
    scored_rows,
    set_log_axis,
    set_metric_axis,
    shorten,
    slant_ticks,
)
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import SeriesMark, Theme, new_figure, ordered_marks
from tune_app.results.store import SweepRecord
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import objective_of

_COLUMNS = 4
_GOLDEN = 0.618034  # the fractional parts of its multiples are spread evenly over 0 to 1
_CATEGORY_WIDTH = 0.5
_SLANTED_FROM = 22  # characters that fit below an axis; longer labels are slanted


@dataclass(frozen=True)
class SlicePoint:
    """A trial with the position of its parameter value on the axis."""

    place: float
    value: float
    number: int
    budget: int | None
    early: bool


@dataclass(frozen=True)
class Slice:
    """The trials that have a certain parameter."""

    scale: ParameterScale
    points: tuple[SlicePoint, ...]


def slice_numbers(rows: Sequence[TrialRow], sweep: SweepRecord) -> list[Slice]:
    """Return a slice for each parameter that varies between trials with a result."""
    metric, _ = objective_of(sweep)
    ranked = scored_rows(rows, sweep)
    slices = []
    for scale in parameter_scales(ranked, sweep):
        if scale.name == "budget":
            continue
        points = [
            SlicePoint(
                scale.place(value),
                row.result(metric),
                row.number,
                row.budget,
                row.status.is_early,
            )
            for row in ranked
            if (value := parameter_value(row, scale.name)) is not None or None in scale.values
        ]
        slices.append(Slice(scale, tuple(points)))
    return slices


def slice_figure(rows: Sequence[TrialRow], sweep: SweepRecord) -> ReportFigure:
    """Return a figure with a panel for each parameter that varies."""
    slices = slice_numbers(rows, sweep)
    label = metric_label(objective_of(sweep)[0], sweep)
    return ReportFigure(
        "slices",
        "One parameter at a time",
        f"The {label.split(' (')[0]} of each trial against each parameter that varied; hollow marks"
        " are trials that ended early. A pattern is only a hint of an effect, since the other"
        " parameters vary too. Marks of a category or whole number are spread horizontally.",
        lambda theme: draw_slices(slices, sweep, theme),
    )


def draw_slices(slices: Sequence[Slice], sweep: SweepRecord, theme: Theme) -> Figure:
    """Draw the numbers of `slice_numbers`."""
    metric, mode = objective_of(sweep)
    figure = new_figure(0.5 + 1.75 * grid_shape(len(slices), _COLUMNS)[0])
    panels = panel_grid(figure, len(slices), _COLUMNS)
    values = [point.value for piece in slices for point in piece.points]
    # All panels share the vertical axis, so that slopes can be compared between them.
    shown = metric_range(values, mode, log=is_log_metric(metric, values))
    set_metric_axis(panels[0].yaxis, metric, shown)
    budgets = sorted({p.budget for piece in slices for p in piece.points}, key=lambda b: b or 0)
    marks = dict(zip(budgets, ordered_marks(len(budgets), theme), strict=True))
    for axes, piece in zip(panels, slices, strict=True):
        _scale(axes, piece.scale)
        for budget, mark in marks.items():
            points = [point for point in piece.points if point.budget == budget]
            _draw_points(axes, piece.scale, points, mark, point_area(len(piece.points)) * 0.6)
            hidden = [point.place for point in points if shown.hides(point.value)]
            draw_hidden(axes, hidden, shown, mark.color)
        axes.set(xlabel=shorten(piece.scale.name, 26))
    figure.supylabel(metric_label(metric, sweep), fontsize=9)
    handles: list[Any] = []
    labels: list[str] = []
    if len(marks) > 1:
        handles = [Line2D([], [], color=m.color, marker=m.marker, ls="") for m in marks.values()]
        labels = ["no budget" if budget is None else format_budget(budget) for budget in marks]
    if any(point.early for piece in slices for point in piece.points):
        muted = theme.colors.muted
        handles.append(Line2D([], [], color=muted, marker="o", ls="", markerfacecolor="none"))
        labels.append("ended early")
    legend_below(figure, handles, labels)
    return figure


def _draw_points(
    axes: Axes, scale: ParameterScale, points: Sequence[SlicePoint], mark: SeriesMark, area: float
) -> None:
    for early in (True, False):
        shown = [point for point in points if point.early == early]
        axes.scatter(
            [point.place + _sideways(point, scale) for point in shown],
            [point.value for point in shown],
            marker=mark.marker,
            s=area,
            facecolors="none" if early else mark.color,
            edgecolors=mark.color,
            linewidths=0.8,
            alpha=0.7 if early else 0.95,
            zorder=3 if early else 4,
        )


def _sideways(point: SlicePoint, scale: ParameterScale) -> float:
    """Return a horizontal shift that depends only on the trial's number.

    A random shift would make the figure differ from run to run.
    """
    # Multiples of the golden ratio modulo 1 never come close to each other, so that neighbouring
    # trials get distant shifts and marks do not hide each other.
    share = (point.number * _GOLDEN) % 1 - 0.5
    if scale.values:
        return share * _CATEGORY_WIDTH
    if scale.step == 1 and not scale.log:
        return share * min(0.3, (scale.high - scale.low) * 0.02)
    return 0.0


def _scale(axes: Axes, scale: ParameterScale) -> None:
    if scale.log:
        set_log_axis(axes.xaxis, scale.low, scale.high, most=4)
        return
    places, texts = scale.ticks(most=5)
    if scale.values:
        axes.set_xticks(places, [shorten(text, 16) for text in texts])
        if max(map(len, texts)) * len(texts) > _SLANTED_FROM:
            slant_ticks(axes)
        axes.set(xlim=(-0.5, len(places) - 0.5))
    else:
        axes.set_xticks(places, texts)
        room = (scale.high - scale.low) * 0.06
        axes.set(xlim=(scale.low - room, scale.high + room))
