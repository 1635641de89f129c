"""Draw the minimum ratio and the gradient norm of trainings against the loss."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tune_app.report.figures.axes import legend_below, point_area, set_log_axis
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import Theme, new_figure, series_mark


def curvature_figure(table: pd.DataFrame, unit: str) -> ReportFigure:
    """Return a figure of the table of `diagnose_curvature`."""
    caption = (
        f"Left: the share of positive eigenvalues of the Hessian against the loss ({unit}) after "
        "the gradient norm was minimised, with a mark for each training. Right: the gradient norm "
        "against the loss, before and after this minimisation."
    )
    if (table["method"] == "lanczos").any():
        caption += " Error bars are standard errors of the Lanczos estimate."
    return ReportFigure(
        "curvature",
        "Minimum ratio and loss",
        caption,
        lambda theme: _draw(table, unit, theme),
    )


def _draw(table: pd.DataFrame, unit: str, theme: Theme) -> Figure:
    figure = new_figure(3.4)
    left, right = figure.subplots(1, 2)
    area = point_area(len(table))
    for index, (_, part) in enumerate(table.groupby("method", sort=True)):
        mark = series_mark(index, theme)
        left.errorbar(
            part["loss"],
            part["minimum_ratio"],
            yerr=part["minimum_ratio_error"].fillna(0),
            markersize=area**0.5 * 0.9,
            elinewidth=0.9,
            markeredgecolor=theme.colors.background,
            markeredgewidth=0.4,
            color=mark.color,
            linestyle="",
            marker=mark.marker,
        )
    states = (("before", "loss_before", "grad_norm_before"), ("after", "loss", "grad_norm"))
    handles, labels = [], []
    for index, (name, loss, norm) in enumerate(states, start=2):
        mark = series_mark(index, theme)
        right.scatter(table[loss], table[norm], s=area, color=mark.color, marker=mark.marker)
        handles.append(Line2D([], [], color=mark.color, marker=mark.marker, linestyle=""))
        labels.append(f"{name} the gradient norm was minimised")
    left.set(xlabel=f"loss ({unit})", ylabel="minimum ratio")
    right.set(xlabel=f"loss ({unit})", ylabel="gradient norm")
    for axis, columns in (
        (left.xaxis, ("loss",)),
        (right.xaxis, ("loss", "loss_before")),
        (right.yaxis, ("grad_norm", "grad_norm_before")),
    ):
        values = pd.concat([table[column] for column in columns])
        if values.min() > 0 and values.max() > 2 * values.min():
            set_log_axis(axis, float(values.min()), float(values.max()), most=5)
    legend_below(figure, handles, labels)
    return figure
