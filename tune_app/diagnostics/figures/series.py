"""Helpers for figures with many trials, or lines with many points."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tune_app.report.figures.style import short_number

MOST_LABELLED = 12  # trials: with more, figures have no legend
MOST_POINTS = 2_000  # of a line: more are not visible, but make files of several megabytes


def thinned(values: pd.Series, most: int = MOST_POINTS) -> pd.Series:
    """Return at most `most` evenly spaced values, including the first one."""
    return values.iloc[:: -(-len(values) // most)]


def whole_ticks(axes: Axes, label: str) -> None:
    """Label the horizontal axis and give it integer ticks."""
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
