"""The tables of a sweep in any format, shared by the command line and the service."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tune_app.config.budget import format_budget
from tune_app.errors import TuneAppError
from tune_app.hints import hint
from tune_app.results.final_results import (
    WinnerRow,
    baseline_rows,
    final_budgets,
    final_metric,
    winner_rows,
)
from tune_app.results.ranking import fits
from tune_app.results.store import Store, SweepRecord
from tune_app.results.tables.consoles import PIPE_WIDTH, plain_console
from tune_app.results.tables.final_layout import final_layouts
from tune_app.results.tables.layout import Layout, full_layout, ranked_layouts
from tune_app.results.tables.pivot import pivot, pivot_cells
from tune_app.results.tables.published_tables import published_layout, published_rows
from tune_app.results.tables.table_formats import to_csv, to_html, to_json, to_latex, to_markdown
from tune_app.results.tables.terminal import print_layouts
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import (
    epoch_row,
    objective_of,
    ranked_rows,
    sort_rows,
    split_parameters,
    table_budgets,
    trial_rows,
)

DEFAULT_TOP = 10

Rows = Sequence[TrialRow]


class Format(StrEnum):
    """The formats of tables."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"
    latex = "latex"
    html = "html"


_WRITERS = {Format.markdown: to_markdown, Format.latex: to_latex, Format.html: to_html}


@dataclass(frozen=True)
class Tables:
    """Layouts for readers; and, for programs, the rows and the values that all rows share."""

    layouts: Sequence[Layout]
    rows: Sequence[Mapping[str, Any]]
    constants: Mapping[str, Any]

    def render(self, format: Format, title: str, *, width: int = PIPE_WIDTH) -> str:
        """Return the layouts in a format for readers, or the rows in a format for programs.

        CSV has a column for each constant. A table is `width` characters wide.
        """
        match format:
            case Format.json:
                return to_json(self.rows)
            case Format.csv:
                return to_csv(self.rows, self.constants)
            case Format.table:
                page = io.StringIO()
                print_layouts(plain_console(page, width), self.layouts)
                return page.getvalue()
            case _:
                return _WRITERS[format](title, self.layouts)


def rows_json(rows: Rows) -> list[dict[str, Any]]:
    """Return trials as programs read them."""
    return [row.to_json() for row in rows]


def shown_tables(
    store: Store,
    record: SweepRecord,
    rows: Rows,
    *,
    budgets: Sequence[int | None] | None = None,
    top: int | None = None,
    every: bool = False,
    sort: str | None = None,
    published: bool = False,
    pivot_by: str | None = None,
) -> Tables:
    """Return the tables of `tune-app show` from `trial_rows`; by default the ranked tables.

    `every` selects all trials in one table, and `published` the winners as studies print them.
    `pivot_by`, two parameters separated by a comma, selects the mean of each combination.

    Raises:
        TuneAppError: The options contradict each other, or a column or parameter is unknown.
    """
    asked = {"published": published, "pivot": pivot_by, "all": every, "sort": sort, "top": top}
    names = [name for name, value in asked.items() if value]
    if {"published", "pivot"}.intersection(names) and len(names) > 1:
        flags = " and ".join(f"--{name}" for name in names)
        raise TuneAppError(
            "these tables exclude each other",
            hint=hint("take_one_table", flags=flags, names=" and ".join(names)),
        )
    limits = tuple(budgets) if budgets else table_budgets(record)
    if published:
        return published_tables(store, record, limits)
    if pivot_by is not None:
        return pivot_tables(rows, record, *_two_parameters(pivot_by), limits)
    if every:
        chosen = _every_row(rows, limits)
        chosen = (sort_rows(chosen, sort) if sort else chosen)[:top]
        layout = full_layout(chosen, rows, record)
        return Tables([layout], rows_json(chosen), layout.constants)
    return _ranked_tables(rows, record, limits, top or DEFAULT_TOP, sort)


