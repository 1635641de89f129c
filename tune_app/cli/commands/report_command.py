"""The command that writes the report of one sweep or several."""

from pathlib import Path
from typing import Annotated

import typer

from tune_app.actions.reports import write_sweep_report
from tune_app.cli.options import STORAGE, StorageOption, split_list
from tune_app.cli.run_options import DataOption, data_path
from tune_app.results.humanize import size_text
from tune_app.results.store import open_store


def register(app: typer.Typer) -> None:
    """Add the command of this module to `app`."""
    app.command(rich_help_panel="Results")(report)


def report(
    sweeps: Annotated[
        list[str], typer.Argument(metavar="SWEEP...", help="Their names.", show_default=False)
    ],
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="FILE",
            help="FILE.html holds everything; FILE.md and FILE.tex have their figures beside them.",
            show_default=False,
        ),
    ],
    diagnoses: Annotated[
        list[str] | None,
        typer.Option(
            "--diagnose",
            metavar="WHAT",
            help="Also what `tune-app diagnose WHAT` finds: ranking; several: ranking,gradients.",
        ),
    ] = None,
    data: DataOption = None,
    storage: StorageOption = STORAGE,
) -> None:
    """Write tables, figures and the protocol of a sweep; of several, a comparison too."""
    written = write_sweep_report(
        open_store(storage), sweeps, to, data_path(data), split_list(diagnoses)
    )
    beside = f" and {len(written) - 1} figures in {written[1].parent}" if written[1:] else ""
    print(f"{to}: {size_text(to.stat().st_size)}{beside}")
