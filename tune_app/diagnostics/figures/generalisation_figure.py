"""Draw loss, accuracy and their generalisation gaps against the number of weights."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tune_app.report.figures.axes import legend_below, set_log_axis
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import Theme, new_figure, series_mark

_LOG_FROM = 10.0  # ratio of the largest to the smallest loss from which the axis is logarithmic


def generalisation_figure(table: pd.DataFrame, unit: str) -> ReportFigure:
    """Return a figure of a `generalisation_table`."""
    held_out = " and ".join(table["held_out"].unique())
    return ReportFigure(
        "generalisation",
        "Weights and generalisation",
        f"Above: loss ({unit}) and accuracy on the training examples and on the held-out examples "
        f"({held_out}), with a mark for each trial and a line through the medians of each size. "
        "Below: the gap between them; it is positive if results on held-out examples are worse. "
        "The axis of the weights is logarithmic.",
        lambda theme: _draw(table, unit, held_out, theme),
    )


def _draw(table: pd.DataFrame, unit: str, held_out: str, theme: Theme) -> Figure:
    kinds = ["loss"] + (["accuracy"] if table["held_out_accuracy"].notna().all() else [])
    figure = new_figure(4.6)
    grid = figure.subplots(
        2, len(kinds), sharex=True, squeeze=False, gridspec_kw={"height_ratios": (3, 2)}
    )
    for column, kind in enumerate(kinds):
        above, below = grid[:, column]
        for index, split in enumerate(("train", "held_out")):
            _draw_points(above, table, f"{split}_{kind}", index, theme)
        _draw_points(below, table, f"{kind}_gap", 2, theme)
        below.axhline(0, color=theme.colors.muted, linewidth=0.8)
        above.set_ylabel(f"loss ({unit})" if kind == "loss" else "accuracy")
        below.set_ylabel(f"gap of the {kind}")
        below.set_xlabel("weights")
        set_log_axis(
            below.xaxis, float(table["weights"].min()), float(table["weights"].max()), most=5
        )
    losses = pd.concat([table["train_loss"], table["held_out_loss"]])
    if losses.min() > 0 and losses.max() > _LOG_FROM * losses.min():
        set_log_axis(grid[0, 0].yaxis, float(losses.min()), float(losses.max()))
    marks = [series_mark(index, theme) for index in range(3)]
    handles = [
        Line2D([], [], color=mark.color, marker=mark.marker, linestyle=mark.line) for mark in marks
    ]
    legend_below(figure, handles, ["training", held_out, "gap"])
    return figure


def _draw_points(axes: Axes, table: pd.DataFrame, column: str, index: int, theme: Theme) -> None:
    mark = series_mark(index, theme)
    middle = table.groupby("size")[column].median()
    axes.plot(middle.index, middle, color=mark.color, linestyle=mark.line, linewidth=1.4)
    axes.scatter(table["weights"], table[column], s=18, color=mark.color, marker=mark.marker)
