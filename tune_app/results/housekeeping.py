"""Changes to recorded sweeps that must keep the record and the files in step."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tune_app.errors import StorageError, SweepExistsError
from tune_app.hints import hint
from tune_app.results.store.names import check_sweep_name
from tune_app.results.store.records import SweepRecord, TrialRecord
from tune_app.results.store.statuses import SweepStatus
from tune_app.results.store.store import Store
from tune_app.results.tables.trial_table import ranked_rows, table_budgets, trial_rows
from tune_app.results.transfer.mirror import mirror_of


@dataclass(frozen=True)
class Pruning:
    """The trials whose files a pruning removes, and how many bytes that frees."""

    trials: tuple[TrialRecord, ...]
    size_bytes: int


def request_stop(store: Store, name: str) -> bool:
    """Ask the process that runs a sweep to stop gracefully; return False if none runs it."""
    if store.get_sweep(name).status != SweepStatus.RUNNING:
        return False
    mirror = mirror_of(store)
    if mirror is not None:
        mirror.ask_to_stop(name)
    # The process that runs it reads this with each heartbeat.
    store.update_sweep(name, status=SweepStatus.STOPPING)
    return True


def require_files(store: Store, name: str) -> None:
    """Raise StorageError if the record names weights but this storage lacks the sweep's folder."""
    folder = store.sweep_folder(name)
    if not folder.exists() and any(trial.checkpoint for trial in store.trials(name)):
        raise StorageError(
            f"the files of sweep '{name}' are not in {folder}", hint=hint("files_elsewhere")
        )


def rename_sweep(store: Store, name: str, new_name: str) -> None:
    """Rename a sweep that is not running, and its folder."""
    store.refuse_if_live(name)
    check_sweep_name(new_name)
    _require_folder(store, "renamed")
    folder, new_folder = store.sweep_folder(name), store.sweep_folder(new_name)
    if any(sweep.name == new_name for sweep in store.list_sweeps(archived=True)):
        raise SweepExistsError(f"a sweep named '{new_name}' exists already: choose another name")
    if new_folder.exists():
        raise StorageError(f"{new_folder} is there already: choose another name, or move it away")
    store.rename_sweep(name, new_name)
    if folder.exists():
        try:
            folder.rename(new_folder)
        except OSError as err:
            store.rename_sweep(new_name, name)
            raise StorageError(f"cannot rename {folder}: {err.strerror}") from err


def delete_sweep(store: Store, name: str) -> None:
    """Delete the record and the files of a sweep that is not running."""
    store.refuse_if_live(name)
    folder = store.sweep_folder(name)
    # Set aside first: files left by a crash must not be taken for those of a new sweep.
    aside = folder.with_name(f".deleted-{name}")
    if folder.exists():
        _remove(aside)
        folder.rename(aside)
    store.delete_sweep(name)
    _remove(aside)


def plan_pruning(store: Store, sweep: SweepRecord, keep: int) -> Pruning:
    """Return the pruning that keeps the files of the `keep` best trials of each budget.

    Trials of the final stage, and trials that can still run, keep their files.
    """
    store.refuse_if_live(sweep.name)
    _require_folder(store, "pruned")
    rows = trial_rows(store, sweep)
    kept = {
        row.trial_id
        for budget in table_budgets(sweep)
        for row in ranked_rows(rows, sweep, budget)[:keep]
    }
    trials = tuple(
        trial
        for trial in store.trials(sweep.name)
        if trial.stage == "search"
        and trial.status.is_ended
        and trial.trial_id not in kept
        and store.trial_folder(sweep.name, trial.trial_id).exists()
    )
    folders = [store.trial_folder(sweep.name, trial.trial_id) for trial in trials]
    return Pruning(trials, sum(map(folder_size, folders)))


def prune(store: Store, pruning: Pruning) -> None:
    """Remove the files; the trials stay in the record and in the tables."""
    for trial in pruning.trials:
        store.update_trial(trial.sweep, trial.trial_id, checkpoint=None)
        _remove(store.trial_folder(trial.sweep, trial.trial_id))


def _require_folder(store: Store, done: str) -> None:
    mirror = mirror_of(store)
    if mirror is not None:
        raise StorageError(
            f"a sweep in {mirror.url} cannot be {done}: an object store's files stay where they "
            "are; export what is wanted, or delete the sweep"
        )


def folder_size(folder: Path) -> int:
    """Return the size of all files in `folder` in bytes; 0 if it does not exist."""
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _remove(folder: Path) -> None:
    if not folder.exists():
        return
    try:
        shutil.rmtree(folder)
    except OSError as err:
        raise StorageError(f"cannot remove {err.filename}: {err.strerror}") from err
