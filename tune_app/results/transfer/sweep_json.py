"""A sweep as JSON, the format in which a record is sent, mirrored and committed.

It contains the fields of the `sweep` and of its `trials`. Epochs are either exact rows under
`epochs`, each with its sweep and trial, or, in files for people, rounded columns under `history` of
their trial. Both forms can be read.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
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
from tune_app.results.store.schema import RECORD_VERSION
from tune_app.results.store.store import Store

ONE_MACHINES = ("run_flags", "owner", "heartbeat")
_KEY = ("sweep", "trial_id")
_DIGITS = 7  # significant ones of a rounded number: those of a float32


@dataclass(frozen=True)
class SweepParts:
    """The records of a sweep, its trials and its epochs."""

    sweep: SweepRecord
    trials: Sequence[TrialRecord]
    epochs: Sequence[EpochRecord]


def sweep_to_json(store: Store, name: str) -> dict[str, Any]:
    """Return the complete record of a sweep without rounding."""
    return {
        "version": RECORD_VERSION,
        "sweep": record_to_json(store.get_sweep(name)),
        "trials": [record_to_json(trial) for trial in store.trials(name)],
        "epochs": [record_to_json(epoch) for epoch in store.all_epochs(name)],
    }


def sweep_to_commit(store: Store, name: str, *, most_epochs: int | None = None) -> dict[str, Any]:
    """Return the record of a sweep for a file that is committed or sent to a reader.

    Measurements of epochs are rounded to seven significant digits; if there are more than
    `most_epochs` epochs in total, all are left out. Facts about one machine only are left out.
    """
    trials = [record_to_json(trial) for trial in store.trials(name)]
    if most_epochs is None or sum(trial["epochs"] for trial in trials) <= most_epochs:
        for trial in trials:
            trial["history"] = _to_columns(store.epochs(name, trial["trial_id"]))
    sweep = record_to_json(store.get_sweep(name))
    return {
        "sweep": {key: value for key, value in sweep.items() if key not in ONE_MACHINES},
        "trials": trials,
    }


def sweep_from_json(values: Mapping[str, Any]) -> SweepParts:
    """Return the records in either form, written by any version.

    Raises:
        KeyError, TypeError, ValueError: The data do not describe a sweep.
    """
    rows = [record_from_json(EpochRecord, epoch) for epoch in values.get("epochs", ())]
    columns = (epoch for trial in values["trials"] for epoch in _from_columns(trial))
    return SweepParts(
        sweep=record_from_json(SweepRecord, values["sweep"]),
        trials=[record_from_json(TrialRecord, trial) for trial in values["trials"]],
        epochs=[*rows, *columns],
    )


def add_sweep(store: Store, parts: SweepParts) -> SweepRecord:
    """Add a sweep to a store, completely or not at all, and return it.

    Raises:
        SweepExistsError: The store has a sweep of that name.
    """
    store.take_sweep(parts.sweep, parts.trials, parts.epochs)
    return store.get_sweep(parts.sweep.name)


def add_exact(store: Store, values: Mapping[str, Any]) -> SweepRecord:
    """Add the result of `sweep_to_json` to a store, where the sweep can be resumed.

    Raises:
        SweepExistsError: The store has a sweep of that name.
        StorageError: Another version of tune_app recorded the sweep.
    """
    if values["version"] != RECORD_VERSION:
        raise StorageError(
            f"the sweep was recorded by another tune-app (record version {values['version']}, "
            f"this one has {RECORD_VERSION}); install the same here"
        )
    return add_sweep(store, sweep_from_json(values))


def add_file(store: Store, path: Path) -> SweepRecord:
    """Add the sweep in a JSON file to a store, for reading.

    Raises:
        StorageError: The file cannot be read, or does not contain a record.
        SweepExistsError: The store has a sweep of that name.
    """
    try:
        parts = sweep_from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise StorageError(f"{path} is not the record of a sweep: {error!r}") from error
    return add_sweep(store, parts)


def _to_columns(rows: Sequence[EpochRecord]) -> dict[str, list[Any]]:
    names = [field.name for field in fields(EpochRecord) if field.name not in _KEY]
    return {name: [_rounded(getattr(row, name)) for row in rows] for name in names}


def _rounded(value: Any) -> Any:
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def _from_columns(trial: Mapping[str, Any]) -> Iterator[EpochRecord]:
    history = trial.get("history") or {}
    key = {name: trial[name] for name in _KEY}
    for row in zip(*history.values(), strict=True):
        yield EpochRecord(**key, **dict(zip(history, row, strict=True)))
