"""Trainings as paths in a plane of weights, over contours of the loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
    """A part of the network, projected."""

    name: str
    points: pd.DataFrame  # trial, epoch, accuracy, loss, x, y
    shares: tuple[float, float]  # of the variance, on the axes
    plane: pd.DataFrame | None  # x, y, loss


def paths_figure(panels: Sequence[Panel], is_regression: bool) -> ReportFigure:
    """Return a panel for each part, with points sized by accuracy, or a regression's loss."""
    sized = "the larger, the lower its loss" if is_regression else "the larger, the more accurate"
    caption = (
        "Weights along each training, in the plane in which all of them together vary most; the "
        "axes say which share of the variance they hold. Points are epochs, joined in their order "
        f"and {sized} on the validation examples; a ring is around a training's first kept epoch, "
        "a star at its last."
    )
    if panels[0].plane is not None:
        caption += (
            " Contours are of the training loss in that plane, in equal ratios; the trainings "
            "stand off it, so that their own loss is not what is drawn beneath them."
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
        for index, trial in enumerate(trials):
            own = panel.points[panel.points["trial"] == trial]
            _draw_path(axes, own, panel.points, index, is_regression, theme)
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
    """Return the corners, (2,) each, of the square around paths that reach from `low` to `high`.

    One scale on both axes: a distance is as long in any direction. A tenth of room on all sides.
    """
    center, half = (low + high) / 2, 0.6 * float((high - low).max())
    return center - half, center + half


def _set_square(axes: Axes, points: pd.DataFrame) -> None:
    places = points[["x", "y"]].to_numpy()
    low, high = plane_sides(places.min(0), places.max(0))
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    axes.set_aspect("equal", adjustable="box")
    axes.locator_params(nbins=5)


def _draw_path(
    axes: Axes,
    own: pd.DataFrame,
    every: pd.DataFrame,
    index: int,
    is_regression: bool,
    theme: Theme,
) -> None:
    mark = series_mark(index, theme)
    axes.plot(own["x"], own["y"], color=mark.color, linestyle=mark.line, linewidth=1)
    look: dict[str, Any] = {
        "color": mark.color,
        "edgecolor": theme.colors.background,
        "linewidth": 0.5,
        "zorder": 3,
    }
    merit = -np.log(every["loss"].clip(lower=1e-300)) if is_regression else every["accuracy"]
    low, high = float(merit.min()), float(merit.max())
    share = (merit.loc[own.index] - low) / ((high - low) or 1)
    sizes = SMALLEST + (LARGEST - SMALLEST) * share
    axes.scatter(own["x"], own["y"], s=sizes, marker=mark.marker, **look)
    first, last = own.iloc[0], own.iloc[-1]
    axes.scatter(
        [first["x"]], [first["y"]], s=80, facecolor="none", edgecolor=mark.color, linewidth=0.9
    )
    axes.scatter(
        [last["x"]], [last["y"]], marker="*", s=130, **{**look, "edgecolor": theme.colors.ink}
    )


def _draw_plane(axes: Axes, plane: pd.DataFrame, theme: Theme) -> None:
    grid = plane.pivot(index="y", columns="x", values="loss")
    losses = grid.to_numpy()
    known = losses[np.isfinite(losses) & (losses > 0)]
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
