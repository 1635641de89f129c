"""Axes of weights, metrics and parameters: where they begin and end, and what their ticks say."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from tune_app.config.fields import freeze, same
from tune_app.config.space import Choice, FloatRange, IntRange, Parameter
from tune_app.config.sweep import SweepConfig
from tune_app.report.figures.style import short_number
from tune_app.results.layout import value_text
from tune_app.results.ranking import rank_rows
from tune_app.results.store import SweepRecord
from tune_app.results.table import objective_of

Row = Mapping[str, Any]

EARLY = ("stopped", "timeout", "interrupted")
_FENCE = 3.0  # interquartile ranges: farther out, Tukey (1977) calls a value "far out"
_WORDS = {"val": "validation", "train": "training", "test": "test"}


def scored_rows(rows: Sequence[Row], sweep: SweepRecord) -> list[dict[str, Any]]:
    """Return the trials of a search that have a result, best first."""
    return rank_rows(rows, *objective_of(sweep))


def metric_label(metric: str, sweep: SweepRecord) -> str:
    """Return "validation accuracy", or "validation loss (nats)" with the unit of the loss."""
    split, _, kind = metric.partition("_")
    if kind == "accuracy":
        return f"{_WORDS[split]} accuracy"
    loss = sweep.config.get("parameters", {}).get("loss", "cross_entropy")
    units = {"mse": " (mean squared error)", "cross_entropy": " (nats)"}
    return f"{_WORDS[split]} loss{units.get(loss, '') if isinstance(loss, str) else ''}"


def is_log_metric(metric: str, values: Sequence[float]) -> bool:
    """Tell whether a metric is drawn on a logarithmic axis: losses are, while above 0."""
    return metric.endswith("loss") and all(value > 0 for value in values)


def visible_range(values: Sequence[float], mode: str, *, log: bool = False) -> tuple[float, float]:
    """Return the lowest and highest of `values` that an axis should show.

    All, but for those far worse than the bulk: more than three interquartile ranges (of the
    logarithms with `log`) beyond the worse quartile. One network that learnt nothing would
    squeeze all others into a line.
    """
    scaled = np.log10(values) if log else np.asarray(values, dtype=float)
    low, high = np.quantile(scaled, [0.25, 0.75])
    reach = _FENCE * (high - low)
    seen = scaled >= low - reach if mode == "max" else scaled <= high + reach
    shown = [value for value, is_seen in zip(values, seen, strict=True) if is_seen]
    return min(shown), max(shown)


def log_ticks(low: float, high: float) -> list[float]:
    """Return round numbers from `low` to `high` for a logarithmic axis, at least two.

    >>> log_ticks(8_000, 130_000)
    [10000.0, 20000.0, 50000.0, 100000.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        every = -(-len(powers) // 6) if digits == (1,) else 1
        ticks = [digit * 10.0**power for power in powers[::every] for digit in digits]
        within = [tick for tick in ticks if low <= tick <= high]
        if len(within) >= 3:
            return within
    return [float(tick) for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]


def set_log_axis(
    axis: XAxis | YAxis, low: float, high: float, text: Callable[[float], str] = short_number
) -> None:
    """Make an axis logarithmic from `low` to `high`, and a little beyond, with round ticks."""
    room = max((high / low) ** 0.06, 1.02)
    low, high = low / room, high * room
    axis.axes.set(**{f"{axis.axis_name}scale": "log", f"{axis.axis_name}lim": (low, high)})
    ticks = log_ticks(low, high)
    axis.set_minor_locator(NullLocator())
    axis.set_ticks(ticks, [text(tick) for tick in ticks])


def set_metric_axis(
    axis: XAxis | YAxis, metric: str, mode: str, values: Sequence[float]
) -> float | None:
    """Scale an axis to the visible part of `values`.

    Returns the end of the axis at which what lies beyond is to be drawn; None where all is seen.
    """
    log = is_log_metric(metric, values)
    low, high = visible_range(values, mode, log=log)
    if log:
        set_log_axis(axis, low, high)
    else:
        room = (high - low) * 0.06 or abs(high) * 0.05 or 0.05
        top = min(high + room, max(1.0, high)) if metric.endswith("accuracy") else high + room
        axis.axes.set(**{f"{axis.axis_name}lim": (low - room, top)})
    bottom, top = axis.get_view_interval()
    if mode == "max":
        return float(bottom) if min(values) < low else None
    return float(top) if max(values) > high else None


def legend_below(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Set a legend under a figure's axes, in as many columns as its labels leave room for."""
    if not labels:
        return
    widest = max(len(line) for label in labels for line in label.split("\n"))
    columns = max(1, min(len(labels), int(figure.get_figwidth() * 14) // (widest + 7)))
    figure.legend(handles, labels, loc="outside lower left", ncols=columns)


def shorten(text: str, longest: int) -> str:
    """Return `text` in at most so many characters, its middle left out where it is longer.

    >>> shorten("1024-512-256-128", 11)
    '1024-…6-128'
    """
    if len(text) <= longest:
        return text
    head = longest // 2
    return f"{text[:head]}…{text[len(text) - (longest - head - 1) :]}"


@dataclass(frozen=True)
class ParameterScale:
    """Where a parameter's values lie on an axis: numbers from `low` to `high`, or categories."""

    name: str
    low: float
    high: float
    log: bool = False
    whole: bool = False
    values: tuple[Any, ...] = ()  # the categories, at 0, 1, 2, ...

    @property
    def categories(self) -> list[str]:
        """The texts of the categories."""
        return [value_text(value, self.name) or "none" for value in self.values]

    def place(self, value: Any) -> float:
        """Return where `value` lies, in the axis' own units."""
        if not self.values:
            return float(value)
        frozen = freeze(value)
        return float(next(i for i, own in enumerate(self.values) if same(frozen, own)))

    def share(self, place: float) -> float:
        """Return how far along the axis a place is, from 0 to 1."""
        if self.low == self.high:
            return 0.5
        if self.log:
            return math.log(place / self.low) / math.log(self.high / self.low)
        return (place - self.low) / (self.high - self.low)

    def ticks(self) -> tuple[list[float], list[str]]:
        """Return the places of ticks, and their texts."""
        if self.values:
            return [float(index) for index in range(len(self.values))], self.categories
        if self.log:
            places = log_ticks(self.low, self.high)
        else:
            locator = MaxNLocator(5, integer=self.whole, steps=[1, 2, 2.5, 5, 10])
            edge = 1e-9 * (self.high - self.low)
            places = [
                float(place)
                for place in locator.tick_values(self.low, self.high)
                if self.low - edge <= place <= self.high + edge
            ]
        return places, [f"{place:.4g}" if place < 1e4 else short_number(place) for place in places]


def parameter_scales(rows: Sequence[Row], sweep: SweepRecord) -> list[ParameterScale]:
    """Return the scales of the parameters that differ between these trials, in the file's order.

    A sweep with several budgets has `budget` for its first one.
    """
    space = SweepConfig.from_dict(sweep.config).space
    scales = []
    if len(drawn_for := {row["budget"] for row in rows}) > 1:
        budgets = tuple(budget for budget in sweep.budgets if budget in drawn_for)
        scales.append(ParameterScale("budget", 0, len(budgets) - 1, values=budgets))
    for name in sweep.config.get("parameters", {}):
        values = [row["parameters"].get(name) for row in rows]
        if name in space.varied and any(value != values[0] for value in values):
            scales.append(_scale(name, space[name]))
    return scales


def parameter_value(row: Row, name: str) -> Any:
    """Return the value that a trial has of a parameter, or its budget; None without."""
    return row["budget"] if name == "budget" else row["parameters"].get(name)


def _scale(name: str, parameter: Parameter) -> ParameterScale:
    if isinstance(parameter, IntRange | FloatRange):
        whole = isinstance(parameter, IntRange)
        return ParameterScale(name, parameter.low, parameter.high, parameter.log, whole)
    assert isinstance(parameter, Choice)
    return ParameterScale(name, 0, len(parameter.values) - 1, values=parameter.values)
