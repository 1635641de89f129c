"""The examples on which a network is measured."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tune_app.data.batches import Normalize
from tune_app.training.evaluate import evaluate


@dataclass(frozen=True)
class SplitExamples:
    """Inputs and labels (or targets) of one split, as they are in the data set."""

    split: str  # train, validation, test
    x: Tensor  # (N, ...)
    y: Tensor  # int64 (N,), or float32 (N, 1)
    normalize: Normalize
    loss: str  # cross_entropy, mse

    def __len__(self) -> int:
        return len(self.x)

    @property
    def is_regression(self) -> bool:
        return self.y.is_floating_point()

    def batches(self, size: int, dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches of at most `size` examples: normalised inputs, and labels or targets."""
        for x, y in zip(torch.split(self.x, size), torch.split(self.y, size), strict=True):
            yield self.normalize(x).to(dtype), y.to(dtype) if self.is_regression else y

    def measure(self, network: nn.Module) -> tuple[float, float | None]:
        """Return the loss without label smoothing, and the accuracy (None for a regression)."""
        return evaluate(network, self.x, self.y, self.normalize, loss=self.loss)
