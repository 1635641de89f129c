"""The reading commands as a user calls them, and a sweep for them to read."""

import json
from typing import Any

import typer
from typer.testing import CliRunner, Result

from tune_app.cli.commands.read_commands import register
from tune_app.errors import TuneAppError
from tune_app.results.store import EpochRecord, Store, SweepRecord, TrialRecord


def call(*arguments: str, **options: Any) -> Result:
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, arguments, **options)
    if isinstance(result.exception, TuneAppError):
        raise result.exception
    return result


def said(*arguments: str, **options: Any) -> str:
    result = call(*arguments, **options)
    assert result.exit_code == 0, result.output
    return result.stdout


def shown(*arguments: str) -> list[dict[str, Any]]:
    rows = json.loads(said("show", *arguments, "--format", "json"))
    assert isinstance(rows, list)
    return rows


def record_sweep(store: Store, name: str = "study", trials: int = 12, **fields: Any) -> None:
    """Record a complete sweep: trial n has accuracy n/100; every fourth failed."""
    config = {
        "objective": {"metric": "val_accuracy", "mode": "max"},
        "parameters": {"lr": {"float": [0.001, 0.1]}, "optimizer": {"choice": ["adam", "sgd"]}},
        "search": {"trials": trials},
    }
    values: dict[str, Any] = {"status": "complete", "budgets": (2000, 5000), "config": config}
    store.create_sweep(SweepRecord(name, "digits", "cnn", **(values | fields)))
    for number in range(1, trials + 1):
        budget = 2000 if number % 2 else 5000
        parameters = {"lr": number / 1000, "optimizer": ["adam", "sgd"][number % 2]}
        failed = number % 4 == 0
        trial_id = f"t{number:04}"
        store.add_trial(
            TrialRecord(
                name,
                trial_id,
                number,
                status="failed" if failed else "stopped" if number % 3 == 0 else "finished",
                budget=budget,
                weights=budget - number,
                parameters=parameters,
                config=parameters | {"batch_norm": True},
                val_accuracy=None if failed else number / 100,
                val_loss=None if failed else 1 - number / 100,
                best_epoch=None if failed else 1,
                seconds=float(number),
                error="Traceback:\nRuntimeError: out of luck" if failed else None,
                stop_reason="asha" if number % 3 == 0 else "epochs",
            )
        )
        if not failed:
            store.record_epoch(EpochRecord(name, trial_id, 1, val_loss=0.5, lr=0.1, seconds=1.0))
