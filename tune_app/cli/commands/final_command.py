"""The command that retrains the winners of a search and tests them."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tune_app.cli.options import (
    STORAGE,
    BudgetOption,
    StorageOption,
    SweepArgument,
    read_budgets,
)
from tune_app.cli.printing.dialogue import write_text
from tune_app.cli.printing.table_format import format_for
from tune_app.cli.printing.winners import render_finals
from tune_app.cli.run_options import AddressOption, DataOption, launch_again
from tune_app.results.tables.sweep_tables import Format


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel="Search")(final)


def final(
    sweep: SweepArgument,
    budget: BudgetOption = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Winners per budget (default: as in the file, or 3).")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Seeds per winner (default: as in the file, or 5).")
    ] = None,
    format: Annotated[
        Format | None,
        typer.Option(help="Output format (default: by the suffix of --output, else a table)."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="File to write the table to.")] = None,
    data: DataOption = None,
    address: AddressOption = None,
    storage: StorageOption = STORAGE,
) -> None:
    """Retrain the best configurations over several seeds, then test them once.

    Winners train on the training and validation data together. Replicates that were trained before
    are kept. This is the first time that the test split is read.
    """
    format = format_for(format, output)
    from tune_app.results.store import open_store

    store = open_store(storage)
    record = store.get_sweep(sweep)

    from tune_app.actions.live_progress import Announcer
    from tune_app.sweep.final_run import run_final

    announcer = Announcer(quiet=format is Format.json and output is None)
    launch = replace(launch_again(record, storage, data, address), watch=announcer.watch)
    budgets = read_budgets(budget)
    outcome = run_final(sweep, launch, budgets=budgets or (), top=top, seeds=seeds)
    record = store.get_sweep(sweep)
    write_text(render_finals(store, record, budgets, format), output)
    if outcome.signal is not None:
        raise typer.Exit(128 + outcome.signal)
    if not outcome.usable and not record.baselines:
        raise typer.Exit(1)
