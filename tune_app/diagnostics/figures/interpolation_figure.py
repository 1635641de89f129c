"""Draw loss and accuracy along the line between the weights of two trials."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tune_app.report.figures.axes import legend_below, set_log_axis
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import Theme, new_figure, series_mark

_LOG_FROM = 10.0  # ratio of the largest to the smallest loss from which the axis is logarithmic


def interpolation_figure(table: pd.DataFrame, labels: Sequence[str], unit: str) -> ReportFigure:
    """Return a figure of a table of `interpolate`; `labels` are the trials at α = 0 and α = 1."""
    return ReportFigure(
        "interpolate",
        "On the line between two solutions",
        f"Loss ({unit}) and accuracy with the weights (1 - α)a + αb. Vertical lines mark the "
        "trials: "
        f"α = 0 is {labels[0]}, α = 1 is {labels[1]}.",
        lambda theme: _draw(table, unit, theme),
    )


def _draw(table: pd.DataFrame, unit: str, theme: Theme) -> Figure:
    kinds = ["loss"] + (["accuracy"] if table["accuracy"].notna().all() else [])
    figure = new_figure(3.2)
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    splits = list(table.groupby("split", sort=False))
    for axes, kind in zip(panels, kinds, strict=True):
        for place in (0, 1):
            axes.axvline(place, color=theme.colors.muted, linewidth=0.9)
        for index, (_, part) in enumerate(splits):
            mark = series_mark(index, theme)
            axes.plot(
                part["alpha"],
                part[kind],
                color=mark.color,
                linestyle=mark.line,
                marker=mark.marker,
                markersize=4,
                markevery=10,
            )
        _name(axes, kind, unit)
    if table["loss"].min() > 0 and table["loss"].max() > _LOG_FROM * table["loss"].min():
        set_log_axis(panels[0].yaxis, float(table["loss"].min()), float(table["loss"].max()))
    handles, names = [], []
    for index, (name, _) in enumerate(splits):
        mark = series_mark(index, theme)
        handles.append(Line2D([], [], color=mark.color, linestyle=mark.line, marker=mark.marker))
        names.append("training" if name == "train" else str(name))
    legend_below(figure, handles, names)
    return figure


def _name(axes: Axes, kind: str, unit: str) -> None:
    axes.set(xlabel="α", ylabel=f"loss ({unit})" if kind == "loss" else "accuracy")
    axes.set_xticks([-1, 0, 1, 2], ["-1", "0 (a)", "1 (b)", "2"])
