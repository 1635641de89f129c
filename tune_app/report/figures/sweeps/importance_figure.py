"""The importance of the parameters, by method and budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from tune_app.config.budget import format_budget
from tune_app.report.figures.axes import legend_below, shorten
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import Theme, new_figure, ordered_marks
from tune_app.results.importance_record import Importance

_NAMES = {"fanova": "fANOVA", "ped-anova": "PED-ANOVA"}
_ENOUGH_TRIALS = 50  # with fewer trials, importances are only hints


@dataclass(frozen=True)
class ImportanceNumbers:
    """Shares by method, budget and parameter; the parameter with the largest mean share first."""

    parameters: tuple[str, ...]
    budgets: tuple[int | None, ...]
    shares: Mapping[str, Mapping[int | None, Mapping[str, float]]]


def importance_numbers(found: Sequence[Importance]) -> ImportanceNumbers:
    """Return the shares to draw; methods and budgets without shares are left out."""
    shares: dict[str, dict[int | None, Mapping[str, float]]] = {}
    with_shares = [importance for importance in found if importance.shares]
    for importance in with_shares:
        shares.setdefault(importance.method, {})[importance.budget] = importance.shares
    return ImportanceNumbers(
        parameters=tuple(important_parameters(found)),
        budgets=tuple(dict.fromkeys(one.budget for one in with_shares)),
        shares=shares,
    )


def important_parameters(found: Sequence[Importance]) -> list[str]:
    """Return the parameters in descending order of their mean share."""
    names = {name for one in found for name in one.shares}
    means = {name: fmean(one.shares[name] for one in found if name in one.shares) for name in names}
    return sorted(means, key=lambda name: (-means[name], name))


def importance_figure(found: Sequence[Importance]) -> ReportFigure:
    """Return a figure of the shares as dots, with a panel for each method."""
    numbers = importance_numbers(found)
    return ReportFigure(
        "parameter-importance",
        "Importance of the parameters",
        " ".join(_caption(found)),
        lambda theme: draw_importance(numbers, theme),
    )


def _caption(found: Sequence[Importance]) -> list[str]:
    words = {
        "fanova": "fANOVA: the share of the variance between trials that a parameter explains on"
        " its own.",
        "ped-anova": "PED-ANOVA: how much the values of a parameter in the best trials (a tenth,"
        " at least 5) differ from those in all trials.",
    }
    drawn = [one for one in found if one.shares]
    parts = [words[method] for method in dict.fromkeys(one.method for one in drawn)]
    parts.append("Shares add up to 100 %. Each trial counts with its best epoch.")
    fewest = min(one.trials for one in drawn)
    if fewest < _ENOUGH_TRIALS:
        budget = " of a budget" if any(one.budget for one in drawn) else ""
        parts.append(f"With only {fewest} trials{budget}, these shares are hints.")
    for one in found:
        place = "" if one.budget is None else f" for {format_budget(one.budget)}"
        if one.reason:
            parts.append(f"No {_NAMES[one.method]}{place}: {one.reason}.")
        elif one.left_out and one.method == "fanova":
            missing = ", ".join(f"{name} ({why})" for name, why in one.left_out.items())
            parts.append(f"Left out of {_NAMES[one.method]}{place}: {missing}.")
    return parts


def draw_importance(numbers: ImportanceNumbers, theme: Theme) -> Figure:
    """Draw the numbers of `importance_numbers`."""
    figure = new_figure(1.1 + 0.27 * len(numbers.parameters))
    panels = figure.subplots(1, len(numbers.shares), sharey=True, squeeze=False)[0]
    marks = dict(zip(numbers.budgets, ordered_marks(len(numbers.budgets), theme), strict=True))
    spread = 0.22 if len(marks) > 1 else 0.0
    shifts = dict(zip(marks, np.linspace(-spread, spread, len(marks)), strict=True))
    places = {name: place for place, name in enumerate(numbers.parameters)}
    for axes, (method, by_budget) in zip(panels, numbers.shares.items(), strict=True):
        for name, place in places.items():
            of_parameter = [shares[name] for shares in by_budget.values() if name in shares]
            axes.hlines(
                place, 0, max(of_parameter, default=0), color=theme.colors.grid, lw=9, zorder=1
            )
        for budget, shares in by_budget.items():
            mark, shift = marks[budget], shifts[budget]
            axes.plot(
                list(shares.values()),
                [places[name] + shift for name in shares],
                linestyle="",
                marker=mark.marker,
                markersize=5,
                color=mark.color,
                markeredgecolor=theme.colors.background,
                markeredgewidth=0.5,
                clip_on=False,
            )
        axes.set(title=_NAMES[method], xlabel="share of the importance", xlim=(0, None))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(list(places.values()), [shorten(name, 24) for name in places])
    panels[0].set_ylim(len(places) - 0.5, -0.5)
    if len(marks) > 1:
        handles = [Line2D([], [], color=m.color, marker=m.marker, ls="") for m in marks.values()]
        labels = [format_budget(budget) for budget in marks if budget is not None]
        legend_below(figure, handles, labels)
    return figure
