"""The best result so far during a search, against trials, epochs and training time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tune_app.config.budget import format_budget
from tune_app.report.figures.axes import (
    is_log_metric,
    legend_below,
    metric_label,
    metric_range,
    set_metric_axis,
)
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import Theme, new_figure, ordered_marks, short_number
from tune_app.results.ranking import best_so_far, fits
from tune_app.results.store import SweepRecord
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import objective_of, table_budgets

_LABELS = {
    "trials": "trials ended",
    "epochs": "epochs trained",
    "seconds": "training time, summed (s)",
}


@dataclass(frozen=True)
class ProgressNumbers:
    """The cost and the best result of a search after each of its trials.

    `best` has a curve for each budget, with None until a trial with a result fits that budget.
    """

    trials: tuple[int, ...]
    epochs: tuple[int, ...]  # summed over all trials so far
    seconds: tuple[float, ...]  # likewise: with several workers more than the elapsed time
    best: dict[int | None, tuple[float | None, ...]]


def progress_numbers(rows: Sequence[TrialRow], sweep: SweepRecord) -> ProgressNumbers:
    """Return the best result so far for each budget, over the trials in the order they ended.

    The cost includes every trial, also those of other budgets and those without a result.
    """
    metric, mode = objective_of(sweep)
    ended = [row for row in rows if row.stage == "search" and not row.status.is_under_way]
    # A trial without a recorded end is ordered by its start or its creation.
    ended.sort(key=lambda row: (row.ended or row.started or row.created, row.number))
    return ProgressNumbers(
        trials=tuple(range(1, len(ended) + 1)),
        epochs=tuple(accumulate(row.epochs for row in ended)),
        seconds=tuple(accumulate(row.seconds for row in ended)),
        best={
            budget: tuple(best_so_far((_score(row, metric, budget) for row in ended), mode))
            for budget in table_budgets(sweep)
        },
    )


def _score(row: TrialRow, metric: str, budget: int | None) -> float | None:
    score = row.measured(metric)
    return score if row.status.is_ranked and fits(row, budget) else None


def progress_figure(rows: Sequence[TrialRow], sweep: SweepRecord) -> ReportFigure:
    """Return a figure of the best result so far against trials, epochs and training time."""
    numbers = progress_numbers(rows, sweep)
    label = metric_label(objective_of(sweep)[0], sweep)
    lines = ", with a line for each budget" if sweep.budgets else ""
    return ReportFigure(
        "best-so-far",
        "Best so far",
        f"The best {label.split(' (')[0]} found so far{lines}, against the cost of all trials up to"
        " that point, including trials without a result. The time is summed over the trials; with"
        " several workers the elapsed time is shorter.",
        lambda theme: draw_progress(numbers, sweep, theme),
    )


def draw_progress(numbers: ProgressNumbers, sweep: SweepRecord, theme: Theme) -> Figure:
    """Draw the numbers of `progress_numbers` in three panels."""
    metric, mode = objective_of(sweep)
    figure = new_figure(2.9)
    panels = figure.subplots(1, 3, sharey=True)
    marks = ordered_marks(len(numbers.best), theme)
    for axes, (name, label) in zip(panels, _LABELS.items(), strict=True):
        spent = getattr(numbers, name)
        for curve, mark in zip(numbers.best.values(), marks, strict=True):
            known = [index for index, value in enumerate(curve) if value is not None]
            axes.step(
                [spent[index] for index in known],
                [curve[index] for index in known],
                where="post",
                color=mark.color,
                linestyle=mark.line,
                marker=mark.marker,
                markersize=4,
                markevery=_rises(curve),
            )
        axes.set(xlabel=label)
        axes.tick_params(axis="y", length=3 if axes is panels[0] else 0)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=name != "seconds"))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    # The end of each curve is always shown, its beginning only if it is not far off.
    curves = [[value for value in curve if value is not None] for curve in numbers.best.values()]
    taken = [value for curve in curves for value in dict.fromkeys(curve)]
    shown = metric_range(taken, mode, log=is_log_metric(metric, taken))
    shown = shown.with_values([curve[-1] for curve in curves if curve])
    set_metric_axis(panels[0].yaxis, metric, shown)
    panels[0].set(ylabel=metric_label(metric, sweep))
    if len(marks) > 1:
        handles = [
            Line2D([], [], color=mark.color, linestyle=mark.line, marker=mark.marker, markersize=4)
            for mark in marks
        ]
        labels = [format_budget(budget) for budget in numbers.best if budget is not None]
        legend_below(figure, handles, labels)
    return figure


def _rises(curve: Sequence[float | None]) -> list[int]:
    """Return the indices, not counting None, at which a curve takes a new value."""
    known = [value for value in curve if value is not None]
    return [i for i, value in enumerate(known) if i == 0 or value != known[i - 1]]
