"""The rungs of a search: how many trials reached each one, were stopped there, or continued."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from tune_app.config.budget import format_budget
from tune_app.report.figures.axes import grid_shape, legend_below, panel_grid
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import Theme, new_figure
from tune_app.results.store import SweepRecord
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import table_budgets

_COLUMNS = 4
_REASON = re.compile(r"rung (\d+): ")


@dataclass(frozen=True)
class Rung:
    """The number of trials that reached the epoch of a rung, and how they continued."""

    epoch: int
    reached: int
    stopped: int  # by the scheduler at this rung
    ended: int  # at this epoch for another reason
    continued: int


def rung_numbers(rows: Sequence[TrialRow], sweep: SweepRecord) -> dict[int | None, list[Rung]]:
    """Return the rungs of the trials of each budget, in ascending order.

    Rungs are at the scheduler's epochs (`grace * reduction^k`, below the number of epochs), and at
    every epoch where a trial was stopped. The result is empty without early stopping.
    """
    config = sweep.sweep_config
    if config.scheduler.type == "none":
        return {}
    search = [row for row in rows if row.stage == "search"]
    levels = {level for row in search if (level := stopped_at(row)) is not None}
    # The rungs of the configuration, and those of the stop reasons: every stop must be shown.
    level = config.scheduler.grace(config.epochs)
    while level < config.epochs:
        levels.add(level)
        level *= config.scheduler.reduction_factor
    return {
        budget: [_rung([r for r in search if r.budget == budget], at) for at in sorted(levels)]
        for budget in table_budgets(sweep)
    }


def stopped_at(row: TrialRow) -> int | None:
    """Return the rung at which a trial was stopped or paused, or None."""
    if row.status == "paused":
        return row.epochs
    found = _REASON.match(row.stop_reason or "") if row.status == "stopped" else None
    return int(found.group(1)) if found else None


def _rung(rows: Sequence[TrialRow], epoch: int) -> Rung:
    reached = [row for row in rows if row.epochs >= epoch]
    stopped = sum(stopped_at(row) == epoch for row in reached)
    continued = sum(row.epochs > epoch and stopped_at(row) != epoch for row in reached)
    return Rung(epoch, len(reached), stopped, len(reached) - stopped - continued, continued)


def rung_figure(rows: Sequence[TrialRow], sweep: SweepRecord) -> ReportFigure:
    """Return a figure with a bar for each rung and a panel for each budget."""
    numbers = rung_numbers(rows, sweep)
    saved = f" Stopping saved {sweep.epochs_saved:,} epochs." if sweep.epochs_saved else ""
    panels = ", by budget" if len(numbers) > 1 else ""
    return ReportFigure(
        "rungs",
        "Where trials were stopped",
        "How many trials reached each rung, how many were stopped there because others were better,"
        f" and how many continued{panels}.{saved}",
        lambda theme: draw_rungs(numbers, theme),
    )


def draw_rungs(numbers: dict[int | None, list[Rung]], theme: Theme) -> Figure:
    """Draw the numbers of `rung_numbers` as stacked bars."""
    figure = new_figure(0.8 + 1.9 * grid_shape(len(numbers), _COLUMNS)[0])
    panels = panel_grid(figure, len(numbers), _COLUMNS)
    blue, orange = theme.colors.series[:2]
    parts = {
        "continued": ("continued", blue, ""),
        "ended otherwise": ("ended", theme.colors.muted, "xxxx"),
        "stopped": ("stopped", orange, "////"),
    }
    shown = {
        label: part
        for label, part in parts.items()
        if label != "ended otherwise" or any(r.ended for rungs in numbers.values() for r in rungs)
    }
    for axes, (budget, rungs) in zip(panels, numbers.items(), strict=True):
        places = range(len(rungs))
        bottoms = [0] * len(rungs)
        for name, color, hatch in shown.values():
            heights = [getattr(rung, name) for rung in rungs]
            axes.bar(places, heights, 0.62, bottoms, color=color, hatch=hatch, linewidth=0)
            for place, height, bottom in zip(places, heights, bottoms, strict=True):
                if height:
                    axes.annotate(
                        str(height),
                        (place + 0.33, bottom + height / 2),
                        va="center",
                        fontsize=7,
                        color=theme.colors.muted,
                    )
            bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
        axes.set_xticks(list(places), [str(rung.epoch) for rung in rungs])
        for place, rung in zip(places, rungs, strict=True):
            axes.annotate(
                str(rung.reached),
                (place, rung.reached),
                (0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        axes.set(xlim=(-0.6, len(rungs) - 0.3), xlabel="rung (epoch)")
        axes.margins(y=0.12)
        axes.set(title="" if budget is None else f"{format_budget(budget)} weights")
        axes.grid(visible=False, axis="x")
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    figure.supylabel("trials", fontsize=9)
    handles = [Patch(facecolor=color, hatch=hatch) for _, color, hatch in shown.values()]
    legend_below(figure, handles, list(shown))
    return figure
