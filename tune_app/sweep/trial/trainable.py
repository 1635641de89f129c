"""The function that Ray calls for one trial: it joins models, data and training, and reports.

A trial's end is always reported by the trial itself: "finished", "diverged", "timeout" or
"failed" with its traceback. So a trial that raises, reports nothing or leaves out its metric is
its own failure alone, and Ray retries only what it should: a worker that died. Files that cannot
be written are no trial's fault: the sweep ends, and can be resumed.
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
from tune_app.models.network import build_network
from tune_app.models.user_networks import Model
from tune_app.models.weights import count_weights
from tune_app.results.store.names import TEST_FILE, WEIGHTS_FOLDER
from tune_app.sweep.ray_tune.patches import without_shell
from tune_app.sweep.ray_tune.placement import GPUS
from tune_app.sweep.trial.best_weights import BestWeights, TrialCheckpoint, objective_value
from tune_app.sweep.trial.file_transfer import FileTransfer, TrialFiles, node_name
from tune_app.sweep.trial.tasks import MESSAGE, TASK, Message, TrialTask
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
Report = Callable[[dict[str, Any]], None]

HANG_GRACE_S = 10.0  # a limit is first looked at between epochs; then the process is ended
HANG_FILE = "hang.txt"
CHECKPOINT_FILE = "checkpoint.pt"


@dataclass(frozen=True)
class TrialSettings:
    """What all trials of a sweep share."""

    model: Model
    metric: str
    mode: str
    precision: str
    kernels: Mapping[str, Any]
    threads: int
    time_limit_s: float
    use_gpu: bool = False  # as each trial is told
    weights_every: int | None = None  # epochs; keeps the weights then, beside the best
    metrics: tuple[str, ...] = ()  # by name, beside loss and accuracy
    final: bool = False  # the last epoch is kept in place of the best, and tested
    train_epochs: TrainEpochs = train_epochs
    file_transfer: FileTransfer | None = (
        None  # of the driver's storage; None where this machine is the driver's
    )


class _TrialEnd(Exception):  # noqa: N818 - no error: most trials end well
    """A trial is over; raised and caught here only."""

    def __init__(
        self,
        status: str,
        reason: str,
        error: str | None = None,
        *,
        of_all: bool = False,
        test: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(reason)
        self.status, self.reason, self.error = status, reason, error
        self.of_all = of_all  # what ended it would end every other trial too
        self.test = test or {}


def run_trial(task: TrialTask, settings: TrialSettings, data: SearchData, report: Report) -> None:
    """Train `task` to its end, calling `report` once for each epoch and once for the end.

    The last epoch and the end share a report where the end is known then. `report` may raise
    SystemExit, which is how Ray stops a function: best weights are in the storage by then.
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
        ended = end
    except StorageError as error:
        ended = _TrialEnd("interrupted", str(error), of_all=True)
    except Exception as error:
        ended = _TrialEnd("failed", f"{type(error).__name__}: {error}", traceback.format_exc())
    report(
        {
            "status": ended.status,
            "stop_reason": ended.reason,
            "error": ended.error,
            "of_all": ended.of_all,
            "test": ended.test,
        }
    )


def _train(
    task: TrialTask, settings: TrialSettings, data: SearchData, report: Report, files: TrialFiles
) -> _TrialEnd:
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
            except DivergedError as error:
                return _TrialEnd("diverged", str(error))
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
            message = {**measured, **best.fields(), "started": epoch_started, "node": node}
            message["attempt_seconds"] = attempt_seconds
            if result.epoch >= last and not settings.final:
                report({**message, "status": "finished", "stop_reason": reason, "error": None})
                return _TrialEnd("finished", reason)
            report(message)
            best.reported()
            if seconds > settings.time_limit_s:
                limit = f"{settings.time_limit_s:g} s"
                return _TrialEnd("timeout", f"over its limit of {limit} after epoch {result.epoch}")
    if best.epoch is None:
        raise RuntimeError("the training function ended without reporting an epoch")
    test = _test(model, ready, data, task, settings, files) if settings.final else None
    return _TrialEnd("finished", reason, test=test)


