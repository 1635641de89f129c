"""The function that Ray calls for one trial: it builds and trains the network, and reports.

A trial always reports its end itself: "finished", "diverged", "timeout", or "failed" with a
traceback. So an exception, a missing report or a missing metric fails that trial alone, and Ray
retries a trial only if its worker process died. A file that cannot be written is not the trial's
fault: it ends the whole sweep, which can be resumed.
"""

import contextlib
import faulthandler
import functools
import gc
import random
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tune_app.data.sets import SearchData
from tune_app.errors import StorageError
from tune_app.models.built_weights import count_weights
from tune_app.models.network import build_network
from tune_app.models.user_networks import Model
from tune_app.results.store.names import TEST_FILE, WEIGHTS_FOLDER
from tune_app.results.store.statuses import TrialStatus
from tune_app.sweep.ray_tune.patches import without_shell
from tune_app.sweep.ray_tune.placement import GPUS
from tune_app.sweep.trial.best_weights import BestWeights, TrainingPaused, TrialCheckpoint
from tune_app.sweep.trial.file_transfer import FileTransfer, TrialFiles, node_name
from tune_app.sweep.trial.tasks import TASK, TrialTask, paused_reason
from tune_app.sweep.trial.trial_report import (
    REPORT,
    EpochReport,
    MeasuredEpoch,
    TestMeasures,
    TrialEnding,
    TrialReport,
)
from tune_app.training.checkpoints import AtomicCheckpoint, save_weights
from tune_app.training.device import apply_kernels, pick_device, readable_memory_errors
from tune_app.training.evaluate import measure, predict
from tune_app.training.loop import (
    DivergedError,
    EpochResult,
    TrainingData,
    as_tensor,
    train_epochs,
)
from tune_app.training.metric_functions import measure_metrics

TrainEpochs = Callable[..., Generator[EpochResult, None, Any]]
Report = Callable[[TrialReport], None]

HANG_GRACE_S = 10.0  # the limit is checked after each epoch; this much later the process is ended
HANG_FILE = "hang.txt"
CHECKPOINT_FILE = "checkpoint.pt"


@dataclass(frozen=True)
class TrialSettings:
    """The settings that all trials of a stage share."""

    model: Model
    metric: str
    mode: str
    precision: str
    kernels: Mapping[str, Any]
    threads: int
    time_limit_s: float
    use_gpu: bool = False  # set for each trial
    weights_every: int | None = None  # in epochs; keep these weights in addition to the best
    metrics: tuple[str, ...] = ()  # by name, in addition to loss and accuracy
    final: bool = False  # keep the last epoch in place of the best, and test it
    train_epochs: TrainEpochs = train_epochs
    file_transfer: FileTransfer | None = None  # None if workers run on the driver's machine


class _TrialEnd(Exception):  # noqa: N818 - no error: most trials end well
    """Ends a trial from within a helper; raised and caught in this module only."""

    def __init__(self, status: TrialStatus, reason: str, error: str | None = None) -> None:
        super().__init__(reason)
        self.ending = TrialEnding(status, reason, error)


def run_trial(task: TrialTask, settings: TrialSettings, data: SearchData, report: Report) -> None:
    """Train `task` to its end, calling `report` once for each epoch and once for the end.

    If the end is known at the last epoch, both share one report. `report` can raise SystemExit, by
    which Ray stops a function; the best weights are then already in the storage.
    """
    files = TrialFiles(Path(task.directory), settings.file_transfer)
    with contextlib.closing(files):
        _run_trial(task, settings, data, report, files)


