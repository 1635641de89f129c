"""The command that writes the report of one sweep or several."""

from pathlib import Path
from typing import Annotated

import typer

from tune_app.actions.reports import write_sweep_report
from tune_app.cli.options import STORAGE, StorageOption, split_list
from tune_app.cli.run_options import DataOption
from tune_app.results.humanize import size_text
from tune_app.results.places import find_data_root
from tune_app.results.store import open_store


def register(app: typer.Typer) -> None:
    """Add the command of this module to `app`."""
    app.command(rich_help_panel="Results")(report)


def report(
    sweeps: Annotated[
        list[str],
        typer.Argument(metavar="SWEEP...", help="Names of the sweeps.", show_default=False),
    ],
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="FILE",
            help="FILE.html contains everything; FILE.md and FILE.tex keep figures in a folder.",
            show_default=False,
        ),
    ],
    diagnoses: Annotated[
        list[str] | None,
        typer.Option(
            "--diagnose",
            metavar="WHAT",
            help="Add what `tune-app diagnose WHAT` finds: ranking; several: ranking,gradients.",
        ),
    ] = None,
    data: DataOption = None,
    storage: StorageOption = STORAGE,
) -> None:
    """Write a report of one sweep, or a comparison of several: tables, figures, protocol."""
    written = write_sweep_report(
        open_store(storage), sweeps, to, find_data_root(data), split_list(diagnoses)
    )
    beside = f" and {len(written) - 1} figures in {written[1].parent}" if written[1:] else ""
    print(f"{to}: {size_text(to.stat().st_size)}{beside}")
