"""The winners of a sweep, in the format that was asked for; and its tables of other kinds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from tune_app.cli.tables import Format, render
from tune_app.config.budget import format_budget
from tune_app.results.final_layout import final_layouts
from tune_app.results.finals import baseline_rows, final_budgets, final_metric, winner_rows
from tune_app.results.layout import Layout
from tune_app.results.pivot import pivot, pivot_cells
from tune_app.results.published import published_layout, published_rows
from tune_app.results.ranking import fits
from tune_app.results.store import Store, SweepRecord
from tune_app.results.table import objective_of, ranked_rows, split_parameters, trial_rows
from tune_app.results.terminal import print_layouts


@dataclass(frozen=True)
class Tables:
    """Tables for readers, and for programs their rows and what all of these share."""

    layouts: Sequence[Layout]
    rows: Sequence[Mapping[str, Any]]
    constants: Mapping[str, Any]

    def render(self, format: Format, title: str) -> str:
        return render(format, title, self.layouts, self.rows, self.constants)


def winners_json(
    store: Store, record: SweepRecord, budgets: Sequence[int | None] | None = None
) -> list[dict[str, Any]]:
    """Return `final_rows` of each budget; `budget` is that of the table."""
    rows = trial_rows(store, record)
    return [
        {**row, "budget": budget}
        for budget in final_budgets(record)
        if budgets is None or budget in budgets
        for row in winner_rows(rows, record, budget)
    ]


def render_finals(
    store: Store,
    record: SweepRecord,
    budgets: Sequence[int | None] | None,
    format: Format,
) -> str:
    """Return the winners of budgets (None: of all), retrained and tested, in a format.

    JSON has the winners only; all else the baselines, too.
    """
    rows = trial_rows(store, record)
    winners = winners_json(store, record, budgets)
    constants = split_parameters(winners, record)[1] if winners else {}
    for name in winners[0] if winners else ():
        constants.pop(name, None)  # measured anew: the epochs
    baselines = baseline_rows(record) if format is Format.csv else []
    layouts = final_layouts(rows, record, budgets=budgets)
    if format is Format.table and not layouts:
        return f"{record.name} has no winners that were retrained yet\n"
    return Tables(layouts, [*winners, *baselines], constants).render(format, record.name)


def print_finals(
    console: Console,
    store: Store,
    record: SweepRecord,
    budgets: Sequence[int | None] | None = None,
) -> None:
    """Print the tables of the final stage; nothing where there was none."""
    print_layouts(console, final_layouts(trial_rows(store, record), record, budgets=budgets))


def published_tables(
    store: Store, record: SweepRecord, budgets: Sequence[int | None] | None
) -> Tables:
    """Return the published kind of table of a sweep."""
    layout = published_layout(store, [record], budgets=budgets)
    return Tables([layout], published_rows(store, [record], budgets=budgets), {})


def pivot_tables(
    rows: Sequence[Mapping[str, Any]],
    record: SweepRecord,
    row_parameter: str,
    column_parameter: str,
    budgets: Sequence[int | None],
) -> Tables:
    """Return a pivot table per budget of the ranked trials, and one of retrained winners' tests."""
    layouts, cells = [], []
    for budget in budgets:
        parts = {objective_of(record)[0]: ranked_rows(rows, record, budget)}
        if tested := [dict(row) for row in rows if row["stage"] == "final" and fits(row, budget)]:
            parts[final_metric(record)[0]] = tested
        where = "" if budget is None else f", at most {format_budget(budget)} weights"
        for value, part in parts.items():
            layout = pivot(part, row_parameter, column_parameter, value, where=where)
            layouts.append(layout)
            cells += [
                {"budget": budget, **cell}
                for cell in pivot_cells(part, row_parameter, column_parameter, value)
            ]
    return Tables(layouts, cells, {})
