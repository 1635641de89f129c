"""Draw trainings as paths in a plane of weights, with contours of the loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from tune_app.diagnostics.figures.series import MOST_LABELLED
from tune_app.report.figures.axes import legend_below
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import Theme, new_figure, series_mark

SMALLEST, LARGEST = 8.0, 70.0  # areas of points


@dataclass(frozen=True)
class Panel:
    """The paths of one part of the network in its plane."""

    name: str
    points: pd.DataFrame  # trial, epoch, accuracy, loss, x, y
    shares: tuple[float, float]  # of the variance along each axis
    plane: pd.DataFrame | None  # x, y, loss


def paths_figure(panels: Sequence[Panel], is_regression: bool) -> ReportFigure:
    """Return a panel for each part; points are sized by accuracy, or by loss for a regression."""
    better = "lower loss" if is_regression else "higher accuracy"
    caption = (
        "The weights during each training, projected onto the plane in which the weights of all "
        "trainings together vary most; the axes show their shares of the variance. Points are "
        f"epochs, connected in order; larger points have a {better} on the validation examples. A "
        "ring marks the first saved epoch of a training, a star the last one."
    )
    if panels[0].plane is not None:
        caption += (
            " Contours show the training loss in that plane, at equal ratios. The trainings "
            "themselves are not in the plane, so that their losses differ from the contours below "
            "their points."
        )
    return ReportFigure(
        "paths",
        "Paths of the weights",
        caption,
        lambda theme: _draw(panels, is_regression, theme),
    )


def _draw(panels: Sequence[Panel], is_regression: bool, theme: Theme) -> Figure:
    figure = new_figure(3.9)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    trials = list(dict.fromkeys(panels[0].points["trial"]))
    for axes, panel in zip(grid, panels, strict=True):
        if panel.plane is not None:
            _draw_plane(axes, panel.plane, theme)
        sized = panel.points.assign(area=_point_areas(panel.points, is_regression))
        for index, trial in enumerate(trials):
            _draw_path(axes, sized[sized["trial"] == trial], index, theme)
        axes.set(
            title=panel.name,
            xlabel=f"first component ({panel.shares[0]:.1%})",
            ylabel=f"second component ({panel.shares[1]:.1%})",
        )
        _set_square(axes, panel.points)
    if len(trials) <= MOST_LABELLED:
        marks = [series_mark(index, theme) for index in range(len(trials))]
        handles = [
            Line2D([], [], color=mark.color, linestyle=mark.line, marker=mark.marker)
            for mark in marks
        ]
        legend_below(figure, handles, trials)
    return figure


def plane_sides(
    low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two corners, (2,) each, of a square around the points between `low` and `high`.

    It is a square, so that distances have the same length in all directions; its margins are a
    tenth of the longer side.
    """
    center, half = (low + high) / 2, 0.6 * float((high - low).max())
    return center - half, center + half


def _set_square(axes: Axes, points: pd.DataFrame) -> None:
    places = points[["x", "y"]].to_numpy()
    low, high = plane_sides(places.min(0), places.max(0))
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    axes.set_aspect("equal", adjustable="box")
    axes.locator_params(nbins=5)


def _point_areas(points: pd.DataFrame, is_regression: bool) -> pd.Series:
    """Return the areas of the points: the best epoch of all trainings has the largest."""
    merit = -np.log(points["loss"].clip(lower=1e-300)) if is_regression else points["accuracy"]
    low, high = float(merit.min()), float(merit.max())
    return SMALLEST + (LARGEST - SMALLEST) * (merit - low) / ((high - low) or 1)


def _draw_path(axes: Axes, path: pd.DataFrame, index: int, theme: Theme) -> None:
    """Draw the epochs of one training, the training `index` of the figure."""
    mark, background = series_mark(index, theme), theme.colors.background
    axes.plot(path["x"], path["y"], color=mark.color, linestyle=mark.line, linewidth=1)
    look = partial(axes.scatter, color=mark.color, linewidth=0.5, zorder=3)
    look(path["x"], path["y"], s=path["area"], marker=mark.marker, edgecolor=background)
    first, last = path.iloc[0], path.iloc[-1]
    axes.scatter(
        [first["x"]], [first["y"]], s=80, facecolor="none", edgecolor=mark.color, linewidth=0.9
    )
    look([last["x"]], [last["y"]], marker="*", s=130, edgecolor=theme.colors.ink)


def _draw_plane(axes: Axes, plane: pd.DataFrame, theme: Theme) -> None:
    grid = plane.pivot(index="y", columns="x", values="loss")
    losses = grid.to_numpy()
    known = losses[np.isfinite(losses) & (losses > 0)]
    # The corners of the plane may have huge losses; without them, more contours are near the paths.
    levels = np.geomspace(known.min(), np.quantile(known, 0.98), 12)
    lines = axes.contour(
        grid.columns,
        grid.index,
        np.where(np.isfinite(losses), losses, np.nan),
        levels=np.unique(levels),
        colors=theme.colors.muted,
        linewidths=0.6,
        zorder=1,
    )
    axes.clabel(lines, levels[1::2], fontsize=6.5, fmt=lambda value: f"{value:.2g}")
    axes.grid(False)