def _ranked_tables(
    rows: Rows,
    record: SweepRecord,
    budgets: Sequence[int | None],
    top: int,
    sort: str | None,
) -> Tables:
    """Return the ranked tables, then those of the final stage; programs get the ranked rows."""
    shown = []
    for limit in budgets:
        best = ranked_rows(rows, record, limit)[:top]
        shown += sort_rows(best, sort) if sort else best
    ranked = ranked_layouts(rows, record, budgets=budgets, top=top, sort=sort)
    final = final_layouts(rows, record, budgets=budgets)
    return Tables([*ranked, *final], rows_json(shown), ranked[0].constants)


def _two_parameters(text: str) -> tuple[str, str]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    if len(names) != 2:
        raise TuneAppError(
            f"a pivot needs two parameters, got '{text}'", hint=hint("two_parameters")
        )
    return names[0], names[1]


def _every_row(rows: Rows, budgets: Sequence[int | None]) -> list[TrialRow]:
    """Return the trials drawn for `budgets` or fitting them, by stage and budget, then by rank."""
    chosen = [
        row for row in rows if any(row.budget == limit or fits(row, limit) for limit in budgets)
    ]
    last = float("inf")
    chosen.sort(key=lambda row: (row.stage == "final", row.budget or last, row.rank or last))
    return chosen


def trial_detail(store: Store, record: SweepRecord, trial_id: str) -> dict[str, Any]:
    """Return everything about a trial: its row, and `history`, a list with a dict for each epoch.

    Raises:
        UnknownTrialError: There is no such trial.
    """
    store.get_trial(record.name, trial_id)
    row = next(row for row in trial_rows(store, record) if row.trial_id == trial_id)
    history = [epoch_row(epoch) for epoch in store.epochs(record.name, trial_id)]
    return {**row.to_json(), "history": history}


def winners_json(
    rows: Rows, record: SweepRecord, budgets: Sequence[int | None] | None = None
) -> list[dict[str, Any]]:
    """Return `final_rows` of each budget, from `trial_rows`; `budget` is that of the table."""
    return [row.to_json() | {"budget": row.table_budget} for row in _winners(rows, record, budgets)]


def _winners(
    rows: Rows, record: SweepRecord, budgets: Sequence[int | None] | None
) -> list[WinnerRow]:
    return [
        row
        for budget in final_budgets(record)
        if budgets is None or budget in budgets
        for row in winner_rows(rows, record, budget)
    ]


def final_tables(
    rows: Rows,
    record: SweepRecord,
    budgets: Sequence[int | None] | None,
    format: Format,
    *,
    width: int = PIPE_WIDTH,
) -> str:
    """Return the winners of budgets (None: of all), retrained and tested, in a format.

    JSON contains only the winners; all other formats also contain the baselines.
    """
    winners = winners_json(rows, record, budgets)
    constants = split_parameters(_winners(rows, record, budgets), record)[1] if winners else {}
    for name in winners[0] if winners else ():
        constants.pop(name, None)  # measured anew: the epochs
    baselines = baseline_rows(record) if format is Format.csv else []
    layouts = final_layouts(rows, record, budgets=budgets)
    if format is Format.table and not layouts:
        return f"{record.name} has no winners that were retrained yet\n"
    tables = Tables(layouts, [*winners, *baselines], constants)
    return tables.render(format, record.name, width=width)


def published_tables(
    store: Store, record: SweepRecord, budgets: Sequence[int | None] | None
) -> Tables:
    """Return the published kind of table of a sweep."""
    layout = published_layout(store, [record], budgets=budgets)
    return Tables([layout], published_rows(store, [record], budgets=budgets), {})


def pivot_tables(
    rows: Rows,
    record: SweepRecord,
    row_parameter: str,
    column_parameter: str,
    budgets: Sequence[int | None],
) -> Tables:
    """Return pivot tables of the ranked trials of each budget, and of the winners' test results."""
    layouts, cells = [], []
    for budget in budgets:
        parts: dict[str, Rows] = {objective_of(record)[0]: ranked_rows(rows, record, budget)}
        if tested := [row for row in rows if row.stage == "final" and fits(row, budget)]:
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
