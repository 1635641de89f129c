"""The command that diagnoses trained networks."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tune_app.actions.diagnoses import DIAGNOSTIC_KINDS, check_diagnostic, run_diagnostic
from tune_app.cli.options import STORAGE, StorageOption, SweepArgument
from tune_app.cli.run_options import DataOption, command_line
from tune_app.errors import DiagnosisError
from tune_app.results.humanize import duration_text
from tune_app.results.places import find_data_root
from tune_app.results.store import open_store

if TYPE_CHECKING:
    pass


def register(app: typer.Typer) -> None:
    """Add the command of this module to `app`."""
    app.command(rich_help_panel="Results")(diagnose)


def diagnose(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help=f"One of {', '.join(DIAGNOSTIC_KINDS)}.", show_default=False
        ),
    ],
    sweep: SweepArgument,
    to: Annotated[
        Path,
        typer.Option(
            "--to", metavar="DIR", help="Folder to write all files to.", show_default=False
        ),
    ],
    trials: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TRIAL]...",
            help="Trials, such as t0007 or OTHER_SWEEP/t0007 (default: depends on WHAT).",
            show_default=False,
        ),
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option(min=1, help="Maximum number of examples of each split to measure on."),
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="Measure on the test split too; the reading is recorded.")
    ] = False,
    by_step: Annotated[
        bool,
        typer.Option("--by-step", help="gradients: train again and record every step and layer."),
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Train again for at most this many epochs.")
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(min=0, help="curvature: number of steps that minimise the gradient norm."),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(help="paths: layer to show next to the whole network (default: the first)."),
    ] = None,
    contours: Annotated[
        bool,
        typer.Option(
            "--contours", help="paths: draw contours of the loss in the plane of the paths."
        ),
    ] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="generalisation: measure the saved weights again.")
    ] = False,
    format: Annotated[
        str, typer.Option(metavar="NAME", help="Format of the tables: csv or parquet.")
    ] = "csv",
    data: DataOption = None,
    storage: StorageOption = STORAGE,
) -> None:
    """Diagnose trained networks: tables, figures, and a page that explains them.

    `paths` needs a sweep whose search file says `record: {weights_every: N}`; `interpolate` takes
    exactly two trials; `random_labels` and `gradients --by-step` train again.
    """
    given: dict[str, Any] = {
        "most": examples,
        "test": test or None,
        "by_step": by_step or None,
        "epochs": epochs,
        "iterations": iterations,
        "layer": layer,
        "contours": contours or None,
        "measure": measure or None,
    }
    options = _options_for(what, {name: own for name, own in given.items() if own is not None})
    store = open_store(storage)
    store.get_sweep(sweep)  # before torch is imported

    from tune_app.diagnostics.diagnosis import TABLE_FORMATS, save_diagnosis
    from tune_app.diagnostics.workbench import Workbench

    if format not in TABLE_FORMATS:
        raise DiagnosisError(f"no format '{format}', expected one of {', '.join(TABLE_FORMATS)}")
    began = time.perf_counter()
    bench = Workbench(store, find_data_root(data))
    found = run_diagnostic(what, bench, sweep, trials or [], options)
    written = save_diagnosis(found, to, table_format=format, command=command_line())
    for finding in (*found.findings, *found.cautions):
        print(f"- {finding}")
    seconds = duration_text(time.perf_counter() - began)
    print(f"{written[0]} and {len(written) - 1} files beside it, in {seconds}")


def _options_for(what: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the options, all of which `what` must read."""
    check_diagnostic(what)
    read = DIAGNOSTIC_KINDS[what].options
    for name in given:
        if name not in read:
            of = [other for other, kind in DIAGNOSTIC_KINDS.items() if name in kind.options]
            flag = f"--{'examples' if name == 'most' else name.replace('_', '-')}"
            raise DiagnosisError(f"{flag} is read by {', '.join(of)}, not by {what}; leave it out")
    return given
