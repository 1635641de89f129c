"""Draw sensitivity and sharpness against the batch size."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tune_app.report.figures.axes import legend_below, set_log_axis
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import Theme, new_figure, series_mark, short_number

_LOG_FROM = 5.0  # ratio of the largest to the smallest value from which an axis is logarithmic
_TICK_ROOM = 0.15  # the smallest distance of two ticks, as a share of the axis


def sensitivity_figure(table: pd.DataFrame, unit: str) -> ReportFigure:
    """Return a figure of a `sensitivity_table`; lines connect the means of each batch size."""
    return ReportFigure(
        "sensitivity",
        "Sensitivity and sharpness against the batch size",
        "Above: the mean norm of the gradients of the loss and of the outputs with respect to the "
        f"input, and the loss ({unit}). Below: the accuracy and, on the training examples, two "
        "measures of sharpness: the increase of the loss along its gradient within a small ball, "
        "and the largest eigenvalue of the Hessian. Marks are trials; lines connect the means of "
        "each batch size.",
        lambda theme: _draw(table, unit, theme),
    )


def _draw(table: pd.DataFrame, unit: str, theme: Theme) -> Figure:
    panels = [
        ("loss_gradient", "gradient of the loss"),
        ("output_gradient", "gradient of the outputs"),
        ("loss", f"loss ({unit})"),
        ("accuracy", "accuracy"),
        ("sharpness", "SAM's sharpness"),
        ("largest_eigenvalue", "largest eigenvalue"),
    ]
    figure = new_figure(4.6)
    grid = figure.subplots(2, 3, sharex=True)
    splits = list(dict.fromkeys(table["split"]))
    for axes, (column, label) in zip(grid.flat, panels, strict=True):
        if table[column].isna().all():
            axes.set_visible(False)
            continue
        for index, split in enumerate(splits):
            part = table[table["split"] == split].dropna(subset=column)
            _draw_split(axes, part, column, index, theme)
        values = table[column].dropna()
        if values.min() > 0 and values.max() > _LOG_FROM * values.min() and column != "accuracy":
            set_log_axis(axes.yaxis, float(values.min()), float(values.max()), most=5)
        axes.set_ylabel(label)
        _set_sizes(axes, sorted(table["batch_size"].unique()))
    for axes in grid[-1]:
        axes.set_xlabel("batch size")
    marks = [series_mark(index, theme) for index in range(len(splits))]
    handles = [
        Line2D([], [], color=mark.color, marker=mark.marker, linestyle=mark.line) for mark in marks
    ]
    legend_below(figure, handles, ["training" if split == "train" else split for split in splits])
    return figure


def _set_sizes(axes: Axes, sizes: list[int]) -> None:
    """Make the horizontal axis logarithmic, with ticks at as many batch sizes as fit."""
    ticks = sizes[:1]
    if len(sizes) > 1:
        set_log_axis(axes.xaxis, sizes[0], sizes[-1], most=4)
        room = (sizes[-1] / sizes[0]) ** _TICK_ROOM
        for size in sizes[1:]:
            if size > ticks[-1] * room:
                ticks.append(size)
    axes.set_xticks(ticks, [short_number(size) for size in ticks])


def _draw_split(axes: Axes, part: pd.DataFrame, column: str, index: int, theme: Theme) -> None:
    mark = series_mark(index, theme)
    means = part.groupby("batch_size")[column].mean()
    axes.plot(means.index, means, color=mark.color, linestyle=mark.line, linewidth=1.3)
    axes.scatter(part["batch_size"], part[column], s=20, color=mark.color, marker=mark.marker)
