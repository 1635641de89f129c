"""The commands that read the record and keep it in order; none needs Ray or torch."""

import io
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from tune_app.cli.finals import Tables, pivot_tables, published_tables
from tune_app.cli.options import (
    STORAGE,
    BudgetOption,
    StorageOption,
    SweepArgument,
    YesOption,
    read_budgets,
    split_list,
)
from tune_app.cli.output import confirm, make_console, size_text, write_text
from tune_app.cli.tables import Format, format_for
from tune_app.cli.views import print_sweep_list, print_sweep_tables, print_trial
from tune_app.errors import TuneAppError
from tune_app.results import housekeeping
from tune_app.results.final_layout import final_layouts
from tune_app.results.formats import to_json
from tune_app.results.layout import full_layout, ranked_layouts
from tune_app.results.ranking import fits
from tune_app.results.store import SweepRecord, open_store
from tune_app.results.table import (
    ranked_rows,
    sort_rows,
    sweep_summary,
    table_budgets,
    trial_rows,
)

DEFAULT_TOP = 10


class TrialFormat(StrEnum):
    """What `trial` writes."""

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
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    archived: Annotated[bool, typer.Option("--archived", help="Archived ones too.")] = False,
    storage: StorageOption = STORAGE,
) -> None:
    """List the sweeps, newest first."""
    store = open_store(storage)
    summaries = [sweep_summary(store, sweep) for sweep in store.list_sweeps(archived=archived)]
    if as_json:
        write_text(to_json(summaries), None)
    else:
        print_sweep_list(make_console(), summaries, store.storage)


