"""The Store: every sweep, trial and epoch, written by the process that runs the sweep."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tune_app.config.parsing.similar_names import did_you_mean
from tune_app.errors import (
    SweepBusyError,
    SweepExistsError,
    TuneAppError,
    UnknownSweepError,
    UnknownTrialError,
)
from tune_app.hints import hint
from tune_app.results.store.database import (
    Database,
    DatabaseConnection,
    RemoteStorage,
    RowConflictError,
)
from tune_app.results.store.names import check_sweep_name
from tune_app.results.store.ownership import describe_owner, is_alive, this_process
from tune_app.results.store.records import EpochRecord, Record, SweepRecord, TrialRecord
from tune_app.results.store.schema import (
    COLUMN_TYPES,
    TABLES,
    encode,
    from_row,
    insert_statement,
    to_row,
)
from tune_app.results.store.statuses import SweepStatus, TrialStatus

DATABASE_VARIABLE = "TUNE_APP_DB"  # names a database in the place of the folder's file
SCORE_COLUMNS = (
    *("trial_id", "number", "stage", "status", "budget", "weights"),
    *("val_accuracy", "val_loss", "metrics"),
)

_ADD_SWEEP = insert_statement(SweepRecord)
_ADD_TRIAL = insert_statement(TrialRecord)
_PUT_EPOCH = insert_statement(EpochRecord, replace=True)
_NEVER_FALLS = {"epochs": "CASE WHEN epochs > :epochs THEN epochs ELSE :epochs END"}


class Store:
    """The record of sweeps, and the storage folder of their files.

    Any number of processes may read and write; each sweep has one owner at a time, the process
    that claimed it. When a method returns, its changes survive even if the process is killed.
    """

    def __init__(
        self, storage: Path, database: Database, remote: RemoteStorage | None = None
    ) -> None:
        self.storage = storage
        self.remote = remote  # where `storage` is the mirror of an object store
        self._database = database

    @property
    def place(self) -> str:
        """The place of the record: its file, or its URL without the password."""
        return self._database.place

    @property
    def home(self) -> str:
        """The name of the storage for messages: its folder, its address, or the database."""
        return self._database.home

    def close(self) -> None:
        """Close the database; the next use opens it again."""
        self._database.close()

    # ------------------------------------------------------------------ sweeps

    def create_sweep(self, sweep: SweepRecord) -> None:
        """Add a sweep. Raises SweepExistsError if the name is taken."""
        check_sweep_name(sweep.name)
        try:
            with self._database.write() as connection:
                connection.execute(_ADD_SWEEP, to_row(sweep))
        except RowConflictError:
            raise self._taken(sweep.name) from None

    def take_sweep(
        self, sweep: SweepRecord, trials: Sequence[TrialRecord], epochs: Sequence[EpochRecord]
    ) -> None:
        """Add a sweep with all its trials and epochs in one transaction."""
        check_sweep_name(sweep.name)
        try:
            with self._database.write() as connection:
                connection.execute(_ADD_SWEEP, to_row(sweep))
                for trial in trials:
                    connection.execute(_ADD_TRIAL, to_row(trial))
                for epoch in epochs:
                    connection.execute(_PUT_EPOCH, to_row(epoch))
        except RowConflictError:
            raise self._taken(sweep.name) from None

    def get_sweep(self, name: str) -> SweepRecord:
        """Return a sweep; it is `interrupted` if it was running and its process is dead."""
        rows = self._database.rows("SELECT * FROM sweeps WHERE name = :name", name=name)
        if not rows:
            raise self._unknown_sweep(name)
        return _as_read(from_row(SweepRecord, rows[0]))

    def list_sweeps(self, *, archived: bool = False) -> list[SweepRecord]:
        """Return the sweeps, newest first; archived ones only on request."""
        rows = self._database.rows("SELECT * FROM sweeps ORDER BY created DESC, name")
        sweeps = [_as_read(from_row(SweepRecord, row)) for row in rows]
        return [sweep for sweep in sweeps if archived or not sweep.archived]

    def update_sweep(self, name: str, /, **fields: Any) -> None:
        """Change fields of a sweep, and the time of its last change."""
        with self._database.write() as connection:
            self._change_sweep(connection, name, {"updated": time.time(), **fields})

    def rename_sweep(self, name: str, new_name: str) -> None:
        """Rename a sweep in the record; the caller moves its folder."""
        check_sweep_name(new_name)
        try:
            self.update_sweep(name, name=new_name)
        except RowConflictError:
            raise self._taken(new_name) from None

    def delete_sweep(self, name: str) -> None:
        """Delete a sweep with its trials and epochs from the record; its folder stays."""
        with self._database.write() as connection:
            done = connection.execute("DELETE FROM sweeps WHERE name = :name", {"name": name})
        if not done.rowcount:
            raise self._unknown_sweep(name)

    def is_free(self, name: str) -> bool:
        """Tell whether a name is free: no sweep has it, and its folder has no files."""
        folder = self.sweep_folder(name)
        found = self._database.rows("SELECT name FROM sweeps WHERE name = :name", name=name)
        return not found and not (folder.is_dir() and any(folder.iterdir()))

    def sweep_folder(self, name: str) -> Path:
        """Return the folder of a sweep's files, which may not exist yet."""
        return (self.storage / name).resolve()

    def trial_folder(self, sweep: str, trial_id: str) -> Path:
        """Return the folder of a trial's files; pruning the trial removes it."""
        return self.sweep_folder(sweep) / trial_id

    def kept_folder(self, trial: TrialRecord) -> Path:
        """Return the folder of a trial's files for reading; remote files are copied first."""
        folder = self.trial_folder(trial.sweep, trial.trial_id)
        if self.remote is not None:
            self.remote.fetch(folder)
        return folder

    def checkpoint_path(self, trial: TrialRecord) -> Path | None:
        """Return the file of a trial's best weights for reading; see `kept_folder`."""
        if trial.checkpoint is None:
            return None
        self.kept_folder(trial)
        return self.sweep_folder(trial.sweep) / trial.checkpoint

    def push_changes(self) -> None:
        """Copy the changes to the object store, if the storage is in one.

        A running sweep is copied by the process that runs it; everybody else calls this when a
        change is done.

        Raises:
            StorageError: The object store cannot be reached.
        """
        if self.remote is not None:
            self.remote.push_changed()

    # --------------------------------------------------------------- ownership

    def claim(self, name: str, owner: Mapping[str, Any] | None = None) -> None:
        """Make `owner` (default: this process) the process that runs the sweep.

        Raises SweepBusyError if another live process runs it. Trials that a dead process left
        running are recorded as interrupted.
        """
        owner = dict(owner or this_process())
        with self._database.write() as connection:
            key = {"name": name}
            # This changes nothing, but it locks the row: another process that claims the sweep
            # at the same time waits here, and then sees our claim.
            connection.execute("UPDATE sweeps SET owner = owner WHERE name = :name", key)
            found = connection.execute("SELECT * FROM sweeps WHERE name = :name", key)
            row = found.fetchone()
            if row is None:
                raise self._unknown_sweep(name)
            sweep = from_row(SweepRecord, dict(row))
            if sweep.owner != owner:
                _refuse_live(sweep)
                connection.execute(
                    "UPDATE trials SET status = 'interrupted'"
                    " WHERE sweep = :name AND status IN ('pending', 'running')",
                    key,
                )
            now = time.time()
            self._change_sweep(connection, name, {"owner": owner, "heartbeat": now, "updated": now})

    def heartbeat(self, name: str) -> None:
        """Record that the sweep's process is alive; after 60 s without this it counts as dead."""
        with self._database.write(durable=False) as connection:
            self._change_sweep(connection, name, {"heartbeat": time.time()})

    def release(self, name: str) -> None:
        """Record that no process runs the sweep any more."""
        self.update_sweep(name, owner=None)

    def refuse_if_live(self, name: str) -> None:
        """Raise SweepBusyError if a live process runs the sweep."""
        _refuse_live(self.get_sweep(name))

    # ------------------------------------------------------------------ trials

    def add_trial(self, trial: TrialRecord) -> None:
        """Add a trial. Its checkpoint is kept relative to the sweep's folder."""
        row = to_row(replace(trial, checkpoint=self._relative(trial.sweep, trial.checkpoint)))
        try:
            with self._database.write(durable=False) as connection:
                connection.execute(_ADD_TRIAL, row)
        except RowConflictError:
            self.get_sweep(trial.sweep)
            raise TuneAppError(
                f"sweep '{trial.sweep}' already has a trial '{trial.trial_id}'"
            ) from None

    def update_trial(self, sweep: str, trial_id: str, /, **fields: Any) -> None:
        """Change fields of a trial; `epochs` never decreases."""
        # A commit that survives a power cut costs 20 times as much. It is needed once a trial has
        # ended: then its files are removed, and the record must not say that it still runs.
        durable = not TrialStatus(fields.get("status", TrialStatus.RUNNING)).is_under_way
        with self._database.write(durable=durable) as connection:
            self._change_trial(connection, sweep, trial_id, fields)

    def get_trial(self, sweep: str, trial_id: str) -> TrialRecord:
        """Return a trial."""
        rows = self._trial_rows(sweep, condition="AND trial_id = :trial_id", trial_id=trial_id)
        if not rows:
            raise self._unknown_trial(sweep, trial_id)
        return from_row(TrialRecord, rows[0])

    def trials(self, sweep: str) -> list[TrialRecord]:
        """Return the trials of a sweep in the order they were drawn."""
        return [from_row(TrialRecord, row) for row in self._trial_rows(sweep)]

    def scores(self, sweep: str) -> list[dict[str, Any]]:
        """Return only the columns that ranking needs, in a tenth of the time of `trials`."""
        one = self._database.rows("SELECT * FROM trials WHERE sweep = :sweep LIMIT 1", sweep=sweep)
        # A record of an older version has not all of these columns.
        columns = [name for name in SCORE_COLUMNS if one and name in one[0]]
        rows = self._trial_rows(sweep, ", ".join(columns) or "*")
        for row in rows:
            row["metrics"] = json.loads(row.get("metrics", "{}"))
        return rows

    def tally(self, sweep: str) -> list[dict[str, Any]]:
        """Return a row for each stage and status: the number of `trials`, and their sums.

        This takes milliseconds for any number of trials, and any change to a trial changes the
        result.
        """
        rows = self._database.rows(
            "SELECT stage, status, COUNT(*) AS trials, CAST(SUM(epochs) AS BIGINT) AS epochs,"
            " SUM(seconds) AS seconds, MIN(started) AS started, MAX(ended) AS ended"
            " FROM trials WHERE sweep = :sweep GROUP BY stage, status ORDER BY stage, status",
            sweep=sweep,
        )
        return [{**row, "status": TrialStatus(row["status"])} for row in rows]

    # ------------------------------------------------------------------ epochs

    def record_epoch(self, epoch: EpochRecord, **trial_fields: Any) -> None:
        """Add or replace an epoch, and change fields of its trial.

        Both changes are made in one transaction. `epochs` of the trial rises to this epoch.
        """
        fields = {"epochs": epoch.epoch, **trial_fields}
        try:
            with self._database.write(durable=False) as connection:
                connection.execute(_PUT_EPOCH, to_row(epoch))
                self._change_trial(connection, epoch.sweep, epoch.trial_id, fields)
        except RowConflictError:
            raise self._unknown_trial(epoch.sweep, epoch.trial_id) from None

    def epochs(self, sweep: str, trial_id: str) -> list[EpochRecord]:
        """Return the epochs of a trial, first to last."""
        self.get_trial(sweep, trial_id)
        return self._epochs(sweep, "AND trial_id = :trial_id", trial_id=trial_id)

    def all_epochs(self, sweep: str) -> list[EpochRecord]:
        """Return the epochs of all trials of a sweep, by trial, first to last."""
        self.get_sweep(sweep)
        return self._epochs(sweep)

    # ----------------------------------------------------------------- private

    def _trial_rows(
        self, sweep: str, columns: str = "*", condition: str = "", **values: Any
    ) -> list[dict[str, Any]]:
        interrupted = self.get_sweep(sweep).status == SweepStatus.INTERRUPTED
        rows = self._database.rows(
            f"SELECT {columns} FROM trials WHERE sweep = :sweep {condition}"
            " ORDER BY stage DESC, number, trial_id",  # those of the search first
            sweep=sweep,
            **values,
        )
        for row in rows:
            row["status"] = TrialStatus(row["status"])
            if interrupted and row["status"].is_under_way:
                row["status"] = TrialStatus.INTERRUPTED
        return rows

    def _epochs(self, sweep: str, condition: str = "", **values: Any) -> list[EpochRecord]:
        rows = self._database.rows(
            f"SELECT * FROM epochs WHERE sweep = :sweep {condition} ORDER BY trial_id, epoch",
            sweep=sweep,
            **values,
        )
        return [from_row(EpochRecord, row) for row in rows]

    def _change_sweep(
        self, connection: DatabaseConnection, name: str, fields: Mapping[str, Any]
    ) -> None:
        if not _update(connection, SweepRecord, {"name": name}, fields):
            raise self._unknown_sweep(name)

    def _change_trial(
        self, connection: DatabaseConnection, sweep: str, trial_id: str, fields: Mapping[str, Any]
    ) -> None:
        if "checkpoint" in fields:
            fields = {**fields, "checkpoint": self._relative(sweep, fields["checkpoint"])}
        key = {"sweep": sweep, "trial_id": trial_id}
        if not _update(connection, TrialRecord, key, fields):
            raise self._unknown_trial(sweep, trial_id)

    def _relative(self, sweep: str, checkpoint: str | Path | None) -> str | None:
        if checkpoint is None:
            return None
        path, folder = Path(checkpoint), self.sweep_folder(sweep)
        if path.is_absolute() and path.resolve().is_relative_to(folder):
            path = path.resolve().relative_to(folder)
        return path.as_posix()

    def _unknown_sweep(self, name: str) -> UnknownSweepError:
        known = [row["name"] for row in self._database.rows("SELECT name FROM sweeps")]
        if not known:
            return UnknownSweepError(
                f"no sweep '{name}' in {self.home}: there are none yet",
                hint=hint("is_storage_right", option=self._database.option),
            )
        if meant := did_you_mean(name, known):
            return UnknownSweepError(f"no sweep '{name}' in {self.home}: {meant}")
        return UnknownSweepError(f"no sweep '{name}' in {self.home}", hint=hint("list_sweeps"))

    def _unknown_trial(self, sweep: str, trial_id: str) -> TuneAppError:
        known = [trial.trial_id for trial in self.trials(sweep)]
        if not known:
            return UnknownTrialError(f"no trial '{trial_id}': sweep '{sweep}' has none yet")
        meant = did_you_mean(trial_id, known) or f"trial ids run from {known[0]} to {known[-1]}"
        return UnknownTrialError(f"no trial '{trial_id}' in sweep '{sweep}': {meant}")

    def _taken(self, name: str) -> SweepExistsError:
        return SweepExistsError(f"there is a sweep '{name}' in {self.home} already")


