"""The commands that export a network from a sweep, and measure an export again."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from tune_app.actions.export_notes import note_left_out
from tune_app.cli.options import (
    STORAGE,
    StorageOption,
    SweepArgument,
    read_budgets,
    split_list,
)
from tune_app.cli.run_options import DataOption
from tune_app.errors import ExportError
from tune_app.hints import hint
from tune_app.results.places import find_data_root
from tune_app.results.store import Store, open_store
from tune_app.results.tables.consoles import make_console
from tune_app.results.tables.trial_table import table_budgets

if TYPE_CHECKING:
    from tune_app.report.export.evaluate_export import Evaluation
    from tune_app.report.export.export_choice import ExportChoice

# Those of a network, and of a whole sweep.
FORMATS = ("pt", "safetensors", "onnx", "pt2", "optuna", "tensorboard")
_OF_SWEEPS = ("optuna", "tensorboard")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(rich_help_panel="Results")(export)
    app.command(rich_help_panel="Results")(evaluate)


def export(
    sweep: SweepArgument,
    to: Annotated[
        Path,
        typer.Option(
            "--to", help="Folder to write to; with --format optuna, a file.", show_default=False
        ),
    ],
    budget: Annotated[
        list[str] | None,
        typer.Option(
            "--budget",
            metavar="N",
            help="Weight budget, such as 20k; for several, or all: one folder each, and an index.",
        ),
    ] = None,
    trial: Annotated[
        str | None, typer.Option(metavar="ID", help="Export this trial instead of the best one.")
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Formats besides pt (PyTorch weights): safetensors, onnx, pt2. "
            "optuna or tensorboard: export the whole sweep for that dashboard.",
        ),
    ] = None,
    storage: StorageOption = STORAGE,
) -> None:
    """Export the best network of a budget, or a whole sweep for Optuna or TensorBoard.

    After the final stage, this is the winner's network that was trained with the first seed.
    """
    wanted = split_list(formats) or ["pt"]
    if unknown := [name for name in wanted if name not in FORMATS]:
        raise ExportError(f"no format '{unknown[0]}', expected one of {', '.join(FORMATS)}")
    named = split_list(budget)
    budgets = () if "all" in named else read_budgets(budget) or ()
    store = open_store(storage)
    if whole := [name for name in wanted if name in _OF_SWEEPS]:
        if len(wanted) > 1 or budget or trial:
            kind = "a file" if whole[0] == "optuna" else "a folder"
            raise ExportError(
                f"--format {whole[0]} writes the whole sweep to {kind}: give it alone, without "
                "--budget and --trial"
            )
        (_export_studies if whole[0] == "optuna" else _export_runs)(store, sweep, to)
    elif "all" in named or len(budgets) > 1:
        if trial:
            raise ExportError(
                "a budget and a trial exclude each other", hint=hint("budget_or_trial")
            )
        _export_budgets(store, sweep, to, budgets, wanted)
    else:
        _export_network(store, sweep, to, budgets, trial, wanted)


def evaluate(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of an export.", show_default=False)
    ],
    data: DataOption = None,
) -> None:
    """Measure an export again in each of its formats; exit with 1 if a result differs.

    On the machine that trained the network, results must be equal to the last bit; elsewhere, and
    in other runtimes, they must agree within 0.001.
    """
    from tune_app.report.export.evaluate_export import evaluate_export
    from tune_app.report.export.export_index import exports_in

    wrong = []
    for folder in exports_in(directory):
        result = evaluate_export(folder, find_data_root(data))
        if folder != directory:
            print(f"{folder}:")
        _print_evaluation(result)
        if not result.agrees:
            where = "" if folder == directory else f"{folder}: "
            wrong.append(f"{where}{_reason(result)}")
    for reason in wrong:
        print(f"error: {reason}", file=sys.stderr)
    if wrong:
        raise typer.Exit(1)


def _print_evaluation(result: "Evaluation") -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("file")
    table.add_column("")
    for heading in ("recorded", "measured", "difference"):
        table.add_column(heading, justify="right")
    for file in result.files:
        for one in file.comparisons:
            difference = "none" if one.is_exact else f"{one.difference:.1e}"
            table.add_row(
                file.file, one.metric, f"{one.recorded:.6f}", f"{one.measured:.6f}", difference
            )
        if not file.comparisons:
            table.add_row(file.file, "changed", "", "", "")
    make_console().print(table)
    if result.macro_f1 is not None:
        print(f"macro-F1 {result.macro_f1:.6f}")
    print(f"on {result.examples:,} {result.split} examples, {result.device}")
    exact = [file.file for file in result.files if file.is_exact]
    close = [file.file for file in result.files if file.agrees and not file.is_exact]
    for verdict, names in (("exact", exact), ("equal within 0.001", close)):
        if names:
            print(f"{verdict}: {', '.join(names)}")


def _export_network(
    store: Store,
    sweep: str,
    to: Path,
    budgets: Sequence[int],
    trial_id: str | None,
    formats: list[str],
) -> None:
    from tune_app.report.export.export_choice import pick_trial
    from tune_app.report.export.trial_export import write_export

    budget = budgets[0] if budgets else None
    choice = pick_trial(store, store.get_sweep(sweep), budget=budget, trial_id=trial_id)
    write_export(store, choice, to, formats, on_left_out=note_left_out)
    _print_choice(to, choice)
    print(f"next: tune-app evaluate {to}")


def _export_budgets(
    store: Store, sweep: str, to: Path, budgets: Sequence[int], formats: list[str]
) -> None:
    from tune_app.report.export.export_index import budget_folder, pick_networks, write_exports

    choices = pick_networks(store, store.get_sweep(sweep), budgets)
    write_exports(store, choices, to, formats, on_left_out=note_left_out)
    for name, choice in choices.items():
        _print_choice(to / name, choice)
    for limit in table_budgets(store.get_sweep(sweep)):
        if not budgets and budget_folder(limit) not in choices:
            print(f"note: no ranked trial of at most {limit:,} weights", file=sys.stderr)
    print(f"next: tune-app evaluate {to}")


def _print_choice(to: Path, choice: "ExportChoice") -> None:
    from tune_app.report.export.model_card import which_replicate

    trial = choice.trial
    names = ("val_accuracy", "val_loss", "test_accuracy", "test_loss")
    metrics = {name: getattr(trial, name) for name in names}
    numbers = [f"{name} {value:.4f}" for name, value in metrics.items() if value is not None]
    print(f"{to}: trial {trial.trial_id}, {trial.weights:,} weights, {', '.join(numbers)}")
    if trial.stage == "final":
        print(f"  {which_replicate(choice)}")


def _export_studies(store: Store, sweep: str, to: Path) -> None:
    from tune_app.sweep.search.optuna_export import export_studies

    studies = export_studies(store, sweep, to)
    counts = ", ".join(f"{name} ({trials} trials)" for name, trials in studies.items())
    print(f"{to}: {counts}")
    print(f"next: optuna-dashboard sqlite:///{to}")


def _export_runs(store: Store, sweep: str, to: Path) -> None:
    from tune_app.report.export.tensorboard_export import export_tensorboard

    count = export_tensorboard(store, sweep, to)
    print(f"{to}: a run for each of {count} trials")
    print(f"next: tensorboard --logdir {to}")


def _reason(result: "Evaluation") -> str:
    if changed := [file.file for file in result.files if file.changed]:
        return f"the weights are not those that were exported: {', '.join(changed)}"
    if result.data_changed:
        return "the numbers differ; the data set is not the one that was trained on"
    return "the numbers differ by more than 0.001"