def show(
    sweep: SweepArgument,
    budget: BudgetOption = None,
    top: Annotated[int | None, typer.Option(min=1, help="Rows per budget (10), or of all.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every trial, failed ones too.")] = False,
    sort: Annotated[
        str | None,
        typer.Option(metavar="COL", help="A column or parameter; -COL turns the order around."),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="The winners as studies print them.")
    ] = False,
    pivot: Annotated[
        str | None,
        typer.Option(metavar="ROW,COLUMN", help="Means by two parameters: optimizer,lr."),
    ] = None,
    format: Annotated[
        Format | None, typer.Option(help="By the suffix of --output if left out, else table.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
    storage: StorageOption = STORAGE,
) -> None:
    """Show the ranked table of each weight budget, and the winners that were retrained."""
    format = format_for(format, output)
    _refuse_together(published=published, pivot=pivot, all=all_, sort=sort, top=top)
    store = open_store(storage)
    record = store.get_sweep(sweep)
    rows = trial_rows(store, record)
    budgets = read_budgets(budget) or table_budgets(record)
    if published:
        tables = published_tables(store, record, budgets)
    elif pivot is not None:
        tables = pivot_tables(rows, record, *_two_parameters(pivot), budgets)
    elif all_:
        shown = _every_row(rows, budgets)
        shown = (sort_rows(shown, sort) if sort else shown)[:top]
        layout = full_layout(shown, rows, record)
        tables = Tables([layout], shown, layout.constants)
    else:
        tables = _ranked_tables(rows, record, budgets, top or DEFAULT_TOP, sort)
    if format is Format.table and not published and pivot is None:
        page = None if output is None else io.StringIO()
        print_sweep_tables(make_console(page), record, rows, tables.layouts)
        if page is not None:
            write_text(page.getvalue(), output)
    else:
        write_text(tables.render(format, record.name), output)


def _ranked_tables(
    rows: Sequence[Mapping[str, Any]],
    record: SweepRecord,
    budgets: Sequence[int | None],
    top: int,
    sort: str | None,
) -> Tables:
    """Return the ranked tables, those of the final stage below; programs get what was ranked."""
    shown = []
    for limit in budgets:
        best = ranked_rows(rows, record, limit)[:top]
        shown += sort_rows(best, sort) if sort else best
    ranked = ranked_layouts(rows, record, budgets=budgets, top=top, sort=sort)
    final = final_layouts(rows, record, budgets=budgets)
    return Tables([*ranked, *final], shown, ranked[0].constants)


def _two_parameters(pivot: str) -> tuple[str, str]:
    names = split_list([pivot])
    if len(names) != 2:
        raise TuneAppError(f"--pivot needs two parameters, like optimizer,lr, got '{pivot}'")
    return names[0], names[1]


def _refuse_together(**given: Any) -> None:
    """Refuse what --published and --pivot leave no meaning."""
    names = [f"--{name}" for name, value in given.items() if value]
    kinds = {"--published", "--pivot"}.intersection(names)
    if kinds and len(names) > 1:
        raise TuneAppError(f"{' and '.join(names)} cannot be combined; take one")


def trial(
    sweep: SweepArgument,
    trial_id: Annotated[str, typer.Argument(metavar="TRIAL", help="Its id: t0001.")],
    format: Annotated[TrialFormat, typer.Option()] = TrialFormat.table,
    storage: StorageOption = STORAGE,
) -> None:
    """Show everything about one trial."""
    store = open_store(storage)
    record = store.get_sweep(sweep)
    store.get_trial(sweep, trial_id)
    row = next(row for row in trial_rows(store, record) if row["trial_id"] == trial_id)
    history = [
        {key: value for key, value in vars(epoch).items() if key not in ("sweep", "trial_id")}
        for epoch in store.epochs(sweep, trial_id)
    ]
    if format is TrialFormat.json:
        write_text(to_json({**row, "history": history}), None)
    else:
        print_trial(make_console(), row, history)


def rename(sweep: SweepArgument, new_name: str, storage: StorageOption = STORAGE) -> None:
    """Give a sweep another name; its files move along."""
    housekeeping.rename_sweep(open_store(storage), sweep, new_name)
    print(f"{sweep} is now {new_name}")


def note(
    sweep: SweepArgument,
    text: Annotated[str | None, typer.Argument(help='Left out: show it; "": remove it.')] = None,
    storage: StorageOption = STORAGE,
) -> None:
    """Write a note on a sweep, or read it."""
    store = open_store(storage)
    record = store.get_sweep(sweep)
    if text is None:
        print(record.note or f"{sweep} has no note")
    else:
        store.update_sweep(sweep, note=text)
        print(f"noted on {sweep}" if text else f"{sweep} has no note any more")


def archive(
    sweep: SweepArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Bring it back.")] = False,
    storage: StorageOption = STORAGE,
) -> None:
    """Take a sweep off the list; nothing of it is lost."""
    store = open_store(storage)
    store.get_sweep(sweep)
    store.update_sweep(sweep, archived=not undo)
    print(f"{sweep} is back on the list" if undo else f"{sweep} is archived (`list --archived`)")


def delete(sweep: SweepArgument, yes: YesOption = False, storage: StorageOption = STORAGE) -> None:
    """Delete a sweep: its record and its files."""
    store = open_store(storage)
    store.refuse_if_live(sweep)
    count = len(store.trials(sweep))
    size = size_text(housekeeping.folder_size(store.sweep_folder(sweep)))
    question = f"Delete {sweep}, with {count} trials and {size} of files, for good?"
    if not confirm(question, yes=yes):
        print("nothing was deleted")
        return
    housekeeping.delete_sweep(store, sweep)
    print(f"deleted {sweep}, {size} freed")


def prune(
    sweep: SweepArgument,
    top: Annotated[int, typer.Option(min=0, help="Per budget, keep the files of so many.")] = 10,
    yes: YesOption = False,
    storage: StorageOption = STORAGE,
) -> None:
    """Remove the files of all but the best trials; the record of every trial stays."""
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


def _every_row(rows: list[dict[str, Any]], budgets: tuple[int | None, ...]) -> list[dict[str, Any]]:
    """Return what was drawn for `budgets` or fits them: by stage and budget, unranked last."""
    chosen = [
        row for row in rows if any(row["budget"] == limit or fits(row, limit) for limit in budgets)
    ]
    last = float("inf")
    chosen.sort(
        key=lambda row: (row["stage"] == "final", row["budget"] or last, row["rank"] or last)
    )
    return chosen
