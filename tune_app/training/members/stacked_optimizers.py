"""torch's optimizers for a table of weights, with a row and separate rates for each network.

The formulas are those of torch.optim. torch's fused kernels take one learning rate for all
weights; here it is a column, and so are weight decay and momentum.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tune_app.config.parameters import TrainingParameters
from tune_app.training.optimizers import build_optimizer

BETAS = (0.9, 0.999)
ALPHA = 0.99
EPSILON = 1e-8

# torch's names of the tensors that an optimizer keeps for each weight tensor.
SLOTS = {
    "sgd": ("momentum_buffer",),
    "adam": ("exp_avg", "exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq"),
    "rmsprop": ("square_avg", "momentum_buffer"),
}


class StackedOptimizer:
    """An optimizer for the rows of a table; `slots` is its state, in the layout of the table."""

    def __init__(self, trainings: Sequence[TrainingParameters], table: Tensor) -> None:
        self.kind: str = trainings[0].optimizer
        self.nesterov = trainings[0].nesterov
        momenta = [float(training.momentum) for training in trainings]
        decays = [float(training.weight_decay) for training in trainings]
        self.has_momentum, self.has_decay = any(momenta), any(decays)
        self.momentum = table.new_tensor(momenta)[:, None]
        self.decays = torch.tensor(decays, dtype=torch.float64)
        self.decay = table.new_tensor(decays)[:, None]
        names = SLOTS[self.kind]
        if not self.has_momentum:
            names = tuple(name for name in names if name != "momentum_buffer")
        self.slots = {name: torch.zeros_like(table) for name in names}

    def coefficients(self, rates: Tensor, steps_before: Tensor) -> Tensor:
        """Return the coefficients of `step` for each step of an epoch, `(steps, 3, K)` in float32.

        `rates` are the learning rates in float64, `(steps, K)`; `steps_before` says how many steps
        each network took before the first of them. Both are on the CPU.
        """
        size, root, keep = rates, torch.ones_like(rates), torch.ones_like(rates)
        if self.kind in ("adam", "adamw"):  # Kingma and Ba 2015 (arXiv:1412.6980), section 3
            count = steps_before + torch.arange(1, len(rates) + 1)[:, None]
            size = rates / (1 - BETAS[0] ** count.double())
            root = (1 - BETAS[1] ** count.double()).rsqrt()
        if self.kind == "adamw":
            keep = 1 - rates * self.decays
        return torch.stack([size, root, keep], dim=1).float()

    def step(self, weights: Tensor, gradients: Tensor, coefficients: Tensor) -> None:
        """Change `weights` in place and overwrite `gradients`; `coefficients` is `(3, K)`."""
        size, root, keep = coefficients.unsqueeze(-1)
        if self.kind == "adamw":
            if self.has_decay:
                weights.mul_(keep)
        elif self.has_decay:
            gradients = gradients.addcmul_(weights, self.decay)
        if self.kind == "sgd":
            update = self._with_momentum(gradients)
        elif self.kind == "rmsprop":
            square = self.slots["square_avg"]
            square.mul_(ALPHA).addcmul_(gradients, gradients, value=1 - ALPHA)
            update = self._with_momentum(gradients.div_(square.sqrt().add_(EPSILON)))
        else:
            first, second = self.slots["exp_avg"], self.slots["exp_avg_sq"]
            first.lerp_(gradients, 1 - BETAS[0])
            second.mul_(BETAS[1]).addcmul_(gradients, gradients, value=1 - BETAS[1])
            update = first / second.sqrt().mul_(root).add_(EPSILON)
        weights.addcmul_(update, size, value=-1)

    def _with_momentum(self, update: Tensor) -> Tensor:
        """Return the direction of the step; the buffer begins at 0, so the first is the gradient.

        A row with momentum 0 gets its gradient back.
        """
        if not self.has_momentum:
            return update
        buffer = self.slots["momentum_buffer"]
        buffer.mul_(self.momentum).add_(update)
        if self.kind == "sgd" and self.nesterov:
            return update.addcmul_(buffer, self.momentum)
        return buffer


def optimizer_state(
    weights: Sequence[torch.nn.Parameter],
    training: TrainingParameters,
    slots: Mapping[str, Sequence[Tensor]],
    steps: int,
) -> dict[str, Any]:
    """Return the state dict that torch's own optimizer would have for this network.

    `slots` holds one tensor for each of `weights`. A training that continues separately can load
    it.
    """
    optimizer = build_optimizer(weights, training)
    for number, weight in enumerate(weights):
        state: dict[str, Any] = {name: tensors[number] for name, tensors in slots.items()}
        if training.momentum == 0:
            state.pop("momentum_buffer", None)
        if training.optimizer != "sgd":
            state["step"] = torch.tensor(float(steps))
        if steps and state:
            optimizer.state[weight] = state
    return optimizer.state_dict()


def read_slots(state: Mapping[str, Any], name: str) -> list[Tensor] | None:
    """Return a tensor for each weight from a state dict of torch; None if it has none."""
    found = [state["state"][key].get(name) for key in sorted(state["state"])]
    return found if found and found[0] is not None else None