def _run_trial(
    task: TrialTask, settings: TrialSettings, data: SearchData, report: Report, files: TrialFiles
) -> None:
    try:
        with _as_storage_error(files.folder):
            files.folder.mkdir(parents=True, exist_ok=True)
        limit_s = settings.time_limit_s - task.seconds
        with _ended_if_hanging(files.folder / HANG_FILE, limit_s), readable_memory_errors():
            ended = _train(task, settings, data, report, files)
    except _TrialEnd as end:
        ended = end.ending
    except StorageError as error:
        ended = TrialEnding(TrialStatus.INTERRUPTED, str(error), of_all=True)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        ended = TrialEnding(TrialStatus.FAILED, reason, traceback.format_exc())
    report(TrialReport(ending=ended))


def _train(
    task: TrialTask, settings: TrialSettings, data: SearchData, report: Report, files: TrialFiles
) -> TrialEnding:
    started = time.perf_counter()
    _prepare_process(settings, task.seed)
    device = pick_device() if settings.use_gpu else torch.device("cpu")
    model = build_network(settings.model, task.draw.config, data.input_shape, data.outputs)
    built = count_weights(model)
    if built != task.draw.weights:
        raise AssertionError(f"{built} weights were built, {task.draw.weights} were planned")
    model.to(device)
    best = BestWeights(
        model, files, metric=settings.metric, mode=settings.mode, final=settings.final
    )
    checkpoint = TrialCheckpoint(
        AtomicCheckpoint(files.folder / CHECKPOINT_FILE), best, task.seconds
    )
    ready = TrainingData.from_search(data, device)
    epochs = settings.train_epochs(
        model,
        ready,
        task.draw.config,
        seed=task.seed,
        precision=settings.precision,
        checkpoint=checkpoint,
    )
    last = task.draw.config.training.epochs
    reason = "trained for all its epochs"
    node = node_name(settings.file_transfer)
    with contextlib.closing(epochs):
        while True:
            epoch_started = time.time()
            try:
                result = next(epochs)
            except StopIteration as stop:
                if stop.value in ("patience", "target_loss"):
                    reason = f"ended by {stop.value}"
                break
            except TrainingPaused:
                return TrialEnding(TrialStatus.PAUSED, paused_reason(result.epoch, last))
            except DivergedError as error:
                return TrialEnding(TrialStatus.DIVERGED, str(error))
            measured = _measured(result, settings, model, ready)
            best.offer(measured)
            if settings.weights_every and result.epoch % settings.weights_every == 0:
                kept = files.folder / WEIGHTS_FOLDER / f"epoch-{result.epoch:04d}.pt"
                with _as_storage_error(kept):
                    kept.parent.mkdir(exist_ok=True)
                save_weights(kept, model.state_dict(), {"epoch": result.epoch})
                files.send(kept)
            attempt_seconds = time.perf_counter() - started
            seconds = checkpoint.seconds_before + attempt_seconds
            epoch = EpochReport(
                measured=measured,
                best=best.best(),
                started=epoch_started,
                attempt_seconds=attempt_seconds,
                node=node,
            )
            if result.epoch >= last and not settings.final:
                ended = TrialEnding(TrialStatus.FINISHED, reason)
                report(TrialReport(epoch, ended))
                return ended
            report(TrialReport(epoch))
            best.reported()
            if seconds > settings.time_limit_s:
                over = f"over its limit of {settings.time_limit_s:g} s after epoch {result.epoch}"
                return TrialEnding(TrialStatus.TIMEOUT, over)
            # Its state is offered when it is asked for the next epoch, and not before.
            checkpoint.pause_next = task.until is not None and result.epoch >= task.until
    if best.measured is None:
        raise RuntimeError("the training function ended without reporting an epoch")
    test = _Test(task, settings, data, files).run(model, ready) if settings.final else None
    return TrialEnding(TrialStatus.FINISHED, reason, test=test)


