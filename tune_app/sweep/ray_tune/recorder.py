"""Tune's callback that writes every epoch and every end to the Store.

It never raises into Tune, where an exception in a callback ends the whole sweep. A write that
still fails after its retries asks for a graceful stop instead, and is kept as the reason.
"""

import contextlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from tune_app.errors import TuneAppError
from tune_app.results.store.names import TEST_FILE
from tune_app.results.store.records import EpochRecord, TrialRecord
from tune_app.results.store.statuses import TrialStatus
from tune_app.results.store.store import Store
from tune_app.sweep.ray_tune.patches import forgive_failure
from tune_app.sweep.storage_uploads import Uploads
from tune_app.sweep.trial.tasks import DriverOnly, Ledger, TrialTask, message_of, task_of
from tune_app.sweep.trial.trainable import HANG_FILE

RETRY_AFTER_S = (0.1, 0.5, 2.0)
HEARTBEAT_S = 2.0
NODE_LOST = "its node has died"  # Ray's words


class Recorder(DriverOnly, Callback):
    """Keeps the Store and the ledger of one sweep true.

    `should_stop` is read by Tune's stopper; `failure` holds the reason when the Store could not
    be written, `stop_requested` whether somebody asked for an end through the Store.
    """

    def __init__(
        self, store: Store, sweep: str, ledger: Ledger, refused: Callable[[], dict[str, int]]
    ) -> None:
        self.store, self.sweep, self.ledger, self.refused = store, sweep, ledger, refused
        self.uploads: Uploads | None = None  # where the storage is an object store
        self.failure: str | None = None
        self.stop_requested = False
        self._last_heartbeat = 0.0
        self._refused_written: dict[str, int] = {}

    # -- what Tune calls ------------------------------------------------------------------------

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Beat the heart of the sweep, and hear whether it should stop."""
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
        live.status = "running"
        live.started = live.started or time.time()
        live.seconds_before = live.seconds
        fields = {
            "status": "running",
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
        task, message = task_of(trial), message_of(result)
        if "epoch" in message:
            self._record_epoch(task, message)
        if message.get("of_all"):
            self.failure = message["stop_reason"]
        if "test" in message:
            self.ledger.trials[task.trial_id].test = message["test"]
        if "status" in message:
            status, reason = message["status"], message["stop_reason"]
            self.ledger.end(task.trial_id, status, reason, message["error"])

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        task = task_of(trial)
        # Ended without a word: the trial's own report of its end never came.
        self.ledger.end(task.trial_id, "failed", "ended without reporting how")
        self._record_end(task)

    def on_trial_recover(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Hold nothing against a trial whose node was lost: it is tried again each time."""
        last = (_text_of(trial) or "").rpartition("Failure #")[2]
        if NODE_LOST in last:
            forgive_failure(trial, self.ledger.fallbacks)

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        task = task_of(trial)
        hang = Path(task.directory) / HANG_FILE
        if hang.exists() and hang.stat().st_size:
            self.ledger.end(task.trial_id, "timeout", "hung past its time limit", hang.read_text())
        else:
            error = _text_of(trial)
            self.ledger.end(task.trial_id, "failed", "its worker process died", error)
        self._record_end(task)

    # -- what the sweep calls -------------------------------------------------------------------

    def add(self, task: TrialTask) -> None:
        """Write a new trial before it runs; one that is queued again is there already."""
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
        """Mark what was running or waiting when the sweep ended."""
        for trial_id, live in self.ledger.trials.items():
            if live.status in ("pending", "running"):
                live.status, live.stop_reason = "interrupted", reason
                fields = {"status": "interrupted", "stop_reason": reason, "ended": time.time()}
                self._write(partial(self.store.update_trial, self.sweep, trial_id, **fields))

    # -- inside ---------------------------------------------------------------------------------

    def _beat(self) -> None:
        self.store.heartbeat(self.sweep)
        refused = self.refused()
        if refused != self._refused_written:
            self.store.update_sweep(self.sweep, refused=refused)
            self._refused_written = refused
        if self.store.get_sweep(self.sweep).status == "stopping":
            self.stop_requested = True

    def _record_epoch(self, task: TrialTask, result: dict[str, Any]) -> None:
        live = self.ledger.trials[task.trial_id]
        live.epochs = max(live.epochs, result["epoch"])
        self.ledger.epochs_run += 1
        record = EpochRecord(
            sweep=self.sweep,
            trial_id=task.trial_id,
            epoch=result["epoch"],
            attempt=live.attempts,
            started=result["started"],
            seconds=result["seconds"],
            train_loss=result["train_loss"],
            train_accuracy=result["train_accuracy"],
            val_loss=result["val_loss"],
            val_accuracy=result["val_accuracy"],
            lr=result["lr"],
            grad_norm=result["grad_norm"],
            metrics=result["metrics"],
        )
        live.seconds = live.seconds_before + result["attempt_seconds"]
        fields = {"epochs": live.epochs, "seconds": live.seconds, "node": result["node"]}
        # Epochs that a resumed trial repeats do not outdo the best that was recorded before.
        if live.score is None or result["score"] >= live.score:
            live.score, live.value = result["score"], result["value"]
            fields |= {
                "best_epoch": result["best_epoch"],
                "train_loss": result["best_train_loss"],
                "train_accuracy": result["best_train_accuracy"],
                "val_loss": result["best_val_loss"],
                "val_accuracy": result["best_val_accuracy"],
                "metrics": result["best_metrics"],
                "checkpoint": f"{task.directory}/{result['checkpoint']}",
            }
        if result["value"] is not None:
            live.curve[result["epoch"]] = result["value"]
        self._write(lambda: self.store.record_epoch(record, **fields))

    def _record_end(self, task: TrialTask) -> None:
        live = self.ledger.trials[task.trial_id]
        fields = {
            "status": live.status,
            "stop_reason": live.stop_reason,
            "error": live.error,
            "ended": time.time(),
            **live.test,
        }
        written = self._write(partial(self.store.update_trial, self.sweep, task.trial_id, **fields))
        if written and live.status != "interrupted":
            # A file that stays is no reason to disturb Tune, which would train the trial again.
            with contextlib.suppress(OSError, TuneAppError):
                self._remove_leftovers(task)

    def _remove_leftovers(self, task: TrialTask) -> None:
        """Drop an ended trial's checkpoint, and weights that the record does not name."""
        checkpoint = self.store.get_trial(self.sweep, task.trial_id).checkpoint
        if self.uploads is not None:
            self.uploads.trial_ended(task.trial_id, checkpoint)
            return
        kept = checkpoint and self.store.sweep_folder(self.sweep) / checkpoint
        for path in Path(task.directory).glob("*"):
            if path != kept and path.is_file() and path.name != TEST_FILE:
                path.unlink(missing_ok=True)

    def _write(self, write: Callable[[], Any]) -> bool:
        """Return whether `write` went through, after retries; note the failure where not."""
        if self.failure is not None:
            return False
        for wait in (*RETRY_AFTER_S, None):
            try:
                write()
                return True
            except Exception as error:  # whatever it is, Tune must not see it
                if wait is None:
                    text = str(error).splitlines()[0] if str(error) else repr(error)
                    self.failure = f"the record could not be written: {text}"
                    return False
                time.sleep(wait)
        raise AssertionError("unreachable")


def _text_of(trial: Trial) -> str | None:
    """Return what Ray says of a trial's failure."""
    return _text_in(Path(trial.error_file)) if trial.error_file else None


def _text_in(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None
