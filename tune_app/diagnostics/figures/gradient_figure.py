"""Draw gradient norm and loss by epoch and by step."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tune_app.diagnostics.figures.series import MOST_LABELLED, thinned, whole_ticks
from tune_app.report.figures.axes import legend_below, set_log_axis
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import Theme, new_figure, series_mark

LOSS_LINE: Any = (0, (4, 1.5))
_WINDOWS = 50  # a running median covers the 50th part of a training


def epoch_figure(table: pd.DataFrame, unit: str) -> ReportFigure:
    """Return a figure of a table of `gradients_by_epoch`, with a colour for each trial."""
    return ReportFigure(
        "gradients",
        "Gradient norm and training loss by epoch",
        "Solid lines (left axis): the gradient norm, averaged over steps of the epoch. Dashed "
        "lines "
        f"(right axis): the mean training loss ({unit}) of the epoch, measured while the weights "
        "change. With 100 epochs or more, lines are running medians over a fiftieth of the epochs. "
        "Both axes are logarithmic.",
        lambda theme: _draw_epochs(table, unit, theme),
    )


def _draw_epochs(table: pd.DataFrame, unit: str, theme: Theme) -> Figure:
    trials = list(table.groupby("trial", sort=False))
    figure = new_figure(3.4)
    axes = figure.subplots()
    right = _second_axis(axes)
    colors = theme.colors.series
    alone = len(trials) == 1  # then the two lines have different colours
    for index, (_, trial) in enumerate(trials):
        color = series_mark(index, theme).color
        other = colors[1] if alone else color
        curves = trial.set_index("epoch")
        _draw_noisy(axes, curves["grad_norm"], color, "-")
        _draw_noisy(right, curves["train_loss"], other, LOSS_LINE)
    whole_ticks(axes, "epoch")
    _scale(axes, table["grad_norm"], "gradient norm")
    _scale(right, table["train_loss"], f"training loss ({unit})")
    muted = theme.colors.muted
    handles = [
        Line2D([], [], color=colors[0] if alone else muted),
        Line2D([], [], color=colors[1] if alone else muted, linestyle=LOSS_LINE),
    ]
    labels = ["gradient norm", "training loss"]
    if 1 < len(trials) <= MOST_LABELLED:
        for index, (name, _) in enumerate(trials):
            handles.append(Line2D([], [], color=series_mark(index, theme).color))
            labels.append(str(name))
    legend_below(figure, handles, labels)
    return figure


def step_figure(table: pd.DataFrame, trial: str, unit: str) -> ReportFigure:
    """Return a figure of `gradients_by_step` of a trial: the whole network, and each layer."""
    return ReportFigure(
        f"gradients-by-step-{trial}",
        f"Gradient norm by step, trial {trial}",
        "Above: the gradient norm of each batch (left axis) and the loss of the batch "
        f"({unit}, right axis). Below: the norms of the layers, whose squares add up to the square "
        "of the whole norm. Lines are running medians over a fiftieth of the steps, with the "
        "single values in pale; all axes of norms and losses are logarithmic.",
        lambda theme: _draw_steps(table, unit, theme),
    )


def _draw_steps(table: pd.DataFrame, unit: str, theme: Theme) -> Figure:
    figure = new_figure(5.6)
    above, below = figure.subplots(2, 1, sharex=True)
    right = _second_axis(above)
    curves = table.set_index("step")
    colors = theme.colors.series
    for axes, column, color, line in (
        (above, "grad_norm", colors[0], "-"),
        (right, "loss", colors[1], LOSS_LINE),
    ):
        _draw_noisy(axes, curves[column], color, line)
    _scale(above, table["grad_norm"], "gradient norm")
    _scale(right, table["loss"], f"loss of the batch ({unit})")
    columns = [str(name) for name in table.columns if str(name).startswith("grad_norm.")]
    handles, labels = [], []
    for index, column in enumerate(columns):
        mark = series_mark(index, theme)
        _draw_noisy(below, curves[column], mark.color, mark.line)
        handles.append(Line2D([], [], color=mark.color, linestyle=mark.line))
        labels.append(column.partition(".")[2])
    _scale(below, pd.concat([table[column] for column in columns]), "gradient norm of a layer")
    whole_ticks(below, "step")
    two = [
        Line2D([], [], color=colors[0]),
        Line2D([], [], color=colors[1], linestyle=LOSS_LINE),
    ]
    figure.legend(two, ["gradient norm", "loss"], loc="outside upper left", ncols=2)
    legend_below(figure, handles, labels)
    return figure


def _draw_noisy(axes: Axes, curve: pd.Series, color: str, line: Any) -> None:
    """Draw values over their index; many values are pale, with their running median on top."""
    window = max(1, len(curve) // _WINDOWS)
    if window > 1:
        shown = thinned(curve)
        axes.plot(shown.index, shown, color=color, alpha=0.2, linewidth=0.6)
    middle = thinned(curve.rolling(window, center=True, min_periods=1).median())
    axes.plot(middle.index, middle, color=color, linestyle=line, linewidth=1.4)


def _second_axis(axes: Axes) -> Axes:
    right = axes.twinx()
    right.grid(False)
    right.spines["right"].set_visible(True)
    right.spines["left"].set_visible(False)
    return right


def _scale(axes: Axes, values: pd.Series, label: str) -> None:
    known = values[values > 0].dropna()
    if len(known) and known.max() > 1.5 * known.min():
        set_log_axis(axes.yaxis, float(known.min()), float(known.max()))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_ylabel(label)
