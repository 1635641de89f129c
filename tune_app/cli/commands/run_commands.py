"""The commands that train: run, resume, stop."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tune_app.actions.searches import user_code_folders
from tune_app.cli.options import (
    STORAGE,
    BudgetOption,
    StorageOption,
    SweepArgument,
    split_list,
)
from tune_app.cli.run_options import (
    AddressOption,
    DataOption,
    SettingsOption,
    command_line,
    launch_again,
    parse_setting,
)
from tune_app.results.places import find_data_root

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Path of a search file.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON and nothing else.")
]


def run(
    file: FileArgument,
    name: Annotated[
        str | None, typer.Option(help="Name of the sweep (default: the file's).")
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="If the name is taken, use the next free one.")
    ] = False,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Number of trials (search.trials).")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of each trial (parameters.epochs).")
    ] = None,
    budget: BudgetOption = None,
    time_limit: Annotated[
        str | None, typer.Option(help="Time for the whole search: 90s, 10m, 2h.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the search (search.seed).")] = None,
    settings: SettingsOption = None,
    data: DataOption = None,
    address: AddressOption = None,
    max_concurrent: Annotated[
        int | None,
        typer.Option(help="Trials that run at the same time (resources.max_concurrent)."),
    ] = None,
    no_final: Annotated[bool, typer.Option("--no-final", help="Skip the final stage.")] = False,
    as_json: JsonOption = False,
    storage: StorageOption = STORAGE,
) -> None:
    """Run a search file to its end: train, rank, and show the best networks of each budget."""
    from tune_app.config.search_file import load_sweep_file

    overrides: list[tuple[str, Any]] = []
    for key, value in (
        ("name", name),
        ("search.trials", trials),
        ("parameters.epochs", epochs),
        ("budgets", split_list(budget) or None),
        ("search.time_limit", time_limit),
        ("search.seed", seed),
        ("resources.max_concurrent", max_concurrent),
    ):
        if value is not None:
            overrides.append((key, value))
    overrides += [parse_setting(text) for text in settings or []]
    config = load_sweep_file(file, overrides=overrides)
    if no_final:
        config = config.model_copy(update={"final": None, "baselines": ()})

    from tune_app.actions.live_progress import Announcer
    from tune_app.sweep.launch import Launch
    from tune_app.sweep.run import named, start_sweep

    announcer = Announcer(quiet=as_json)
    launch = Launch(
        storage=storage,
        data_root=find_data_root(data),
        address=address,
        command=command_line(),
        source=file.read_text(encoding="utf-8"),
        folders=user_code_folders(file),
        announce=announcer.opening,
        announce_data=announcer.data,
        watch=announcer.watch,
    )
    outcome = start_sweep(named(config, storage, new=new), launch)
    _conclude(outcome, launch.storage, as_json)


def resume(
    sweep: SweepArgument,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Extend the sweep to this many trials.")
    ] = None,
    data: DataOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
    storage: StorageOption = STORAGE,
) -> None:
    """Continue an interrupted sweep with the options of its first run, or extend a complete one."""
    from tune_app.results.store import open_store

    record = open_store(storage).get_sweep(sweep)
    if record.status == "complete" and trials is None:
        _say_complete(sweep, as_json)
        return

    from tune_app.actions.live_progress import Announcer
    from tune_app.sweep.run import resume_sweep

    announcer = Announcer(quiet=as_json)
    launch = launch_again(record, storage, data, address)
    launch = replace(launch, announce=announcer.opening, watch=announcer.watch)
    outcome = resume_sweep(sweep, launch, trials=trials)
    if outcome is None:
        _say_complete(sweep, as_json)
        return
    _conclude(outcome, storage, as_json)


def stop(sweep: SweepArgument, storage: StorageOption = STORAGE) -> None:
    """Stop a running sweep gracefully; `resume` continues it."""
    from tune_app.results.housekeeping import request_stop
    from tune_app.results.store import open_store

    if request_stop(open_store(storage), sweep):
        print(f"sweep '{sweep}' was asked to stop; continue it later with: tune-app resume {sweep}")
    else:
        print(f"sweep '{sweep}' is not running")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command(rich_help_panel="Search")(run)
    app.command(rich_help_panel="Search")(resume)
    app.command(rich_help_panel="Search")(stop)


def _say_complete(sweep: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"name": sweep, "status": "complete"}))
    else:
        print(f"sweep '{sweep}' is complete; extend it with: tune-app resume {sweep} --trials N")


def _conclude(outcome: Any, storage: Path, as_json: bool) -> None:
    """Print the outcome of a run and exit with the matching code."""
    from tune_app.cli.printing.summary import outcome_json, print_outcome

    if as_json:
        print(json.dumps(outcome_json(outcome, storage), indent=2))
    else:
        print_outcome(outcome, storage)
    if outcome.signal is not None:
        raise typer.Exit(128 + outcome.signal)
    if outcome.final_error is not None:
        raise outcome.final_error
    if not outcome.usable:
        raise typer.Exit(1)
