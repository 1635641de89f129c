"""Dropout of stacked networks: each network's own rate, from its own stream of random numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tune_app.training.members.stacked_network import StackedNetwork

# On a GPU a call per network and step would cost more than the step, so the masks of this many
# steps are drawn at once. A constant, so that a network's masks depend on nothing but its seed.
GPU_STEPS_AHEAD = 32


class DropoutNoise:
    """Dropout factors for the outputs of layers: 0, or 1 / (1 - rate).

    On a CPU the draws equal those of `torch.nn.Dropout` in a separate training.
    """

    def __init__(
        self, network: StackedNetwork, generators: Sequence[torch.Generator], batch_size: int
    ) -> None:
        device = network.table.device
        self.generators = generators
        self.ahead = GPU_STEPS_AHEAD if device.type == "cuda" else 1
        dtype = torch.bool if device.type == "cuda" else torch.float32
        self.rates = {number: network.dropout_rates(number) for number in network.widths}
        shape = (len(generators), self.ahead, batch_size)
        self.kept = {
            number: torch.ones(*shape, width, dtype=dtype, device=device)
            for number, width in network.widths.items()
        }
        self.scales = {
            number: torch.tensor([1 / (1 - rate) for rate in rates], device=device)[:, None, None]
            for number, rates in self.rates.items()
        }

    def prepare(self, step: int, size: int) -> None:
        """Draw the numbers for a step of this many examples; call it before each step, in order."""
        if step % self.ahead:
            return
        size = size if self.ahead == 1 else next((x.shape[2] for x in self.kept.values()), size)
        for row, generator in enumerate(self.generators):
            for number, kept in self.kept.items():
                if rate := self.rates[number][row]:
                    kept[row, :, :size].bernoulli_(1 - rate, generator=generator)

    def of_step(self, step: Tensor, size: int) -> dict[int, Tensor]:
        """Return the factors `(K, size, features)` of a step; its number `(1,)` is on the device.

        The keys are the numbers of the parts to which the factors apply.
        """
        slot = step.remainder(self.ahead)
        return {
            number: kept.index_select(1, slot)[:, 0, :size] * self.scales[number]
            for number, kept in self.kept.items()
        }
