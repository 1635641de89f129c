"""Draw a reliability diagram and the accuracy of each class."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.networks.images import short_name
from tune_app.report.figures.style import Theme, new_figure, series_mark, short_number


def calibration_figure(table: pd.DataFrame, error: float, *, name: str, split: str) -> ReportFigure:
    """Return the reliability diagram of a table of `calibration.reliability`."""
    return ReportFigure(
        name,
        f"Calibration ({split} split)",
        f"Above: the accuracy of the predictions in each range of confidence (their softmax "
        f"probability), with 95 % Wilson intervals. On the diagonal, confidence equals accuracy; "
        f"below it, the network is overconfident. Below: the number of predictions. The "
        f"expected calibration error over {len(table)} ranges is {100 * error:.2f} points.",
        lambda theme: _draw_calibration(table, theme),
    )


def _draw_calibration(table: pd.DataFrame, theme: Theme) -> Figure:
    figure = new_figure(4.8, width=5.0)
    above, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (3, 1)})
    mark = series_mark(0, theme)
    above.plot([0, 1], [0, 1], color=theme.colors.muted, linestyle=(0, (1, 1.5)), linewidth=1)
    above.errorbar(
        table["confidence"],
        table["accuracy"],
        yerr=_ends(table),
        color=mark.color,
        marker=mark.marker,
        markersize=4.5,
        capsize=2.5,
        elinewidth=1,
        linewidth=1.2,
    )
    above.set(ylabel="accuracy", ylim=(-0.02, 1.02), xlim=(0, 1.01))
    widths = table["high"] - table["low"]
    below.bar(
        table["low"],
        table["examples"],
        width=widths,
        align="edge",
        color=mark.color,
        edgecolor=theme.colors.background,
        linewidth=0.8,
    )
    below.set(xlabel="confidence", ylabel="predictions", yscale="log")
    below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    below.minorticks_off()
    return figure


def classes_figure(table: pd.DataFrame, *, name: str, split: str) -> ReportFigure:
    """Return a figure of a table of `calibration.accuracy_by_class`, the worst class last."""
    ordered = table.sort_values("accuracy", ascending=False, kind="stable")
    return ReportFigure(
        name,
        f"Accuracy by class ({split} split)",
        "The share of correctly classified examples of each class, with 95 % Wilson intervals; "
        "the line is the accuracy over all examples.",
        lambda theme: _draw_classes(ordered, theme),
    )


def _draw_classes(table: pd.DataFrame, theme: Theme) -> Figure:
    figure = new_figure(max(1.2, 0.55 + 0.24 * len(table)))
    axes = figure.subplots()
    mark = series_mark(0, theme)
    places = range(len(table))
    axes.errorbar(
        table["accuracy"],
        places,
        xerr=_ends(table),
        marker=mark.marker,
        markersize=5,
        color=mark.color,
        linestyle="",
        capsize=2.5,
    )
    every = table["right"].sum() / table["examples"].sum()
    axes.axvline(every, color=theme.colors.muted, linestyle=(0, (4, 1.5)), linewidth=1)
    names = [
        f"{short_name(str(name))} ({count:,})"
        for name, count in zip(table["class"], table["examples"], strict=True)
    ]
    axes.set_yticks(list(places), names)
    axes.set(xlabel="accuracy", ylim=(len(table) - 0.5, -0.5))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    return figure


def _ends(table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return the lengths of the interval below and above the accuracy, at least 0."""
    low = (table["accuracy"] - table["accuracy_low"]).clip(lower=0)
    return low, (table["accuracy_high"] - table["accuracy"]).clip(lower=0)