@dataclass(frozen=True)
class _Test:
    """The test of a trial of the final stage."""

    task: TrialTask
    settings: TrialSettings
    data: SearchData
    files: TrialFiles

    def run(self, model: nn.Module, ready: TrainingData) -> TestMeasures:
        """Measure the network on the test split, and write its outputs for each example."""
        assert self.data.x_test is not None
        assert self.data.y_test is not None
        device = ready.x_train.device
        x_test, y_test = (
            as_tensor(self.data.x_test).to(device),
            as_tensor(self.data.y_test).to(device),
        )
        outputs = predict(model, x_test, ready.normalize)
        loss, accuracy = measure(outputs, y_test, self.task.draw.config.training.loss)
        answers: dict[str, Any] = {"targets": self.data.y_test, "predicted": outputs.cpu().numpy()}
        if self.data.classes:
            confidence, predicted = outputs.softmax(1).max(1)
            answers = {
                "labels": self.data.y_test,
                "predicted": predicted.cpu().numpy(),
                "confidence": confidence.cpu().numpy(),
            }
        path = self.files.folder / TEST_FILE
        with _as_storage_error(path):
            np.savez_compressed(path, **answers)
        self.files.send(path)
        values = measure_metrics(self.settings.metrics, outputs, y_test)
        metrics = {f"test_{name}": value for name, value in values.items()}
        return TestMeasures(loss, accuracy, metrics)


def _measured(
    result: EpochResult, settings: TrialSettings, model: nn.Module, ready: TrainingData
) -> MeasuredEpoch:
    """Check an epoch, and return it with the metrics that the search file adds, measured here.

    Raises:
        _TrialEnd: The objective's metric is missing or not finite.
    """
    if settings.final:
        return MeasuredEpoch(result)
    metrics: dict[str, float | None] = {}
    if settings.metrics:
        outputs = predict(model, ready.x_val, ready.normalize)
        values = measure_metrics(settings.metrics, outputs, ready.y_val)
        metrics = {f"val_{name}": value for name, value in values.items()}
    measured = MeasuredEpoch(result, metrics)
    value = measured.value(settings.metric)
    if value is None:
        raise RuntimeError(
            f"epoch {result.epoch} was reported without '{settings.metric}', "
            "which the objective needs"
        )
    if not np.isfinite(value):
        raise _TrialEnd(
            TrialStatus.DIVERGED, f"{settings.metric} was {value} in epoch {result.epoch}"
        )
    return measured


def _prepare_process(settings: TrialSettings, seed: int) -> None:
    """Clean up after the previous trial of this worker, and seed the random generators."""
    _forget_imports()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    torch.set_num_threads(settings.threads)
    apply_kernels(settings.kernels)
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


@functools.cache
def _forget_imports() -> None:
    """Exclude everything imported so far from garbage collection, once in each process.

    Collecting through all of torch and Ray took 190 ms before each trial; collecting what a trial
    leaves behind takes 1 ms.
    """
    gc.collect()
    gc.freeze()


@contextlib.contextmanager
def _ended_if_hanging(path: Path, seconds_left: float) -> Iterator[None]:
    """End this process if the block exceeds its time limit; write the stack traces to a file.

    Python's fault handler watches from a thread in C, so it also ends code that never releases
    the interpreter. The worker that takes over the trial finds the file.
    """
    if path.exists() and path.stat().st_size:
        raise _TrialEnd(
            TrialStatus.TIMEOUT, "hung past its time limit; where, is in `error`", path.read_text()
        )
    with _as_storage_error(path):
        file = path.open("w")
    with file:
        faulthandler.dump_traceback_later(max(seconds_left, 0) + HANG_GRACE_S, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    path.unlink(missing_ok=True)


@contextlib.contextmanager
def _as_storage_error(path: Path) -> Iterator[None]:
    """Turn an error of the file system into a StorageError, which ends the sweep, not the trial."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error}") from error


@without_shell
def tune_trial(config: dict[str, Any], settings: TrialSettings, data: SearchData) -> None:
    """Run the task in `config` and report to Tune: the function that Ray calls."""
    from ray import tune

    def report(said: TrialReport) -> None:
        tune.report({REPORT: said})

    run_trial(config[TASK], replace(settings, use_gpu=config[GPUS] > 0), data, report)
