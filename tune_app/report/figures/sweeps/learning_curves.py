"""Learning curves of trials and of retrained winners: loss and accuracy by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tune_app.report.figures.axes import (
    legend_below,
    metric_label,
    metric_range,
    set_log_axis,
    set_metric_axis,
)
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import (
    Theme,
    distinguishing_labels,
    new_figure,
    series_mark,
)
from tune_app.results.ranking import is_number
from tune_app.results.store import EpochRecord, Store, SweepRecord
from tune_app.results.tables.trial_row import TrialRow

METRICS = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
_TRAIN_LINE = (0, (4, 1.5))
_LOG_FROM = 20.0  # ratio of the largest to the smallest loss from which the axis is logarithmic
_LABEL_WIDTH = 105  # characters
_FENCE = 6.0  # interquartile ranges: wide enough to show the first epochs of most curves


@dataclass(frozen=True)
class CurveLine:
    """A metric by epoch of one trial, or its mean over several trials."""

    epochs: tuple[int, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...] = ()  # sample standard deviations; empty for one trial


@dataclass(frozen=True)
class Curves:
    """The curves of a trial, or of all replicates of a winner, by metric."""

    label: str
    lines: Mapping[str, CurveLine]
    best_epoch: int | None


def trial_curves(store: Store, rows: Sequence[TrialRow]) -> list[Curves]:
    """Return the curves of each trial; labels contain the parameters in which trials differ.

    Epochs at which a metric was not finite are left out of its curve.
    """
    labels = _trial_labels(rows)
    curves = []
    for row, label in zip(rows, labels, strict=True):
        epochs = store.epochs(row.sweep, row.trial_id)
        lines = {metric: _line([epochs], metric) for metric in METRICS}
        lines = {metric: line for metric, line in lines.items() if line.epochs}
        curves.append(Curves(label, lines, row.best_epoch if "val_loss" in lines else None))
    return curves


def seed_curves(store: Store, rows: Sequence[TrialRow]) -> list[Curves]:
    """Return the curves of each retrained winner, with mean and standard deviation over seeds.

    `rows` are trials of the final stage; those with the same source are replicates of a winner.
    A curve has only epochs that every replicate has trained.
    """
    by_source: dict[str, list[TrialRow]] = {}
    for row in rows:
        by_source.setdefault(str(row.source), []).append(row)
    sources = [rows[0].changed(trial_id=source) for source, rows in by_source.items()]
    curves = []
    for label, replicates in zip(_trial_labels(sources), by_source.values(), strict=True):
        runs = [store.epochs(row.sweep, row.trial_id) for row in replicates]
        lines = {metric: _line(runs, metric) for metric in METRICS}
        curves.append(
            Curves(label, {metric: line for metric, line in lines.items() if line.epochs}, None)
        )
    return curves


def _trial_labels(rows: Sequence[TrialRow]) -> list[str]:
    described = [{"budget": row.budget, **row.parameters} for row in rows]
    if len(rows) == 1:
        return [str(rows[0].trial_id)]
    texts = distinguishing_labels(described)
    return [f"{row.trial_id}: {label}" for row, label in zip(rows, texts, strict=True)]


def _line(runs: Sequence[Sequence[EpochRecord]], metric: str) -> CurveLine:
    by_epoch: dict[int, list[float]] = {}
    for run in runs:
        for epoch in run:
            if is_number(value := epoch.measured(metric)):
                by_epoch.setdefault(epoch.epoch, []).append(value)
    complete = {
        epoch: values for epoch, values in sorted(by_epoch.items()) if len(values) == len(runs)
    }
    return CurveLine(
        epochs=tuple(complete),
        means=tuple(fmean(values) for values in complete.values()),
        stds=tuple(stdev(values) for values in complete.values()) if len(runs) > 1 else (),
    )


def learning_curves(
    store: Store,
    sweep: SweepRecord,
    rows: Sequence[TrialRow],
    *,
    name: str = "learning-curves",
    title: str = "Learning curves",
) -> ReportFigure:
    """Return the curves of the trials `rows`; more than about seven are hard to tell apart."""
    curves = trial_curves(store, rows)
    split = "Solid lines show validation data, dashed lines training data"
    return ReportFigure(
        name,
        title,
        f"{split}. A star marks the best epoch by validation, whose weights were saved. Training"
        " metrics are means over an epoch, measured while the weights change and with the trial's"
        " augmentation and dropout.",
        lambda theme: draw_curves(curves, sweep, theme),
    )


def final_curves(store: Store, sweep: SweepRecord, rows: Sequence[TrialRow]) -> ReportFigure:
    """Return the training curves of retrained winners, from their `rows` of the final stage."""
    curves = seed_curves(store, rows)
    return ReportFigure(
        "final-curves",
        "Learning curves of the retrained winners",
        "Mean over the seeds, with a band of one sample standard deviation on either side. Winners"
        " are retrained on training and validation data together, so that there is no validation"
        " curve.",
        lambda theme: draw_curves(curves, sweep, theme),
    )


def draw_curves(curves: Sequence[Curves], sweep: SweepRecord, theme: Theme) -> Figure:
    """Draw the loss and, if there is one, the accuracy next to it."""
    kinds = [
        kind
        for kind in ("loss", "accuracy")
        if any(metric.endswith(kind) for curve in curves for metric in curve.lines)
    ]
    # Long labels are wrapped, and the figure grows with their lines, so that axes keep their size.
    labels = [_wrap(curve.label) for curve in curves]
    lines = sum(label.count("\n") + 1 for label in labels)
    figure = new_figure(3.2 + 0.16 * lines)
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    marks = [series_mark(index, theme) for index in range(len(curves))]
    for axes, kind in zip(panels, kinds, strict=True):
        for index, curve in enumerate(curves):
            _draw_curve(axes, curve, kind, index, theme)
        _scale(axes, curves, kind)
        label = metric_label(f"val_{kind}", sweep).removeprefix("validation ")
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    handles: list[Any] = [Line2D([], [], color=mark.color, marker=mark.marker) for mark in marks]
    _kind_legend(figure, curves, theme)
    legend_below(figure, handles, labels)
    return figure


def _wrap(label: str) -> str:
    """Break a label into lines between two parameters."""
    lines = [""]
    for part in label.split(", "):
        longer = f"{lines[-1]}, {part}" if lines[-1] else part
        if lines[-1] and len(longer) > _LABEL_WIDTH:
            lines[-1] += ","
            lines.append(part)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def _kind_legend(figure: Figure, curves: Sequence[Curves], theme: Theme) -> None:
    """Draw a legend of the kinds of lines above the panels."""
    muted = theme.colors.muted
    handles, labels = [], []
    if any("val_loss" in curve.lines for curve in curves):
        handles.append(Line2D([], [], color=muted))
        labels.append("validation")
        handles.append(Line2D([], [], color=muted, linestyle=_TRAIN_LINE, linewidth=1.1))
        labels.append("training")
    if any(curve.best_epoch for curve in curves):
        handles.append(Line2D([], [], color=muted, marker="*", markersize=10, linestyle=""))
        labels.append("best epoch")
    if labels:
        figure.legend(handles, labels, loc="outside upper left", ncols=len(labels))


def _draw_curve(axes: Axes, curve: Curves, kind: str, index: int, theme: Theme) -> None:
    """Draw the curves of one trial, the trial `index` of the figure."""
    mark = series_mark(index, theme)
    alone = f"val_{kind}" not in curve.lines
    for split in ("train", "val"):
        line = curve.lines.get(f"{split}_{kind}")
        if line is None:
            continue
        is_main = split == "val" or alone
        # Seven markers on each line, at other epochs than those of the other trials' lines.
        every = max(1, len(line.epochs) // 7)
        axes.plot(
            line.epochs,
            line.means,
            color=mark.color,
            linestyle="-" if is_main else _TRAIN_LINE,
            linewidth=1.6 if is_main else 1.1,
            marker=mark.marker,
            markersize=5 if is_main else 3.5,
            markerfacecolor=mark.color if is_main else "none",
            markevery=(index % every, every),
        )
        if line.stds:
            low = [mean - std for mean, std in zip(line.means, line.stds, strict=True)]
            high = [mean + std for mean, std in zip(line.means, line.stds, strict=True)]
            axes.fill_between(line.epochs, low, high, color=mark.color, alpha=0.2, linewidth=0)
        if split == "val" and curve.best_epoch in line.epochs:
            axes.plot(
                [curve.best_epoch],
                [line.means[line.epochs.index(curve.best_epoch)]],
                marker="*",
                markersize=12,
                color=mark.color,
                markeredgecolor=theme.colors.ink,
                markeredgewidth=0.7,
                zorder=5,
            )


def _scale(axes: Axes, curves: Sequence[Curves], kind: str) -> None:
    """Scale the vertical axis: logarithmic for losses that fall a lot, else without outliers."""
    lines = [line for curve in curves for metric, line in curve.lines.items() if kind in metric]
    values = [mean for line in lines for mean in line.means]
    if kind == "loss" and min(values) > 0 and max(values) > _LOG_FROM * min(values):
        set_log_axis(axes.yaxis, min(values), max(values))
    else:
        shown = metric_range(values, "min" if kind == "loss" else "max", fence=_FENCE)
        set_metric_axis(axes.yaxis, kind, shown)
