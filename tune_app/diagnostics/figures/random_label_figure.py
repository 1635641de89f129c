"""Draw loss and accuracy by epoch for true and random labels."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tune_app.diagnostics.figures.series import whole_ticks
from tune_app.report.figures.axes import legend_below, set_log_axis
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import Theme, new_figure, series_mark

_TRAIN_LINE = (0, (4, 1.5))
_LOG_FROM = 10.0  # ratio of the largest to the smallest loss from which the axis is logarithmic


def random_labels_figure(table: pd.DataFrame, chance: float) -> ReportFigure:
    """Return a figure of a table of `recorded_epochs` with both kinds of `labels`."""
    return ReportFigure(
        "random_labels",
        "True and random labels",
        "Loss (nats, or mean squared error) and accuracy by epoch. Solid lines show validation "
        "examples, dashed lines training examples; the dotted line is the accuracy of guessing.",
        lambda theme: _draw(table, chance, theme),
    )


def _draw(table: pd.DataFrame, chance: float, theme: Theme) -> Figure:
    figure = new_figure(3.4)
    losses, accuracies = figure.subplots(1, 2)
    handles, labels = [], []
    for index, (name, part) in enumerate(table.groupby("labels", sort=False)):
        mark = series_mark(index, theme)
        for axes, kind in ((losses, "loss"), (accuracies, "accuracy")):
            axes.plot(part["epoch"], part[f"val_{kind}"], color=mark.color, linewidth=1.6)
            axes.plot(
                part["epoch"],
                part[f"train_{kind}"],
                color=mark.color,
                linestyle=_TRAIN_LINE,
                lw=1.3,
            )
        handles.append(Line2D([], [], color=mark.color))
        labels.append(f"{name} labels")
    values = pd.concat([table["train_loss"], table["val_loss"]]).dropna()
    if values.min() > 0 and values.max() > _LOG_FROM * values.min():
        set_log_axis(losses.yaxis, float(values.min()), float(values.max()))
    muted = theme.colors.muted
    accuracies.axhline(chance, color=muted, linestyle=(0, (1, 1.5)), linewidth=1)
    accuracies.set(ylabel="accuracy", ylim=(0, 1.02))
    losses.set(ylabel="loss")
    for axes in (losses, accuracies):
        whole_ticks(axes, "epoch")
    handles += [Line2D([], [], color=muted), Line2D([], [], color=muted, linestyle=_TRAIN_LINE)]
    legend_below(figure, handles, [*labels, "validation", "training"])
    return figure
