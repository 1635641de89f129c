"""The winners of a sweep, for the terminal."""

from collections.abc import Sequence

from rich.console import Console

from tune_app.results.store import Store, SweepRecord
from tune_app.results.tables.consoles import make_console
from tune_app.results.tables.final_layout import final_layouts
from tune_app.results.tables.sweep_tables import Format, final_tables
from tune_app.results.tables.terminal import print_layouts
from tune_app.results.tables.trial_table import trial_rows


def render_finals(
    store: Store,
    record: SweepRecord,
    budgets: Sequence[int | None] | None,
    format: Format,
) -> str:
    """Return the text of `final_tables`, as wide as the terminal."""
    rows = trial_rows(store, record)
    return final_tables(rows, record, budgets, format, width=make_console().width)


def print_finals(
    console: Console,
    store: Store,
    record: SweepRecord,
    budgets: Sequence[int | None] | None = None,
) -> None:
    """Print the tables of the final stage, if there was one."""
    print_layouts(console, final_layouts(trial_rows(store, record), record, budgets=budgets))
