"""Axes of weights, metrics and parameters: their ranges, ticks and labels; and legends."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.markers import CARETDOWN, CARETUP
from matplotlib.ticker import MaxNLocator, NullLocator

from tune_app.config.parsing.fields import freeze, same
from tune_app.config.space import Choice, FloatRange, IntRange, Parameter
from tune_app.report.figures.style import short_number
from tune_app.results.ranking import rank_rows
from tune_app.results.store import SweepRecord
from tune_app.results.tables.layout import value_text
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import objective_of

_CHARACTERS_PER_INCH = 15  # of a legend
_HANDLE_WIDTH = 8  # characters: a legend's handle and the space around it
_FENCE = 3.0  # interquartile ranges: Tukey (1977) calls values beyond this fence "far out"
_WORDS = {"val": "validation", "train": "training", "test": "test"}


def scored_rows(rows: Sequence[TrialRow], sweep: SweepRecord) -> list[TrialRow]:
    """Return the trials of a search that have a result, best first."""
    return rank_rows(rows, *objective_of(sweep))


def metric_label(metric: str, sweep: SweepRecord) -> str:
    """Return "validation accuracy", or "validation loss (nats)" with the unit of the loss.

    Metrics that the search file adds are called by their names there.
    """
    split, _, kind = metric.partition("_")
    if kind == "accuracy":
        return f"{_WORDS[split]} accuracy"
    if kind != "loss":
        return f"{_WORDS[split]} {kind}"
    loss = sweep.config.get("parameters", {}).get("loss", "cross_entropy")
    units = {"mse": " (MSE)", "cross_entropy": " (nats)"}
    return f"{_WORDS[split]} loss{units.get(loss, '') if isinstance(loss, str) else ''}"


def is_log_metric(metric: str, values: Sequence[float]) -> bool:
    """Tell whether a metric has a logarithmic axis: losses do, if all of them are above 0."""
    return metric.endswith("loss") and all(value > 0 for value in values)


@dataclass(frozen=True)
class MetricRange:
    """The values of a metric that an axis shows, from `low` to `high`, both included."""

    low: float
    high: float
    log: bool
    mode: str  # "max" where more is better

    def hides(self, value: float) -> bool:
        """Tell whether a value is too bad to be shown."""
        return value < self.low if self.mode == "max" else value > self.high

    def with_values(self, values: Sequence[float]) -> "MetricRange":
        """Return the range extended to include these values."""
        return replace(self, low=min(self.low, *values), high=max(self.high, *values))


def metric_range(
    values: Sequence[float], mode: str, *, log: bool = False, fence: float = _FENCE
) -> MetricRange:
    """Return the range of `values` that an axis should show.

    Values that are much worse than most are left out: more than `fence` interquartile ranges (of
    the logarithms with `log`) beyond the worse quartile. Otherwise one network that learnt nothing
    would squeeze all others into a line. Good values are always shown, however far they stand out.
    """
    # Quartiles ignore a few extreme values, unlike mean and deviation, which these would inflate.
    scaled = np.log10(values) if log else np.asarray(values, dtype=float)
    low, high = np.quantile(scaled, [0.25, 0.75])
    reach = fence * (high - low)
    seen = scaled >= low - reach if mode == "max" else scaled <= high + reach
    shown = [value for value, is_seen in zip(values, seen, strict=True) if is_seen]
    return MetricRange(min(shown), max(shown), log, mode)


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return up to `most` round numbers from `low` to `high` for a logarithmic axis.

    >>> log_ticks(8_000, 130_000)
    [10000.0, 20000.0, 50000.0, 100000.0]
    """
    # From dense to sparse sets of digits, take the first that gives between 2 and `most` ticks. On
    # an axis of many decades even one tick per decade is too many: then keep every second or third
    # decade. On an axis of less than a decade no set may give two: then use evenly spaced ticks.
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 5), (1, 3), (1,)):
        ticks = [digit * 10.0**power for power in powers for digit in digits]
        within = [tick for tick in ticks if low <= tick <= high]
        if 2 <= len(within) <= most:
            return within
    if len(within) > most:
        return within[:: -(-len(within) // most)]
    return [
        float(tick)
        for tick in MaxNLocator(3, steps=[1, 2, 5, 10]).tick_values(low, high)
        if low <= tick <= high
    ]


def set_log_axis(axis: XAxis | YAxis, low: float, high: float, *, most: int = 6) -> None:
    """Make an axis logarithmic, with a margin beyond `low` and `high`, and with round ticks."""
    # On a logarithmic axis a margin of 6 % of the length is this factor; 2 % where low equals high.
    room = max((high / low) ** 0.06, 1.02)
    low, high = low / room, high * room
    axis.axes.set(**{f"{axis.axis_name}scale": "log", f"{axis.axis_name}lim": (low, high)})
    ticks = log_ticks(low, high, most)
    axis.set_minor_locator(NullLocator())
    axis.set_ticks(ticks, [short_number(tick) for tick in ticks])


def set_metric_axis(axis: XAxis | YAxis, metric: str, shown: MetricRange) -> None:
    """Scale an axis to a range of a metric with a margin; the axis of an accuracy ends at 1."""
    if shown.log:
        set_log_axis(axis, shown.low, shown.high)
        return
    room = (shown.high - shown.low) * 0.06 or abs(shown.high) * 0.05 or 0.05
    top = shown.high + room
    if metric.endswith("accuracy"):
        top = min(top, max(1.0, shown.high))
    axis.axes.set(**{f"{axis.axis_name}lim": (shown.low - room, top)})


def legend_below(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Draw a legend below a figure's axes, in as many columns as fit."""
    if not labels:
        return
    widths = [max(map(len, label.split("\n"))) + _HANDLE_WIDTH for label in labels]
    room = figure.get_figwidth() * _CHARACTERS_PER_INCH
    for columns in range(len(labels), 0, -1):
        # Matplotlib fills a legend column by column. Where entries do not divide evenly, the
        # first columns get one more, as `array_split` does.
        if sum(max(column) for column in np.array_split(widths, columns)) <= room:
            break
    figure.legend(handles, labels, loc="outside lower left", ncols=columns)


def draw_hidden(axes: Axes, places: Sequence[float], shown: MetricRange, color: str) -> None:
    """Draw arrowheads at the edge of the vertical axis for hidden values, at these x positions."""
    bottom, top = axes.get_ylim()
    axes.scatter(
        places,
        [bottom if shown.mode == "max" else top] * len(places),
        marker=hidden_marker(shown),
        s=34,
        color=color,
        clip_on=False,
        zorder=5,
    )


def hidden_marker(shown: MetricRange) -> Any:
    """Return the marker of an arrowhead that points towards hidden values."""
    return CARETDOWN if shown.mode == "max" else CARETUP


def point_area(points: int) -> float:
    """Return the area of each point in a figure of that many, in square typographic points."""
    return 26.0 if points <= 100 else 12.0


def slant_ticks(axes: Axes) -> None:
    """Rotate the labels of the horizontal axis so that long ones do not overlap."""
    for text in axes.get_xticklabels():
        text.set(rotation=35, ha="right", rotation_mode="anchor")


def grid_shape(panels: int, most_columns: int) -> tuple[int, int]:
    """Return the lines and columns of a grid of panels: as few lines, then as few gaps as possible.

    >>> grid_shape(9, 4), grid_shape(8, 4), grid_shape(5, 4), grid_shape(2, 4)
    ((3, 3), (2, 4), (2, 3), (1, 2))
    """
    shapes = [(-(-panels // columns), columns) for columns in range(1, most_columns + 1)]
    return min(shapes, key=lambda shape: (shape[0], shape[0] * shape[1]))


def panel_grid(figure: Figure, panels: int, most_columns: int) -> list[Axes]:
    """Return a grid of axes with a common vertical scale and labels on its left side only."""
    lines, columns = grid_shape(panels, most_columns)
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for axes in grid[:, 1:].flat:
        axes.tick_params(axis="y", length=0)
    for axes in grid.flat[panels:]:
        axes.remove()
    return list(grid.flat[:panels])


def shorten(text: str, longest: int) -> str:
    """Return `text` in at most `longest` characters; the middle of a longer text is left out.

    >>> shorten("1024-512-256-128", 11)
    '1024-…6-128'
    """
    if len(text) <= longest:
        return text
    # The beginning and the end of a name say most: "1024-512-…-128", or the last part of a path.
    head = longest // 2
    return f"{text[:head]}…{text[len(text) - (longest - head - 1) :]}"


@dataclass(frozen=True)
class ParameterScale:
    """The positions of a parameter's values on an axis: numbers, or categories at 0, 1, 2, ..."""

    name: str
    low: float
    high: float
    log: bool = False
    step: float | None = None
    values: tuple[Any, ...] = ()  # the categories

    @property
    def categories(self) -> list[str]:
        """The texts of the categories."""
        return [value_text(value, self.name) or "none" for value in self.values]

    def place(self, value: Any) -> float:
        """Return the position of `value` in the units of the axis."""
        if not self.values:
            return float(value)
        frozen = freeze(value)
        return float(next(i for i, other in enumerate(self.values) if same(frozen, other)))

    def share(self, place: float) -> float:
        """Return a position as a share of the axis, from 0 at its low to 1 at its high end."""
        if self.low == self.high:
            return 0.5
        if self.log:
            return math.log(place / self.low) / math.log(self.high / self.low)
        return (place - self.low) / (self.high - self.low)

    @property
    def steps(self) -> int | None:
        """The number of steps from low to high; None for a continuous range."""
        return None if self.step is None else round((self.high - self.low) / self.step)

    def ticks(self, most: int = 6) -> tuple[list[float], list[str]]:
        """Return the positions and the texts of at most `most` ticks."""
        if self.values:
            return [float(index) for index in range(len(self.values))], self.categories
        if self.log:
            places = log_ticks(self.low, self.high, most)
        elif self.steps is not None and self.steps < most:
            places = [float(place) for place in np.linspace(self.low, self.high, self.steps + 1)]
        else:
            locator = MaxNLocator(
                most - 1, integer=(self.step or 0.5) % 1 == 0, steps=[1, 2, 2.5, 5, 10]
            )
            # Rounding may put a tick at an end of the range just outside it.
            edge = 1e-9 * (self.high - self.low)
            places = [
                float(place)
                for place in locator.tick_values(self.low, self.high)
                if self.low - edge <= place <= self.high + edge
            ]
        return places, [f"{place:.4g}" if place < 1e4 else short_number(place) for place in places]


def parameter_scales(rows: Sequence[TrialRow], sweep: SweepRecord) -> list[ParameterScale]:
    """Return scales of the parameters whose values differ between these trials, in file order.

    With several budgets, the first scale is that of `budget`.
    """
    space = sweep.sweep_config.space
    scales = []
    if len(drawn_for := {row.budget for row in rows}) > 1:
        budgets = tuple(budget for budget in sweep.budgets if budget in drawn_for)
        scales.append(ParameterScale("budget", 0, len(budgets) - 1, values=budgets))
    for name in sweep.config.get("parameters", {}):
        values = [row.parameters.get(name) for row in rows]
        if name in space.varied and any(value != values[0] for value in values):
            scales.append(_scale(name, space[name]))
    return scales


def parameter_value(row: TrialRow, name: str) -> Any:
    """Return a trial's value of a parameter, or its `budget`; None if it has none."""
    return row.budget if name == "budget" else row.parameters.get(name)


def _scale(name: str, parameter: Parameter) -> ParameterScale:
    if isinstance(parameter, IntRange | FloatRange):
        return ParameterScale(name, parameter.low, parameter.high, parameter.log, parameter.step)
    assert isinstance(parameter, Choice)
    return ParameterScale(name, 0, len(parameter.values) - 1, values=parameter.values)
