"""Parallel coordinates: each trial is a line through the values of its parameters."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import NullLocator

from tune_app.report.figures.axes import (
    ParameterScale,
    is_log_metric,
    log_ticks,
    metric_label,
    metric_range,
    parameter_scales,
    parameter_value,
    scored_rows,
    shorten,
)
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import Theme, merit_colors, new_figure, short_number
from tune_app.results.store import SweepRecord
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import objective_of

MISSING = -0.14  # the height at which a trial without a parameter crosses its axis
_BEST_SHARE, _MOST_BEST = 0.1, 10
_MOST_TICKS = 12


@dataclass(frozen=True)
class ParallelNumbers:
    """The heights, 0 to 1 or MISSING, at which each trial crosses each axis; best trial first."""

    scales: tuple[ParameterScale, ...]
    heights: tuple[tuple[float, ...], ...]  # a row for each trial
    values: tuple[float, ...]  # the objective
    best: int  # the number of best trials that are drawn on top


def parallel_numbers(rows: Sequence[TrialRow], sweep: SweepRecord) -> ParallelNumbers:
    """Return the lines of the trials with a result through the parameters that vary."""
    metric, _ = objective_of(sweep)
    ranked = scored_rows(rows, sweep)
    scales = parameter_scales(ranked, sweep)
    return ParallelNumbers(
        scales=tuple(scales),
        heights=tuple(tuple(_height(row, scale) for scale in scales) for row in ranked),
        values=tuple(row.result(metric) for row in ranked),
        best=min(_MOST_BEST, max(1, round(_BEST_SHARE * len(ranked)))),
    )


def _height(row: TrialRow, scale: ParameterScale) -> float:
    value = parameter_value(row, scale.name)
    if value is None and None not in scale.values:
        return MISSING
    return scale.share(scale.place(value))


def parallel_figure(rows: Sequence[TrialRow], sweep: SweepRecord) -> ReportFigure:
    """Return a figure of the parallel coordinates of a search."""
    numbers = parallel_numbers(rows, sweep)
    metric, mode = objective_of(sweep)
    label = metric_label(metric, sweep)
    unused = any(MISSING in line for line in numbers.heights)
    return ReportFigure(
        "parallel-coordinates",
        "Parallel coordinates",
        f"Each line is a trial with a result, coloured by {label.split(' (')[0]}; the best"
        f" {'one is' if numbers.best == 1 else f'{numbers.best} are'} drawn thick and on top."
        + (" A line passes below an axis if the trial does not have that parameter." * unused),
        lambda theme: draw_parallel(numbers, label, mode, theme),
    )


def draw_parallel(numbers: ParallelNumbers, label: str, mode: str, theme: Theme) -> Figure:
    """Draw the numbers of `parallel_numbers`; `label` names the objective."""
    figure = new_figure(3.9)
    axes = figure.subplots()
    log = "loss" in label and is_log_metric("loss", numbers.values)
    shown = metric_range(numbers.values, mode, log=log)
    low, high = shown.low, shown.high
    # Without the tiny margin, equal values would give a norm of width 0, which divides by zero.
    norm = LogNorm(low, high * (1 + 1e-9)) if log else Normalize(low, high + 1e-12)
    colors = ScalarMappable(norm, merit_colors(theme, mode))
    places = np.arange(len(numbers.scales))
    lines = [np.column_stack([places, heights]) for heights in numbers.heights]
    shades = colors.to_rgba(np.array(numbers.values))
    for part, width, alpha in (
        (slice(numbers.best, None), 0.8, 0.45),
        (slice(0, numbers.best), 2.0, 1.0),
    ):
        # Worst first, so that better ones lie on top.
        axes.add_collection(
            LineCollection(
                lines[part][::-1], colors=shades[part][::-1], linewidths=width, alpha=alpha
            )
        )
    _draw_axes(axes, numbers, theme)
    bar = figure.colorbar(colors, ax=axes, pad=0.03, aspect=30, label=label)
    bar.outline.set_visible(False)
    if log:
        ticks = log_ticks(low, high)
        bar.ax.yaxis.set_minor_locator(NullLocator())
        bar.set_ticks(ticks, labels=[short_number(tick) for tick in ticks])
    return figure


def _draw_axes(axes: Axes, numbers: ParallelNumbers, theme: Theme) -> None:
    """Draw a vertical line for each parameter, with ticks on its right and its name below."""
    count = len(numbers.scales)
    # About 105 characters of tick labels fit side by side; each axis gets its part of them.
    longest = max(6, int(105 / count))
    # An outline in the colour of the page keeps labels legible where lines cross them.
    outline = [withStroke(linewidth=2, foreground=theme.colors.background)]
    unused = False
    for place, scale in enumerate(numbers.scales):
        axes.vlines(place, 0, 1, color=theme.colors.muted, linewidth=1, zorder=3)
        ticks, texts = scale.ticks()
        every = -(-len(ticks) // _MOST_TICKS)
        for tick, text in zip(ticks[::every], texts[::every], strict=True):
            axes.text(
                place + 0.04,
                scale.share(tick),
                shorten(text, longest),
                fontsize=7,
                va="center",
                path_effects=outline,
                zorder=4,
            )
        if any(heights[place] == MISSING for heights in numbers.heights):
            unused = True
            axes.plot([place], [MISSING], marker="_", color=theme.colors.muted, zorder=3)
            axes.text(place, MISSING - 0.03, "not used", fontsize=7, ha="center", va="top")
    axes.set_yticks([])
    names = [shorten(scale.name, 22) for scale in numbers.scales]
    axes.set_xticks(range(count), names, rotation=30, ha="right", rotation_mode="anchor")
    axes.tick_params(axis="x", length=0)
    axes.set(
        xlim=(-0.08, count - 1 + 0.08 * count), ylim=(MISSING - 0.1 if unused else -0.05, 1.05)
    )
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
