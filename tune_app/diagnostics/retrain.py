"""Train a trial again in the same way, to measure what its record does not contain."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from tune_app.config.user_functions import load_function
from tune_app.diagnostics.workbench import Subject
from tune_app.errors import DiagnosisError
from tune_app.models.network import build_network
from tune_app.results.function_files import function_folders
from tune_app.results.store import SweepRecord
from tune_app.training.device import BACKENDS, apply_kernels
from tune_app.training.loop import DivergedError, EpochResult, TrainingData, train_epochs
from tune_app.training.user_training import UserTraining

Watch = Callable[[nn.Module, Tensor], None]  # the network after a backward pass, and the loss


def retrain(
    subject: Subject,
    *,
    epochs: int | None = None,
    random_labels: bool = False,
    watch: Watch | None = None,
) -> list[EpochResult]:
    """Train a trial again from its seed for as many epochs as it had, or `epochs`; return these.

    On the CPU of the same machine the result is identical to the last bit, unless labels are
    changed. With `random_labels`, the labels of the training and of the validation examples are
    shuffled separately, like with `dataset.random_labels` in a search file. A training that
    diverges ends there.

    Raises:
        DiagnosisError: `watch` is set, but user code trains the network.
        FunctionError: A function that the sweep names is missing.
    """
    config = subject.config.dataset
    if random_labels:
        config = config.model_copy(update={"random_labels": True})
    data = TrainingData.from_search(subject.bench.data(config), subject.bench.device)
    # The final stage trains on training and validation examples together.
    if subject.trial.stage == "final":
        data = replace(
            data,
            x_train=torch.cat([data.x_train, data.x_val]),
            y_train=torch.cat([data.y_train, data.y_val]),
            x_val=data.x_val[:0],
            y_val=data.y_val[:0],
        )
    sweep, trial = subject.sweep, subject.trial
    shape, outputs = sweep.resolved.input_shape, sweep.resolved.outputs
    wanted = trial.epochs if epochs is None else epochs
    found: list[EpochResult] = []
    with _as_in_training(sweep, subject.config.resources.cpus_per_trial):
        torch.manual_seed(trial.seed)
        model = build_network(subject.model, subject.built, shape, outputs).to(subject.bench.device)
        precision = sweep.resolved.precision
        if (train := _user_training(subject)) is None:
            on_step = None if watch is None else lambda loss: watch(model, loss)
            running = train_epochs(
                model, data, subject.built, seed=trial.seed, precision=precision, on_step=on_step
            )
        elif watch is None:
            running = train(model, data, subject.built, seed=trial.seed, precision=precision)
        else:
            raise DiagnosisError(
                f"{train.reference} trains trial {subject.name} and does not report single steps; "
                "if it yields grad_norm, that is shown by epoch"
            )
        with contextlib.closing(running), contextlib.suppress(DivergedError):
            while len(found) < wanted:
                try:
                    found.append(next(running))
                except StopIteration:
                    break
    return found


def _user_training(subject: Subject) -> UserTraining | None:
    if (reference := subject.config.training) is None:
        return None
    folders = function_folders(subject.bench.store, subject.sweep)
    return UserTraining(reference, load_function(reference, folders))


@contextlib.contextmanager
def _as_in_training(sweep: SweepRecord, threads: int) -> Iterator[None]:
    """Use the kernels and threads of the sweep; restore the previous settings afterwards."""
    kernels, count = BACKENDS.mkldnn.matmul.fp32_precision, torch.get_num_threads()
    with torch.random.fork_rng():
        torch.set_num_threads(threads)
        apply_kernels(sweep.resolved.kernels)
        try:
            yield
        finally:
            torch.set_num_threads(count)
            BACKENDS.mkldnn.matmul.fp32_precision = kernels
