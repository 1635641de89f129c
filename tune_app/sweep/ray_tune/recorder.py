"""Tune's callback that writes every epoch and every end to the Store.

It never raises into Tune, because an exception in a callback ends the whole sweep. If a write
still fails after its retries, the recorder keeps the reason and the sweep stops gracefully.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from tune_app.errors import TuneAppError
from tune_app.results.store.names import TEST_FILE
from tune_app.results.store.records import TrialRecord
from tune_app.results.store.statuses import SweepStatus, TrialStatus
from tune_app.results.store.store import Store
from tune_app.sweep.ray_tune.patches import forgive_failure
from tune_app.sweep.storage_uploads import Uploads
from tune_app.sweep.trial.tasks import DriverOnly, Ledger, TrialTask, task_of
from tune_app.sweep.trial.trainable import HANG_FILE
from tune_app.sweep.trial.trial_report import EpochReport, report_of

RETRY_AFTER_S = (0.1, 0.5, 2.0)
HEARTBEAT_S = 2.0
NODE_LOST = "its node has died"  # part of Ray's message


class Recorder(DriverOnly, Callback):
    """Keeps the Store and the ledger of one sweep up to date.

    Tune's stopper reads two of its fields: `failure`, the reason if the Store could not be
    written, and `stop_requested`, whether somebody asked through the Store for an end.
    """

    def __init__(
        self, store: Store, sweep: str, ledger: Ledger, refused: Callable[[], dict[str, int]]
    ) -> None:
        self.store, self.sweep, self.ledger, self.refused = store, sweep, ledger, refused
        self.uploads: Uploads | None = None  # if the storage is an object store
        self.failure: str | None = None
        self.stop_requested = False
        self._last_heartbeat = 0.0
        self._refused_written: dict[str, int] = {}

    # -- what Tune calls ------------------------------------------------------------------------

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Send a heartbeat for the sweep, and read whether it should stop."""
        now = time.time()
        if now - self._last_heartbeat < HEARTBEAT_S:
            return
        self._last_heartbeat = now
        self._write(self._beat)

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        task = task_of(trial)
        live = self.ledger.trials[task.trial_id]
        live.attempts += 1
        live.status = TrialStatus.RUNNING
        live.started = live.started or time.time()
        live.seconds_before = live.seconds
        fields = {
            "status": TrialStatus.RUNNING,
            "attempts": live.attempts,
            "started": live.started,
            "ended": None,
            "stop_reason": None,
            "error": None,
        }
        self._write(partial(self.store.update_trial, self.sweep, task.trial_id, **fields))

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        task, report = task_of(trial), report_of(result)
        if report.epoch is not None:
            self._record_epoch(task, report.epoch)
        ending = report.ending
        if ending is not None:
            if ending.of_all:
                self.failure = ending.reason
            self.ledger.trials[task.trial_id].test = ending.test
            self.ledger.end(task.trial_id, ending.status, ending.reason, ending.error)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        task = task_of(trial)
        # Counts only if the trial has not reported its end itself.
        self.ledger.end(task.trial_id, TrialStatus.FAILED, "ended without reporting how")
        self._record_end(task)

    def on_trial_recover(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Retry a trial whose node was lost, however often that happens."""
        last = (_text_of(trial) or "").rpartition("Failure #")[2]
        if NODE_LOST in last:
            forgive_failure(trial, self.ledger.fallbacks)

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        task = task_of(trial)
        hang = Path(task.directory) / HANG_FILE
        if hang.exists() and hang.stat().st_size:
            self.ledger.end(
                task.trial_id, TrialStatus.TIMEOUT, "hung past its time limit", hang.read_text()
            )
        else:
            error = _text_of(trial)
            self.ledger.end(task.trial_id, TrialStatus.FAILED, "its worker process died", error)
        self._record_end(task)

    # -- what the sweep calls -------------------------------------------------------------------

    def add(self, task: TrialTask) -> None:
        """Write a new trial before it runs; a resumed one is in the Store already."""
        if task.recorded:
            return
        draw = task.draw
        record = TrialRecord(
            sweep=self.sweep,
            trial_id=task.trial_id,
            number=task.number,
            stage=task.stage,
            source=task.source,
            status=TrialStatus.PENDING,
            budget=draw.budget,
            weights=draw.weights,
            macs=draw.macs,
            fill_share=draw.fill_share,
            parameters=draw.parameters,
            config=draw.config.to_json(),
            sampler=task.sampler,
            seed=task.seed,
            created=time.time(),
        )
        self._write(lambda: self.store.add_trial(record))

    def interrupt_unfinished(self, reason: str) -> None:
        """Mark the trials that were running or waiting when the sweep ended."""
        for trial_id, live in self.ledger.trials.items():
            if live.status.is_under_way:
                live.status, live.stop_reason = TrialStatus.INTERRUPTED, reason
                fields = {
                    "status": TrialStatus.INTERRUPTED,
                    "stop_reason": reason,
                    "ended": time.time(),
                }
                self._write(partial(self.store.update_trial, self.sweep, trial_id, **fields))

    # -- inside ---------------------------------------------------------------------------------

    def _beat(self) -> None:
        self.store.heartbeat(self.sweep)
        refused = self.refused()
        if refused != self._refused_written:
            self.store.update_sweep(self.sweep, refused=refused)
            self._refused_written = refused
        if self.store.get_sweep(self.sweep).status == SweepStatus.STOPPING:
            self.stop_requested = True

    def _record_epoch(self, task: TrialTask, report: EpochReport) -> None:
        live, best = self.ledger.trials[task.trial_id], report.best
        epoch = report.measured.result.epoch
        live.epochs = max(live.epochs, epoch)
        self.ledger.epochs_run += 1
        record = report.to_record(self.sweep, task.trial_id, live.attempts)
        live.seconds = live.seconds_before + report.attempt_seconds
        fields = {"epochs": live.epochs, "seconds": live.seconds, "node": report.node}
        # A resumed trial repeats epochs; these must not replace a better one recorded before.
        if live.score is None or best.score >= live.score:
            live.score, live.value = best.score, best.value
            fields |= {
                "best_epoch": best.measured.result.epoch,
                "train_loss": best.measured.result.train_loss,
                "train_accuracy": best.measured.result.train_accuracy,
                "val_loss": best.measured.result.val_loss,
                "val_accuracy": best.measured.result.val_accuracy,
                "metrics": dict(best.measured.metrics),
                "checkpoint": f"{task.directory}/{best.checkpoint}",
            }
        if best.value is not None:
            live.curve[epoch] = best.value
        self._write(lambda: self.store.record_epoch(record, **fields))

    def _record_end(self, task: TrialTask) -> None:
        live = self.ledger.trials[task.trial_id]
        fields = {
            "status": live.status,
            "stop_reason": live.stop_reason,
            "error": live.error,
            "ended": time.time(),
            **({} if live.test is None else asdict(live.test)),
        }
        written = self._write(partial(self.store.update_trial, self.sweep, task.trial_id, **fields))
        if written and not live.status.is_resumable:
            # An error here would make Tune train the trial again; a file that is left does no harm.
            with contextlib.suppress(OSError, TuneAppError):
                self._remove_leftovers(task)

    def _remove_leftovers(self, task: TrialTask) -> None:
        """Remove an ended trial's checkpoint, and weights that the record does not name."""
        checkpoint = self.store.get_trial(self.sweep, task.trial_id).checkpoint
        if self.uploads is not None:
            self.uploads.trial_ended(task.trial_id, checkpoint)
            return
        kept = checkpoint and self.store.sweep_folder(self.sweep) / checkpoint
        for path in Path(task.directory).glob("*"):
            if path != kept and path.is_file() and path.name != TEST_FILE:
                path.unlink(missing_ok=True)

    def _write(self, write: Callable[[], Any]) -> bool:
        """Return whether `write` succeeded within its retries; keep the failure otherwise."""
        if self.failure is not None:
            return False
        for wait in (*RETRY_AFTER_S, None):
            try:
                write()
                return True
            except Exception as error:  # of any kind: none may reach Tune
                if wait is None:
                    text = str(error).splitlines()[0] if str(error) else repr(error)
                    self.failure = f"the record could not be written: {text}"
                    return False
                time.sleep(wait)
        raise AssertionError("unreachable")


def _text_of(trial: Trial) -> str | None:
    """Return Ray's report on a trial's failure."""
    return _text_in(Path(trial.error_file)) if trial.error_file else None


def _text_in(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None
