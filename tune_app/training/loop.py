"""Run the training loop: a generator of one result per epoch.

A generator, so that the caller decides between epochs: it can record a result, save weights, or
stop by taking no more results. All chance comes from one seed, and the state after an epoch is
complete, so that a resumed training computes the same bits as an uninterrupted one.
"""

import math
import time
import warnings
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from tune_app.config.parameters import TrainingParameters
from tune_app.config.trial_config import training_of
from tune_app.data.batches import Augment, Normalize, build_augment
from tune_app.data.sets import SearchData
from tune_app.data.source import Array
from tune_app.errors import TuneAppError
from tune_app.training.device import prepare_layout
from tune_app.training.evaluate import Loss, build_loss, evaluate, measure
from tune_app.training.optimizers import build_optimizer
from tune_app.training.schedules import learning_rate

StopReason = Literal["epochs", "patience", "target_loss"]
OnStep = Callable[[Tensor], None]

# The gradient norm is measured at this many evenly spaced steps of an epoch at most: measuring at
# every step would cost 5 % of an epoch of a small network.
NORM_SAMPLES = 32


class DivergedError(TuneAppError, ArithmeticError):
    """The training diverged: the loss or its gradient is no longer finite."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"the loss was not finite in epoch {epoch}")
        self.epoch = epoch


@dataclass(frozen=True)
class EpochResult:
    """The measurements of one finished epoch; None for what a user's training does not report."""

    epoch: int  # 1 after the first pass over the data
    train_loss: float | None  # mean over batches, each before its step; labels not smoothed
    train_accuracy: float | None  # measured like train_loss; None for regression
    val_loss: float | None  # None without validation examples
    val_accuracy: float | None
    lr: float | None  # of the last step
    grad_norm: float | None  # before clipping, mean over up to 32 steps of the epoch
    seconds: float  # training and validation


class Resumption(Protocol):
    """The checkpoint of a training: loads the last state, and accepts a new one after an epoch."""

    def load(self) -> dict[str, Any] | None: ...

    def offer(self, make_state: Callable[[], dict[str, Any]]) -> None: ...


@dataclass(frozen=True)
class TrainingData:
    """A data set on the device that trains on it."""

    x_train: Tensor
    y_train: Tensor
    x_val: Tensor  # empty in the final stage
    y_val: Tensor
    normalize: Normalize
    outputs: int

    @classmethod
    def from_search(cls, data: SearchData, device: torch.device) -> "TrainingData":
        """Return `data` on `device`: shares its memory on a CPU, copies it to a GPU."""
        x_train = as_tensor(data.x_train).to(device)
        return cls(
            x_train=x_train,
            y_train=as_tensor(data.y_train).to(device),
            x_val=as_tensor(data.x_val).to(device),
            y_val=as_tensor(data.y_val).to(device),
            normalize=Normalize.of(data.mean, data.std, x_train[0], device),
            outputs=data.outputs,
        )


def batch_plan(training: TrainingParameters, examples: int) -> tuple[int, int, int]:
    """Return the batch size, the examples that an epoch uses, and its steps.

    A last batch of one example is left out: batch norm cannot compute a deviation of one.
    """
    size = min(training.batch_size, examples)
    count = examples - 1 if examples % size == 1 and size > 1 else examples
    return size, count, -(-count // size)


class Progress:
    """The progress of a training, and whether it must end."""

    def __init__(self, training: TrainingParameters) -> None:
        self.training = training
        self.epoch = 0  # the last one that is complete
        self.train_loss = math.inf
        self.best_loss = math.inf  # lowest validation loss so far
        self.stale_epochs = 0

    def note(self, train_loss: float, val_loss: float | None) -> None:
        """Count an epoch with these losses.

        Raises:
            DivergedError: One of them is not finite.
        """
        self.epoch += 1
        if not math.isfinite(train_loss + (val_loss or 0.0)):
            raise DivergedError(self.epoch)
        self.train_loss = train_loss
        if val_loss is not None:
            self.stale_epochs = 0 if val_loss < self.best_loss else self.stale_epochs + 1
            self.best_loss = min(val_loss, self.best_loss)

    def why_stop(self) -> StopReason | None:
        patience, target = self.training.patience, self.training.target_loss
        if target is not None and self.train_loss <= target:
            return "target_loss"
        if patience is not None and self.stale_epochs >= patience:
            return "patience"
        return "epochs" if self.epoch >= self.training.epochs else None

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._NAMES}

    def load_state(self, state: Mapping[str, Any]) -> None:
        for name in self._NAMES:
            setattr(self, name, state[name])

    _NAMES = ("epoch", "train_loss", "best_loss", "stale_epochs")


def train_epochs(
    model: nn.Module,
    data: TrainingData,
    config: Mapping[str, Any],
    *,
    seed: int,
    precision: str = "fp32",
    checkpoint: Resumption | None = None,
    on_step: OnStep | None = None,
) -> Generator[EpochResult, None, StopReason]:
    """Train `model` in place on the device of `data`; yield each epoch; return why it ended.

    `config` is a TrialConfig, or a mapping with training parameters. `patience` ends the training
    after that many epochs without a lower validation loss (if there are validation examples);
    `target_loss` ends it at that training loss or below.

    `on_step` is called after the backward pass of every step with the loss of the batch (labels
    smoothed as in training); the gradients in `model` are not clipped yet.

    All chance comes from `seed`: on a CPU the same model, data, config and seed give the same
    bits, also after resuming from `checkpoint`, which is offered the state after each result is
    taken. Sets torch's global generator. Training stops when no more results are taken.

    Raises:
        DivergedError: The loss is not finite; no result is yielded for that epoch.
    """
    prepare_layout(model)
    run = _Run(model, data, training_of(config), seed)
    run.bf16, run.on_step = precision == "bf16", on_step
    if checkpoint is not None and (state := checkpoint.load()) is not None:
        run.load_state(state)
    while (reason := run.progress.why_stop()) is None:
        yield run.next_epoch()
        if checkpoint is not None:
            checkpoint.offer(run.state)
    return reason