def _update(
    connection: DatabaseConnection,
    record: type[Record],
    key: Mapping[str, Any],
    fields: Mapping[str, Any],
) -> bool:
    if unknown := set(fields) - set(COLUMN_TYPES[record]):
        raise TypeError(f"{record.__name__} has no field {', '.join(sorted(unknown))}")
    changes = ", ".join(f"{name} = {_NEVER_FALLS.get(name, f':{name}')}" for name in fields)
    where = " AND ".join(f"{name} = :key_{name}" for name in key)
    values = encode(record, fields) | {f"key_{name}": value for name, value in key.items()}
    done = connection.execute(f"UPDATE {TABLES[record]} SET {changes} WHERE {where}", values)
    return done.rowcount > 0


def _as_read(sweep: SweepRecord) -> SweepRecord:
    if sweep.status.is_active and not is_alive(sweep.owner, sweep.heartbeat):
        return replace(sweep, status=SweepStatus.INTERRUPTED)
    return sweep


def _refuse_live(sweep: SweepRecord) -> None:
    if sweep.owner is None or not is_alive(sweep.owner, sweep.heartbeat):
        return
    raise SweepBusyError(
        f"sweep '{sweep.name}' is being run by {describe_owner(sweep.owner)}",
        hint=hint("stop_sweep", sweep=sweep.name),
    )
