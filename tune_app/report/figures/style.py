"""The look of figures: two themes, colours for colour-blind readers, marks, and labels.

Each colour has its own marker and line style, so that figures can also be read in grey. The
colours of series are those of Okabe and Ito (2008), "Color Universal Design"; series with an order
(budgets) take their colours from viridis, which gets lighter in that order.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.colors import Colormap, ListedColormap, to_hex
from matplotlib.figure import Figure

from tune_app.results.tables.layout import value_text

WIDTH = 7.0  # inches: the width of a page's text, which also fits on a screen
_LOCK = threading.RLock()


@dataclass(frozen=True)
class Colors:
    """The colours of a theme; `series` in the order in which they are used."""

    background: str
    ink: str  # texts
    muted: str  # axes, notes
    grid: str
    series: tuple[str, ...]
    ordered: tuple[float, float]  # the range of viridis that contrasts with the background


_COLORS = {
    "light": Colors(
        background="#ffffff",
        ink="#1a1a1a",
        muted="#595959",
        grid="#e3e3e3",
        series=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#1a1a1a"),
        ordered=(0.0, 0.82),
    ),
    "dark": Colors(
        background="#16181d",
        ink="#ececec",
        muted="#a6a6a6",
        grid="#33363d",
        series=("#56b4e9", "#e69f00", "#2bbd92", "#e08fbb", "#f0e442", "#f0703a", "#ececec"),
        ordered=(0.38, 1.0),
    ),
}
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
_LINES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1.2)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (8, 2, 1, 2, 1, 2)),
)
_HATCHES = ("", "////", "\\\\\\\\", "xxxx", "----", "++++")


class Theme(StrEnum):
    """Light or dark. A theme equals its name, so "dark" can be passed as well."""

    LIGHT = "light"
    DARK = "dark"

    @property
    def colors(self) -> Colors:
        return _COLORS[self.value]


@dataclass(frozen=True)
class SeriesMark:
    """The look of one of several series; two series of a figure differ even without colours."""

    color: str
    marker: str
    line: Any  # a matplotlib line style
    hatch: str


def series_mark(index: int, theme: Theme) -> SeriesMark:
    """Return the look of series `index`, from 0, for series without an order."""
    colors = theme.colors.series
    return _mark(index, colors[index % len(colors)])


def ordered_marks(count: int, theme: Theme) -> list[SeriesMark]:
    """Return the looks of `count` series with an order, such as budgets."""
    low, high = theme.colors.ordered
    viridis = matplotlib.colormaps["viridis"]
    places = [low + (high - low) * index / max(1, count - 1) for index in range(count)]
    return [_mark(index, to_hex(viridis(place))) for index, place in enumerate(places)]


def merit_colors(theme: Theme, mode: str) -> Colormap:
    """Return colours for values of an objective; better values contrast more with the page."""
    low, high = theme.colors.ordered
    # On a light page dark colours stand out, on a dark page light ones.
    worst, best = (high, low) if theme == Theme.LIGHT else (low, high)
    ends = (worst, best) if mode == "max" else (best, worst)
    return ListedColormap(matplotlib.colormaps["viridis"](np.linspace(*ends, 256)))


def _mark(index: int, color: str) -> SeriesMark:
    # 11 markers and 5 lines have no common divisor, so that the first 55 marks all differ.
    return SeriesMark(
        color=color,
        marker=_MARKERS[index % len(_MARKERS)],
        line=_LINES[index % len(_LINES)],
        hatch=_HATCHES[index % len(_HATCHES)],
    )


@contextmanager
def styled(theme: Theme) -> Iterator[None]:
    """Use the look of `theme` within the block; afterwards the previous settings are restored.

    Matplotlib's settings are global to the process, so that threads must wait for each other.
    """
    colors = theme.colors
    with _LOCK, matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "figure.facecolor": colors.background,
                "figure.constrained_layout.use": True,
                "axes.facecolor": "none",
                "axes.edgecolor": colors.muted,
                "axes.labelcolor": colors.ink,
                "axes.titlecolor": colors.ink,
                "axes.titlesize": 10,
                "axes.titlelocation": "left",
                "axes.labelsize": 9,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.grid": True,
                "axes.axisbelow": True,
                "axes.prop_cycle": cycler(color=colors.series),
                "grid.color": colors.grid,
                "grid.linewidth": 0.7,
                "text.color": colors.ink,
                "text.parse_math": False,  # dollar signs in names are not mathematics
                "xtick.color": colors.muted,
                "ytick.color": colors.muted,
                "xtick.labelcolor": colors.ink,
                "ytick.labelcolor": colors.ink,
                "xtick.labelsize": 8,
                "ytick.labelsize": 8,
                "lines.linewidth": 1.6,
                "lines.markersize": 5.5,
                "legend.fontsize": 8,
                "legend.frameon": False,
                "legend.title_fontsize": 8,
                "hatch.color": colors.background,
                "hatch.linewidth": 0.8,
                "font.family": "DejaVu Sans",  # the font that comes with matplotlib
                "font.size": 9,
                "savefig.facecolor": "auto",
                "savefig.dpi": 200,
                # Outlines look the same on every machine, whichever fonts it has.
                "svg.fonttype": "path",
                "svg.hashsalt": "tune-app",
            }
        )
        yield


def new_figure(height: float, *, width: float = WIDTH) -> Figure:
    """Return an empty figure of that size in inches. To be called and filled within `styled`."""
    return Figure(figsize=(width, height))


def short_number(value: float) -> str:
    """Return a number for an axis, with k for thousands and M for millions.

    >>> [short_number(value) for value in (784, 10_000, 12_500, 1_500_000, 0.25)]
    ['784', '10k', '12.5k', '1.5M', '0.25']
    """
    for unit, factor in (("M", 1e6), ("k", 1e3)):
        if abs(value) >= factor:
            return f"{value / factor:.4g}{unit}"
    return f"{value:.4g}"


def distinguishing_labels(items: Sequence[Mapping[str, object]]) -> list[str]:
    """Return a label for each of `items` that contains only the values in which they differ.

    Names that an item lacks are left out of its label. Equal items get numbers.

    >>> distinguishing_labels([{"optimizer": "adam", "epochs": 3}, {"optimizer": "sgd"}])
    ['optimizer adam, epochs 3', 'optimizer sgd']
    >>> distinguishing_labels([{"lr": 0.1, "epochs": 3}, {"lr": 0.01, "epochs": 3}])
    ['lr 0.1', 'lr 0.01']
    """
    names = dict.fromkeys(name for item in items for name in item)
    differing = [name for name in names if len(_distinct(name, items)) > 1]
    texts = {name: _texts(name, items) for name in differing}
    labels = []
    for index, item in enumerate(items):
        parts = [f"{name} {texts[name][index]}" for name in differing if item.get(name) is not None]
        labels.append(", ".join(parts) or ", ".join(f"no {name}" for name in differing))
    if len(items) > 1 and len(set(labels)) < len(labels):
        return [f"{label} ({place})".strip() for place, label in enumerate(labels, start=1)]
    return labels


def _distinct(name: str, items: Sequence[Mapping[str, object]]) -> set[str]:
    # 0 and 0.0 are the same value, but True and 1 are not.
    return {
        repr(float(value) if type(value) is int else value)
        for value in (item.get(name) for item in items)
    }


def _texts(name: str, items: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the values of a name as texts, rounded if the rounded values still differ."""
    values = [item.get(name) for item in items]
    rounded = [value_text(value, name) for value in values]
    if len(set(rounded)) == len(_distinct(name, items)):
        return rounded
    return [
        text if value is None else str(value) for value, text in zip(values, rounded, strict=True)
    ]