def _test(
    model: nn.Module,
    ready: TrainingData,
    data: SearchData,
    task: TrialTask,
    settings: TrialSettings,
    files: TrialFiles,
) -> dict[str, Any]:
    """Measure the network on the test split, and keep what it answered to each example."""
    assert data.x_test is not None
    assert data.y_test is not None
    device = ready.x_train.device
    x_test, y_test = as_tensor(data.x_test).to(device), as_tensor(data.y_test).to(device)
    outputs = predict(model, x_test, ready.normalize)
    loss, accuracy = measure(outputs, y_test, task.draw.config.training.loss)
    answers: dict[str, Any] = {"targets": data.y_test, "predicted": outputs.cpu().numpy()}
    if data.classes:
        confidence, predicted = outputs.softmax(1).max(1)
        answers = {
            "labels": data.y_test,
            "predicted": predicted.cpu().numpy(),
            "confidence": confidence.cpu().numpy(),
        }
    path = files.folder / TEST_FILE
    with _as_storage_error(path):
        np.savez_compressed(path, **answers)
    files.send(path)
    values = measure_metrics(settings.metrics, outputs, y_test)
    metrics = {f"test_{name}": value for name, value in values.items()}
    return {"test_loss": loss, "test_accuracy": accuracy, "metrics": metrics}


def _measured(
    result: EpochResult, settings: TrialSettings, model: nn.Module, ready: TrainingData
) -> dict[str, Any]:
    """Return an epoch's numbers as a plain dict, checked; metrics by name are measured here.

    Raises:
        _TrialEnd: The objective's metric is missing or not finite.
    """
    names = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy")
    measured = {name: getattr(result, name, None) for name in (*names, "lr", "grad_norm")}
    measured["seconds"] = getattr(result, "seconds", None)
    measured["metrics"] = {}
    if settings.final:
        return measured
    if settings.metrics:
        outputs = predict(model, ready.x_val, ready.normalize)
        values = measure_metrics(settings.metrics, outputs, ready.y_val)
        measured["metrics"] = {f"val_{name}": value for name, value in values.items()}
    value = objective_value(measured, settings.metric)
    if value is None:
        raise RuntimeError(
            f"epoch {measured['epoch']} was reported without '{settings.metric}', "
            "which the objective needs"
        )
    if not np.isfinite(value):
        raise _TrialEnd("diverged", f"{settings.metric} was {value} in epoch {measured['epoch']}")
    return measured


def _prepare_process(settings: TrialSettings, seed: int) -> None:
    """Leave nothing of the trial before: workers are reused."""
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
    """Take what was imported out of the garbage collector's view, once in a process.

    Looking through all of torch and Ray took 190 ms before each trial; what a trial leaves
    behind takes one.
    """
    gc.collect()
    gc.freeze()


@contextlib.contextmanager
def _ended_if_hanging(path: Path, seconds_left: float) -> Iterator[None]:
    """End this process if the block takes longer than its limit, saying in a file where it hung.

    Python's fault handler watches from a thread of its own in C, so that code which never gives
    the interpreter back is ended too. The worker that takes its place finds the file.
    """
    if path.exists() and path.stat().st_size:
        raise _TrialEnd(
            "timeout", "hung past its time limit; where, is in `error`", path.read_text()
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
    """Raise what the file system refuses as what ends the sweep, not as the trial's failure."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error}") from error


@without_shell
def tune_trial(config: dict[str, Any], settings: TrialSettings, data: SearchData) -> None:
    """Ray's entry point: run the task in `config`, reporting to Tune."""
    from ray import tune

    def report(fields: dict[str, Any]) -> None:
        tune.report({MESSAGE: Message(fields)})

    run_trial(config[TASK], replace(settings, use_gpu=config[GPUS] > 0), data, report)
