"""A heat map of two parameters with the best or the mean objective in each cell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from tune_app.config.budget import format_budget
from tune_app.report.figures.axes import (
    ParameterScale,
    grid_shape,
    metric_label,
    metric_range,
    panel_grid,
    parameter_scales,
    parameter_value,
    scored_rows,
    shorten,
    slant_ticks,
)
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import Theme, merit_colors, new_figure, short_number
from tune_app.results.store import SweepRecord
from tune_app.results.tables.layout import value_text
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import objective_of

_BINS = 6
_COLUMNS = 3
_MOST_VALUES = 8  # a range of at most that many whole numbers has a bin for each of them
_MOST_NUMBERS = 150  # with more cells, a colour bar replaces the numbers in the cells
_FEWEST_TRIALS = 4
_CHARACTERS = 90  # that fit along the horizontal axes of a figure


@dataclass(frozen=True)
class Bins:
    """The bins of a parameter: one for each category or whole number, or ranges between `edges`."""

    scale: ParameterScale
    edges: tuple[float, ...]  # one more than there are bins
    labels: tuple[str, ...]  # of the bins, or of the edges for ranges

    @property
    def count(self) -> int:
        return len(self.edges) - 1

    def index(self, place: float) -> int:
        """Return the bin of a position on the axis; the last bin includes its upper edge."""
        found = int(np.searchsorted(self.edges, place, side="right")) - 1
        return min(max(found, 0), self.count - 1)


@dataclass(frozen=True)
class HeatMap:
    """The cells of a heat map: a row for each bin of `y`, a column for each bin of `x`."""

    budget: int | None
    x: Bins
    y: Bins
    values: tuple[tuple[float | None, ...], ...]  # None: no trial
    counts: tuple[tuple[int, ...], ...]


def heat_map_numbers(
    rows: Sequence[TrialRow], sweep: SweepRecord, x: str, y: str, *, statistic: str = "best"
) -> list[HeatMap]:
    """Return the "best" or "mean" objective by two parameters, with a map for each budget.

    Ranges are divided into six equal parts, on a logarithmic scale if the parameter has one. Trials
    without a result or without one of the parameters are left out.
    """
    metric, mode = objective_of(sweep)
    ranked = scored_rows(rows, sweep)
    scales = {scale.name: scale for scale in parameter_scales(ranked, sweep)}
    bins = to_bins(scales[x]), to_bins(scales[y])
    statistics: dict[str, Callable[[list[float]], float]] = {
        "mean": fmean,
        "best": max if mode == "max" else min,
    }
    pick = statistics[statistic]
    maps = []
    for budget in sorted({row.budget for row in ranked}, key=lambda budget: budget or 0):
        # Collect the results of this budget's trials by the bins (row, column) of their values.
        cells: dict[tuple[int, int], list[float]] = {}
        for row in ranked:
            pair = parameter_value(row, x), parameter_value(row, y)
            if row.budget == budget and None not in pair:
                column, line = (
                    axis.index(axis.scale.place(v)) for axis, v in zip(bins, pair, strict=True)
                )
                cells.setdefault((line, column), []).append(row.result(metric))
        grid = [[cells.get((j, i), []) for i in range(bins[0].count)] for j in range(bins[1].count)]
        maps.append(
            HeatMap(
                budget,
                *bins,
                tuple(tuple(pick(cell) if cell else None for cell in line) for line in grid),
                tuple(tuple(len(cell) for cell in line) for line in grid),
            )
        )
    return maps


def to_bins(scale: ParameterScale) -> Bins:
    """Return the bins of a parameter: its categories, its whole numbers, or six ranges."""
    if scale.values:
        edges = [index - 0.5 for index in range(len(scale.values) + 1)]
        return Bins(scale, tuple(edges), tuple(scale.categories))
    if scale.step == 1 and scale.high - scale.low < _MOST_VALUES:
        values = range(int(scale.low), int(scale.high) + 1)
        edges = [value - 0.5 for value in (*values, int(scale.high) + 1)]
        return Bins(scale, tuple(edges), tuple(map(str, values)))
    spaced = np.geomspace if scale.log else np.linspace
    cuts = tuple(map(float, spaced(scale.low, scale.high, _BINS + 1)))
    return Bins(scale, cuts, tuple(short_number(float(f"{cut:.2g}")) for cut in cuts))


def heat_map_pair(
    rows: Sequence[TrialRow], sweep: SweepRecord, important: Sequence[str] = ()
) -> tuple[str, str] | None:
    """Return the two parameters to show, or None if there are too few trials or parameters.

    Parameters that fewer than half of the trials have are not shown, since most cells would be
    empty.
    """
    ranked = scored_rows(rows, sweep)
    scales = [
        scale
        for scale in parameter_scales(ranked, sweep)
        if scale.name != "budget"
        and sum(parameter_value(row, scale.name) is not None for row in ranked) * 2 >= len(ranked)
    ]
    # The most important parameters come first. Without importances, numeric ranges come before
    # categories, because their neighbouring cells can show a trend; ties keep the file's order.
    order = {name: place for place, name in enumerate(important)}
    scales.sort(key=lambda scale: (order.get(scale.name, len(order)), bool(scale.values)))
    if len(scales) < 2 or len(ranked) < _FEWEST_TRIALS:
        return None
    return scales[0].name, scales[1].name


def heat_map_figure(
    rows: Sequence[TrialRow], sweep: SweepRecord, x: str, y: str, *, statistic: str = "best"
) -> ReportFigure:
    """Return the heat map of two parameters, with a panel for each budget."""
    maps = heat_map_numbers(rows, sweep, x, y, statistic=statistic)
    label = metric_label(objective_of(sweep)[0], sweep)
    scales = "; each panel has its own colour scale" if len(maps) > 1 else ""
    return ReportFigure(
        "heat-map",
        f"{x} and {y}",
        f"The {statistic} {label.split(' (')[0]} of the trials in each cell{scales}; cells without"
        " trials are empty.",
        lambda theme: draw_heat_maps(maps, sweep, theme),
    )


def draw_heat_maps(maps: Sequence[HeatMap], sweep: SweepRecord, theme: Theme) -> Figure:
    """Draw the numbers of `heat_map_numbers`."""
    metric, mode = objective_of(sweep)
    lines, columns = grid_shape(len(maps), _COLUMNS)
    figure = new_figure(0.4 + lines * max(0.7 + 0.25 * maps[0].y.count, 1.8))
    panels = panel_grid(figure, len(maps), _COLUMNS)
    with_numbers = sum(one.x.count * one.y.count for one in maps) <= _MOST_NUMBERS
    for axes, heat_map in zip(panels, maps, strict=True):
        values = [value for line in heat_map.values for value in line if value is not None]
        shown = metric_range(values, mode)
        norm = Normalize(shown.low, shown.high if shown.high > shown.low else shown.low + 1)
        grid = np.ma.masked_invalid(np.array(heat_map.values, dtype=float))
        mesh = axes.pcolormesh(
            grid,
            norm=norm,
            cmap=merit_colors(theme, mode),
            edgecolors=theme.colors.background,
            linewidth=1,
        )
        if with_numbers:
            _write_cells(axes, heat_map, mesh, metric)
        else:
            bar = figure.colorbar(mesh, ax=axes)
            bar.outline.set_visible(False)
        _label_axes(axes, heat_map, theme, room=_CHARACTERS / columns)
    figure.supxlabel(maps[0].x.scale.name, fontsize=9)
    figure.supylabel(maps[0].y.scale.name, fontsize=9)
    return figure


def _label_axes(axes: Axes, heat_map: HeatMap, theme: Theme, *, room: float) -> None:
    """Label the bins; `room` is the number of characters that fit along the horizontal axis.

    Labels of categories and whole numbers are in the middle of their bins, labels of ranges on
    their edges. If labels do not fit side by side, every second edge has a label, and categories
    are slanted.
    """
    x, y = heat_map.x, heat_map.y
    widest = max(map(len, x.labels)) + 1
    tight = widest * len(x.labels) > room
    for axis, bins, step in ((axes.xaxis, x, 2 if tight else 1), (axes.yaxis, y, 1)):
        on_edges = len(bins.labels) == len(bins.edges)
        places = np.arange(len(bins.labels)) + (0.0 if on_edges else 0.5)
        labels = [shorten(label, 14) for label in bins.labels]
        step = step if on_edges else 1
        axis.set_ticks(places[::step], labels[::step])
    if tight and x.scale.values:
        slant_ticks(axes)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set(visible=True, color=theme.colors.grid)
    axes.hlines(range(1, y.count), 0, x.count, color=theme.colors.grid, lw=0.6, zorder=0)
    axes.vlines(range(1, x.count), 0, y.count, color=theme.colors.grid, lw=0.6, zorder=0)
    if heat_map.budget is not None:
        axes.set(title=f"{format_budget(heat_map.budget)} weights")


def _write_cells(axes: Axes, heat_map: HeatMap, mesh: ScalarMappable, metric: str) -> None:
    """Write the value into each cell, in white or black, whichever contrasts with its colour."""
    for j, line in enumerate(heat_map.values):
        for i, value in enumerate(line):
            if value is None:
                continue
            red, green, blue, _ = mesh.to_rgba(np.asarray(value))
            # The weights of red, green and blue in perceived brightness (ITU-R BT.601).
            is_dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
            text = f"{value:.3f}" if metric.endswith("accuracy") else value_text(value, metric)
            axes.text(
                i + 0.5,
                j + 0.5,
                text,
                ha="center",
                va="center",
                fontsize=6.5,
                color="#ffffff" if is_dark else "#1a1a1a",
            )