class _Run:
    """A training in progress, with the complete state that the next epoch depends on."""

    def __init__(
        self,
        model: nn.Module,
        data: TrainingData,
        training: TrainingParameters,
        seed: int,
    ) -> None:
        # Derived seeds, so that neither stream repeats the numbers that initialised the network,
        # which was seeded with `seed` itself.
        order_seed, global_seed = np.random.SeedSequence(seed).generate_state(2).tolist()
        torch.manual_seed(global_seed)
        self.order = torch.Generator().manual_seed(order_seed)
        self.model, self.data, self.training = model, data, training
        self.bf16 = False
        self.on_step: OnStep | None = None
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.optimizer = build_optimizer(self.weights, training)
        self.loss: Loss = build_loss(training.loss, training.label_smoothing)
        self.augment: Augment | None = build_augment(training.augment, data.x_train.shape[1:])
        self.progress = Progress(training)

    def next_epoch(self) -> EpochResult:
        started = time.perf_counter()
        train_loss, train_accuracy, lr, grad_norm = self._train()
        data = self.data
        val_loss: float | None = None
        val_accuracy: float | None = None
        if len(data.x_val):
            val_loss, val_accuracy = evaluate(
                self.model, data.x_val, data.y_val, data.normalize, loss=self.training.loss
            )
        self.progress.note(train_loss, val_loss)
        return EpochResult(
            epoch=self.progress.epoch,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            lr=lr,
            grad_norm=grad_norm,
            seconds=time.perf_counter() - started,
        )

    def _train(self) -> tuple[float, float | None, float, float]:
        """Train for one epoch; return loss, accuracy, last learning rate and gradient norm."""
        x, y, device = self.data.x_train, self.data.y_train, self.data.x_train.device
        size, count, steps = batch_plan(self.training, len(x))
        order = torch.randperm(len(x), generator=self.order)[:count].to(device)
        targets = y.index_select(0, order)
        outputs = torch.empty(count, self.data.outputs, device=device)
        sample_every = -(-steps // NORM_SAMPLES)
        norms = []
        first_step = self.progress.epoch * steps
        lr = self.training.lr
        self.model.train()
        for step in range(steps):
            rows = slice(step * size, min((step + 1) * size, count))
            lr = learning_rate(self.training, first_step + step, steps)
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            is_sample = step % sample_every == 0
            batch_outputs, norm = self._step(order[rows], targets[rows], is_sample)
            outputs[rows] = batch_outputs
            if norm is not None:
                norms.append(norm)
                # On a GPU only after the epoch: reading a number waits for all steps before it.
                if norm.is_cpu and not math.isfinite(norm):
                    break
        mean_norm = torch.stack(norms).double().mean().item()
        if not math.isfinite(mean_norm):
            raise DivergedError(self.progress.epoch + 1)
        loss, accuracy = measure(outputs, targets, self.training.loss)
        return loss, accuracy, lr, mean_norm

    def _step(self, rows: Tensor, targets: Tensor, is_sample: bool) -> tuple[Tensor, Tensor | None]:
        """Take one step; return the outputs before it and, if sampled, the gradient norm."""
        inputs = self.data.x_train.index_select(0, rows)
        if self.augment is not None:
            inputs = self.augment(inputs)
        inputs = self.data.normalize(inputs)
        if self.bf16:
            with torch.autocast(inputs.device.type, torch.bfloat16):
                outputs = self.model(inputs).float()
        else:
            outputs = self.model(inputs)
        self.optimizer.zero_grad()
        loss = self.loss(outputs, targets)
        torch.autograd.backward(loss)
        if self.on_step is not None:
            self.on_step(loss.detach())
        clip = self.training.grad_clip
        norm = None
        if is_sample or clip is not None:
            gradients = [weight.grad for weight in self.weights if weight.grad is not None]
            norm = nn.utils.get_total_norm(gradients)
            if clip is not None:
                nn.utils.clip_grads_with_norm_(self.weights, clip, norm)
        self.optimizer.step()
        return outputs.detach(), norm if is_sample else None

    def state(self) -> dict[str, Any]:
        """Return the complete state that the next epoch depends on; tensors are not copied."""
        device = self.data.x_train.device
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.get_state(),
            "cpu_generator": torch.get_rng_state(),
            "gpu_generator": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
            **self.progress.state(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.order.set_state(state["order"])
        torch.set_rng_state(state["cpu_generator"])
        if state["gpu_generator"] is not None:
            torch.cuda.set_rng_state(state["gpu_generator"], self.data.x_train.device)
        self.progress.load_state(state)


def as_tensor(array: Array) -> Tensor:
    """Return a tensor that shares `array`'s memory and must not be written to."""
    with warnings.catch_warnings():
        # torch warns about read-only arrays, like those in Ray's object store. Nothing writes here.
        warnings.filterwarnings("ignore", "The given NumPy array is not writ", UserWarning)
        return torch.from_numpy(array)
