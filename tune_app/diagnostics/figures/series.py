"""What several figures do with lines of many points and many trials."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tune_app.report.figures.style import short_number

MOST_LABELLED = 12  # trials; more are drawn without a legend
MOST_POINTS = 2_000  # of a line; more cannot be seen, and make a file of megabytes


def thinned(table: pd.DataFrame, most: int = MOST_POINTS) -> pd.DataFrame:
    """Return evenly spaced rows, the first one among them, at most `most`."""
    return table.iloc[:: -(-len(table) // most)]


def whole_ticks(axes: Axes, label: str) -> None:
    """Name the lower axis and give it whole numbers."""
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
