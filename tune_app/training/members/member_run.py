"""The training loop of many networks of one architecture, one epoch of all at a time."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from tune_app.config.parameters import TrainingParameters
from tune_app.config.trial_config import training_of
from tune_app.training.evaluate import measured, predict
from tune_app.training.loop import (
    NORM_SAMPLES,
    DivergedError,
    EpochResult,
    Progress,
    StopReason,
    TrainingData,
    batch_plan,
)
from tune_app.training.members.dropout_noise import DropoutNoise
from tune_app.training.members.stacked_network import StackedNetwork, release
from tune_app.training.members.stacked_optimizers import (
    StackedOptimizer,
    optimizer_state,
    read_slots,
)
from tune_app.training.members.stacked_step import StackedStep
from tune_app.training.schedules import learning_rate

Ending = StopReason | DivergedError | Literal["stopped"]

# With CUDA graphs, rows of members that ended are computed on until this share is left: fewer
# rows need new graphs.
LEAST_SHARE_ACTIVE = 0.75


@dataclass
class Member:
    """One training of a stack: a network on the data's device, its config and its seed.

    `state` is the state to continue from, made by `MemberRun.state` or by a separate training.
    """

    network: nn.Module
    config: Mapping[str, Any]
    seed: int
    state: Mapping[str, Any] | None = None


@dataclass
class _Seat:
    """A member that is being trained: its streams of random numbers, and its progress."""

    number: int
    member: Member
    order: torch.Generator
    chance: torch.Generator  # of the device
    cpu_state: Tensor  # of the global generator of a training alone on a GPU, which reads none
    training: TrainingParameters
    progress: Progress
    next_order: Tensor | None = None  # drawn ahead, while a GPU was busy
    order_before: Tensor | None = None  # the state of `order` then
    slots: dict[str, list[Tensor]] = field(default_factory=dict)  # until it has a row

    @classmethod
    def of(cls, number: int, member: Member, device: torch.device) -> "_Seat":
        # As in a training alone.
        order_seed, global_seed = np.random.SeedSequence(member.seed).generate_state(2).tolist()
        order = torch.Generator().manual_seed(order_seed)
        chance = torch.Generator(device).manual_seed(global_seed)
        cpu_state = torch.Generator().manual_seed(global_seed).get_state()
        training = training_of(member.config)
        seat = cls(number, member, order, chance, cpu_state, training, Progress(training))
        if member.state is not None:
            seat._load(member.state, device)
        return seat

    def _load(self, state: Mapping[str, Any], device: torch.device) -> None:
        self.member.network.load_state_dict(state["model"])
        self.order.set_state(state["order"])
        self.cpu_state = state["cpu_generator"]
        on_gpu = device.type == "cuda" and state["gpu_generator"] is not None
        if on_gpu or device.type == "cpu":
            self.chance.set_state(state["gpu_generator" if on_gpu else "cpu_generator"])
        self.progress.load_state(state)
        for name in ("momentum_buffer", "exp_avg", "exp_avg_sq", "square_avg"):
            if (found := read_slots(state["optimizer"], name)) is not None:
                self.slots[name] = found

    def draw_order(self, count: int) -> None:
        if self.next_order is None:
            self.order_before = self.order.get_state()
            # The same order as in int64, in half the bytes.
            self.next_order = torch.randperm(count, generator=self.order, dtype=torch.int32)

    def take_order(self, count: int) -> Tensor:
        """Return the order of the examples in the next epoch."""
        self.draw_order(count)
        order, self.next_order, self.order_before = self.next_order, None, None
        assert order is not None
        return order

    def order_state(self) -> Tensor:
        return self.order.get_state() if self.order_before is None else self.order_before


class MemberRun:
    """Trainings with the same `stack_key`, which take each step together.

    Each member computes the same as `train_epochs` with the same network, config and seed, up to
    the rounding of float32. On a CPU, batches and dropout are the same too; on a GPU each member
    has its own stream of dropout, but its draws differ from those of a separate training. The
    result of a member does not depend on the other members.

    The networks' weights are views of a common table while their members are active, so copy them
    to keep them (`state` does). A member that ends gets its own memory.

    With `graphs`, a step is recorded once as a CUDA graph and replayed, which saves the CPU time of
    launching kernels.
    """

    def __init__(
        self, members: Sequence[Member], data: TrainingData, *, graphs: bool = False
    ) -> None:
        self.data, self.graphs = data, graphs
        self.device = data.x_train.device
        self.ended: dict[int, Ending] = {}
        # Normalised ahead of time where memory is plentiful: a pass less over every batch.
        on_gpu = self.device.type == "cuda"
        self._inputs = data.normalize(data.x_train) if on_gpu else data.x_train
        self._count = 0
        self._seats: list[_Seat] = []
        self.add(members)

    @property
    def active(self) -> list[int]:
        """The numbers of the members that still train, in the order they were given."""
        return [seat.number for seat in self._seats if seat.number not in self.ended]

    def add(self, members: Sequence[Member]) -> list[int]:
        """Add members, which train from the next epoch on; return their numbers."""
        fresh = [_Seat.of(self._count + i, member, self.device) for i, member in enumerate(members)]
        self._count += len(fresh)
        self._rebuild([*self._kept_seats(), *fresh])
        self._note_ended()
        return [seat.number for seat in fresh]

    def stop(self, number: int) -> None:
        """End a member's training after the epoch it has finished."""
        self._end(number, "stopped")

    def next_epoch(self) -> dict[int, EpochResult]:
        """Train each active member for its next epoch; return their results by number.

        A member that diverges has no result. Members that end with this epoch are then in `ended`.
        `seconds` is each member's share of the time of the epoch.
        """
        started = time.perf_counter()
        self._compact()
        if not self._seats:
            return {}
        step = self._step
        examples = len(self.data.x_train)
        _, count, steps = batch_plan(self._seats[0].training, examples)
        orders = [seat.take_order(examples)[:count] for seat in self._seats]
        step.begin_epoch(torch.stack(orders).to(self.device), self._coefficients(steps))
        every = -(-steps // NORM_SAMPLES)
        for number in range(steps):
            step.run(number, is_sample=number % every == 0)
        self._network.count_batches(steps)
        if self.device.type == "cuda":  # the host waits otherwise
            for seat in self._seats:
                seat.draw_order(examples)
        found = self._measure(*step.seen(), step.norms[::every])
        results = {}
        active = self.active
        seconds = (time.perf_counter() - started) / len(active)
        for row, seat in enumerate(self._seats):
            if seat.number not in self.ended:
                result = self._finish(seat, found[row], steps, seconds)
                if result is not None:
                    results[seat.number] = result
        self._note_ended()
        return results

    def state(self, number: int) -> dict[str, Any]:
        """Return a copy of the complete state that an active member's next epoch depends on.

        It has the form of a checkpoint's state in a separate training, so each can continue from
        the other's.
        """
        row = next(i for i, seat in enumerate(self._seats) if seat.number == number)
        seat = self._seats[row]
        weights = list(seat.member.network.parameters())
        steps = batch_plan(seat.training, len(self.data.x_train))[2]
        slots = {
            name: [view.clone() for view in self._network.row_views(slot[row])]
            for name, slot in self._optimizer.slots.items()
        }
        on_gpu = self.device.type == "cuda"
        chance = seat.chance.get_state()
        return {
            "model": {
                name: tensor.clone() for name, tensor in seat.member.network.state_dict().items()
            },
            "optimizer": optimizer_state(
                weights, seat.training, slots, seat.progress.epoch * steps
            ),
            "order": seat.order_state(),
            "cpu_generator": seat.cpu_state if on_gpu else chance,
            "gpu_generator": chance if on_gpu else None,
            **seat.progress.state(),
        }

    def _coefficients(self, steps: int) -> Tensor:
        """Return what the optimizer needs of each step of the epoch, `(steps, 3, K)`."""
        rates = torch.zeros(steps, len(self._seats), dtype=torch.float64)
        columns: dict[tuple[Any, ...], Tensor] = {}
        for row, seat in enumerate(self._seats):
            training, first = seat.training, seat.progress.epoch * steps
            names = ("lr_schedule", "lr_gamma", "warmup_epochs", "epochs")
            key = (first, *(getattr(training, name) for name in names))
            if key not in columns:
                at_one = training.model_copy(update={"lr": 1.0})
                factors = [learning_rate(at_one, first + step, steps) for step in range(steps)]
                columns[key] = torch.tensor(factors, dtype=torch.float64)
            if seat.number not in self.ended:
                rates[:, row] = columns[key] * training.lr
        before = torch.tensor([seat.progress.epoch * steps for seat in self._seats])
        return self._optimizer.coefficients(rates, before)

    def _measure(self, outputs: Tensor, targets: Tensor, norms: Tensor) -> list[list[float]]:
        """Return each row's mean norm, training and validation loss and accuracy.

        Waits for the device once, at the end.
        """
        data, loss = self.data, self._seats[0].training.loss
        rows = []
        for row, seat in enumerate(self._seats):
            numbers = [norms[:, row].double().mean(), *measured(outputs[row], targets[row], loss)]
            if len(data.x_val) and seat.number not in self.ended:
                predicted = predict(seat.member.network, data.x_val, data.normalize)
                numbers += measured(predicted, data.y_val, loss)
            rows.append(torch.stack(numbers))
        table: list[list[float]] = nn.utils.rnn.pad_sequence(rows, batch_first=True).tolist()
        return table

    def _finish(
        self, seat: _Seat, found: list[float], steps: int, seconds: float
    ) -> EpochResult | None:
        """Return a member's result of an epoch; if it diverged, end it and return None."""
        progress = seat.progress
        is_regression = self.data.y_train.is_floating_point()
        norm, train_loss, train_accuracy = found[:3]
        val_loss, val_accuracy = found[3:] if len(self.data.x_val) else (None, None)
        try:
            progress.note(train_loss + 0 * norm, val_loss)
        except DivergedError as error:
            self._end(seat.number, error)
            return None
        return EpochResult(
            epoch=progress.epoch,
            train_loss=train_loss,
            train_accuracy=None if is_regression else train_accuracy,
            val_loss=val_loss,
            val_accuracy=None if is_regression else val_accuracy,
            lr=learning_rate(seat.training, progress.epoch * steps - 1, steps),
            grad_norm=norm,
            seconds=seconds,
        )

    def _note_ended(self) -> None:
        for seat in self._seats:
            reason = seat.progress.why_stop()
            if seat.number not in self.ended and reason is not None:
                self._end(seat.number, reason)

    def _end(self, number: int, ending: Ending) -> None:
        seat = next(seat for seat in self._seats if seat.number == number)
        if number not in self.ended:
            self.ended[number] = ending
            release(seat.member.network)

    def _compact(self) -> None:
        """Remove the rows of members that ended, if that saves time."""
        active = len(self.active)
        few = active <= LEAST_SHARE_ACTIVE * len(self._seats)
        if active < len(self._seats) and (few or not self.graphs):
            self._rebuild(self._kept_seats())

    def _kept_seats(self) -> list[_Seat]:
        """Return the seats of active members, updated with the state of their rows."""
        kept = []
        for row, seat in enumerate(self._seats):
            if seat.number not in self.ended:
                seat.slots = {
                    name: self._network.row_views(slot[row])
                    for name, slot in self._optimizer.slots.items()
                }
                kept.append(seat)
        return kept

    def _rebuild(self, seats: list[_Seat]) -> None:
        """Stack these members again, with their networks and the state of their optimizers."""
        self._seats = seats
        if not seats:
            return
        trainings = [seat.training for seat in seats]
        self._network = StackedNetwork([seat.member.network for seat in seats])
        self._optimizer = StackedOptimizer(trainings, self._network.table)
        for row, seat in enumerate(seats):
            for name, slot in self._optimizer.slots.items():
                if name in seat.slots:
                    self._network.fill_row(slot[row], seat.slots[name])
            seat.slots = {}
        batch_size = batch_plan(trainings[0], len(self.data.x_train))[0]
        noise = DropoutNoise(self._network, [seat.chance for seat in seats], batch_size)
        self._step = StackedStep(
            self._network,
            self._optimizer,
            noise,
            self.data,
            self._inputs,
            trainings,
            graphs=self.graphs,
        )
