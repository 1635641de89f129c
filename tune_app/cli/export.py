"""The commands that take a network out of a sweep, and measure it again."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from tune_app.cli.options import (
    STORAGE,
    BudgetOption,
    StorageOption,
    SweepArgument,
    read_budgets,
    split_list,
)
from tune_app.cli.output import make_console
from tune_app.cli.run_options import DataOption, data_path
from tune_app.errors import ExportError
from tune_app.results.store import Store, open_store

if TYPE_CHECKING:
    from tune_app.report.evaluate import Evaluation

FORMATS = ("pt", "optuna")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(rich_help_panel="Results")(export)
    app.command(rich_help_panel="Results")(evaluate)


def export(
    sweep: SweepArgument,
    to: Annotated[
        Path,
        typer.Option("--to", help="A folder; with --format optuna a file.", show_default=False),
    ],
    budget: BudgetOption = None,
    trial: Annotated[
        str | None, typer.Option(metavar="ID", help="This trial instead of a best one.")
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="pt: the network, its configuration and numbers, the default; "
            "optuna: the whole sweep, for optuna-dashboard.",
        ),
    ] = None,
    storage: StorageOption = STORAGE,
) -> None:
    """Write the best network of a budget to a folder, or a whole sweep for Optuna's tools."""
    wanted = split_list(formats) or ["pt"]
    if unknown := [name for name in wanted if name not in FORMATS]:
        raise ExportError(f"no format '{unknown[0]}', expected one of {', '.join(FORMATS)}")
    budgets = read_budgets(budget) or (None,)
    if len(budgets) > 1:
        raise ExportError("one network at a time: give --budget once")

    store = open_store(storage)
    if "optuna" in wanted:
        if len(wanted) > 1 or budget or trial:
            raise ExportError(
                "--format optuna writes the whole sweep to a file: give it alone, without "
                "--budget and --trial"
            )
        _export_studies(store, sweep, to)
    else:
        _export_network(store, sweep, to, budgets[0], trial)


def evaluate(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="An export.", show_default=False)
    ],
    data: DataOption = None,
) -> None:
    """Measure an export again; exit 1 where it is not what was recorded.

    Equal to the last bit on the machine that trained, within 0.001 elsewhere.
    """
    from tune_app.report.evaluate import evaluate_export

    result = evaluate_export(directory, data_path(data))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    for heading in ("recorded", "measured", "difference"):
        table.add_column(heading, justify="right")
    for one in result.comparisons:
        difference = "none" if one.is_exact else f"{one.difference:.1e}"
        table.add_row(one.metric, f"{one.recorded:.6f}", f"{one.measured:.6f}", difference)
    make_console().print(table)
    print(f"on {result.examples:,} validation examples, {result.device}")
    if result.agrees:
        print("exact" if result.is_exact else "the same within 0.001")
        return
    print(f"error: {_reason(result)}", file=sys.stderr)
    raise typer.Exit(1)


def _export_network(
    store: Store, sweep: str, to: Path, budget: int | None, trial_id: str | None
) -> None:
    from tune_app.report.export import export_trial

    trial = export_trial(store, sweep, to, budget=budget, trial_id=trial_id)
    metrics = {"val_accuracy": trial.val_accuracy, "val_loss": trial.val_loss}
    numbers = [f"{name} {value:.4f}" for name, value in metrics.items() if value is not None]
    print(f"{to}: trial {trial.trial_id}, {trial.weights:,} weights, {', '.join(numbers)}")
    print(f"next: tune-app evaluate {to}")


def _export_studies(store: Store, sweep: str, to: Path) -> None:
    from tune_app.sweep.optuna_export import export_studies

    studies = export_studies(store, sweep, to)
    counts = ", ".join(f"{name} ({trials} trials)" for name, trials in studies.items())
    print(f"{to}: {counts}")
    print(f"next: optuna-dashboard sqlite:///{to}")


def _reason(result: "Evaluation") -> str:
    if result.weights_changed:
        return "the weights are not those that were exported"
    if result.data_changed:
        return "the numbers differ; the data set is not the one that was trained on"
    return "the numbers differ by more than 0.001"
