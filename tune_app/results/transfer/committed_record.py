"""A sweep's record as one JSON file, to be committed or sent: everything but the weights."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from tune_app.errors import StorageError
from tune_app.results.store.records import (
    EpochRecord,
    SweepRecord,
    TrialRecord,
    record_from_json,
    record_to_json,
)
from tune_app.results.store.store import Store

ONE_MACHINES = ("run_flags", "owner", "heartbeat")
_KEY = ("sweep", "trial_id")


def to_shared(store: Store, name: str, *, most_epochs: int | None = None) -> dict[str, Any]:
    """Return the record of a sweep: the `sweep`, and its `trials`, each with a `history`.

    A history is columns, numbers rounded to seven significant digits. With more than `most_epochs`
    in all there is none. What holds on one machine only is left out.
    """
    trials = [record_to_json(trial) for trial in store.trials(name)]
    if most_epochs is None or sum(trial["epochs"] for trial in trials) <= most_epochs:
        for trial in trials:
            trial["history"] = _columns(store.epochs(name, trial["trial_id"]))
    sweep = record_to_json(store.get_sweep(name))
    return {
        "sweep": {key: value for key, value in sweep.items() if key not in ONE_MACHINES},
        "trials": trials,
    }


def add_shared(store: Store, path: Path) -> SweepRecord:
    """Add the sweep in a file of `to_shared` to a store, to be read there; return it.

    Raises:
        StorageError: The file cannot be read, or is no such record.
        SweepExistsError: The store has a sweep of that name.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        sweep = record_from_json(SweepRecord, raw["sweep"])
        trials = [record_from_json(TrialRecord, trial) for trial in raw["trials"]]
        epochs = [epoch for trial in raw["trials"] for epoch in _epochs(trial)]
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise StorageError(f"{path} is no record of a sweep: {error!r}") from error
    store.take_sweep(sweep, trials, epochs)
    return store.get_sweep(sweep.name)


def _columns(rows: Sequence[EpochRecord]) -> dict[str, list[Any]]:
    names = [field.name for field in fields(EpochRecord) if field.name not in _KEY]
    return {name: [_short(getattr(row, name)) for row in rows] for name in names}


def _short(value: Any) -> Any:
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _epochs(trial: Mapping[str, Any]) -> list[EpochRecord]:
    history = trial.get("history") or {}
    key = {name: trial[name] for name in _KEY}
    rows = zip(*history.values(), strict=True)
    return [EpochRecord(**key, **dict(zip(history, row, strict=True))) for row in rows]
