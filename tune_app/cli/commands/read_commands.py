"""The commands that read or tidy the record; none of them needs Ray or torch."""

import io
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tune_app.cli.options import (
    STORAGE,
    BudgetOption,
    StorageOption,
    SweepArgument,
    YesOption,
    read_budgets,
)
from tune_app.cli.printing.dialogue import confirm, write_text
from tune_app.cli.printing.table_format import format_for
from tune_app.cli.printing.views import print_sweep_list, print_sweep_tables, print_trial
from tune_app.results import housekeeping
from tune_app.results.humanize import size_text
from tune_app.results.store import open_store
from tune_app.results.tables.consoles import make_console
from tune_app.results.tables.sweep_tables import Format, shown_tables, trial_detail
from tune_app.results.tables.table_formats import to_json
from tune_app.results.tables.trial_table import (
    sweep_summary,
    trial_rows,
)


class TrialFormat(StrEnum):
    """The formats of `trial`."""

    table = "table"
    json = "json"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command("list", rich_help_panel="Results")(list_sweeps)
    app.command(rich_help_panel="Results")(show)
    app.command(rich_help_panel="Results")(trial)
    app.command(rich_help_panel="Storage")(rename)
    app.command(rich_help_panel="Storage")(note)
    app.command(rich_help_panel="Storage")(archive)
    app.command(rich_help_panel="Storage")(delete)
    app.command(rich_help_panel="Storage")(prune)


def list_sweeps(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
    archived: Annotated[bool, typer.Option("--archived", help="Include archived sweeps.")] = False,
    storage: StorageOption = STORAGE,
) -> None:
    """List the sweeps, newest first."""
    store = open_store(storage)
    summaries = [sweep_summary(store, sweep) for sweep in store.list_sweeps(archived=archived)]
    if as_json:
        write_text(to_json(summaries), None)
    else:
        print_sweep_list(make_console(), summaries, store.home)


def show(
    sweep: SweepArgument,
    budget: BudgetOption = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Rows per table (default: 10; with --all: every row).")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="List every trial, failed ones included.")
    ] = False,
    sort: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Sort by a column or parameter; -COL reverses the order."),
    ] = None,
    published: Annotated[
        bool,
        typer.Option(
            "--published", help="Show the winners as published studies do: one line per network."
        ),
    ] = False,
    pivot: Annotated[
        str | None,
        typer.Option(
            metavar="ROW,COLUMN",
            help="Show the mean for each combination of two parameters: optimizer,lr.",
        ),
    ] = None,
    format: Annotated[
        Format | None,
        typer.Option(help="Output format (default: by the suffix of --output, else a table)."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="File to write to (default: stdout).")] = None,
    storage: StorageOption = STORAGE,
) -> None:
    """Show the ranked table of each weight budget, and the winners that were retrained."""
    format = format_for(format, output)
    store = open_store(storage)
    record = store.get_sweep(sweep)
    rows = trial_rows(store, record)
    tables = shown_tables(
        store,
        record,
        rows,
        budgets=read_budgets(budget),
        top=top,
        every=all_,
        sort=sort,
        published=published,
        pivot_by=pivot,
    )
    if format is Format.table and not published and pivot is None:
        page = None if output is None else io.StringIO()
        print_sweep_tables(make_console(page), record, rows, tables.layouts)
        if page is not None:
            write_text(page.getvalue(), output)
    else:
        write_text(tables.render(format, record.name, width=make_console().width), output)


def trial(
    sweep: SweepArgument,
    trial_id: Annotated[str, typer.Argument(metavar="TRIAL", help="Trial id, such as t0001.")],
    format: Annotated[TrialFormat, typer.Option()] = TrialFormat.table,
    storage: StorageOption = STORAGE,
) -> None:
    """Show everything about one trial."""
    store = open_store(storage)
    record = store.get_sweep(sweep)
    detail = trial_detail(store, record, trial_id)
    if format is TrialFormat.json:
        write_text(to_json(detail), None)
    else:
        print_trial(make_console(), detail, detail["history"])


def rename(sweep: SweepArgument, new_name: str, storage: StorageOption = STORAGE) -> None:
    """Rename a sweep; its files move with it."""
    housekeeping.rename_sweep(open_store(storage), sweep, new_name)
    print(f"{sweep} is now {new_name}")


def note(
    sweep: SweepArgument,
    text: Annotated[
        str | None,
        typer.Argument(help='Text of the note; "" removes it; without text, the note is shown.'),
    ] = None,
    storage: StorageOption = STORAGE,
) -> None:
    """Write or show the note of a sweep."""
    store = open_store(storage)
    record = store.get_sweep(sweep)
    if text is None:
        print(record.note or f"{sweep} has no note")
    else:
        store.update_sweep(sweep, note=text)
        print(f"wrote the note of {sweep}" if text else f"removed the note of {sweep}")


def archive(
    sweep: SweepArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Restore an archived sweep.")] = False,
    storage: StorageOption = STORAGE,
) -> None:
    """Hide a sweep from the list; nothing is deleted."""
    store = open_store(storage)
    store.get_sweep(sweep)
    store.update_sweep(sweep, archived=not undo)
    print(f"restored {sweep}" if undo else f"archived {sweep}; tune-app list --archived shows it")


def delete(sweep: SweepArgument, yes: YesOption = False, storage: StorageOption = STORAGE) -> None:
    """Delete a sweep: its record and its files."""
    store = open_store(storage)
    store.refuse_if_live(sweep)
    count = len(store.trials(sweep))
    size = size_text(housekeeping.folder_size(store.sweep_folder(sweep)))
    question = f"Delete {sweep}, with {count} trials and {size} of files, permanently?"
    if not confirm(question, yes=yes):
        print("nothing was deleted")
        return
    housekeeping.delete_sweep(store, sweep)
    print(f"deleted {sweep}, {size} freed")


def prune(
    sweep: SweepArgument,
    top: Annotated[
        int, typer.Option(min=0, help="Number of best trials per budget whose files are kept.")
    ] = 10,
    yes: YesOption = False,
    storage: StorageOption = STORAGE,
) -> None:
    """Delete the weights of all but the best trials; their records stay."""
    store = open_store(storage)
    pruning = housekeeping.plan_pruning(store, store.get_sweep(sweep), top)
    count, size = len(pruning.trials), size_text(pruning.size_bytes)
    if not count:
        print(f"{sweep} keeps no files of trials outside the top {top}")
        return
    question = f"Remove the weights of {count} trials outside the top {top}? That frees {size}."
    if not confirm(question, yes=yes):
        print("nothing was removed")
        return
    housekeeping.prune(store, pruning)
    print(f"removed the weights of {count} trials, {size} freed")
