"""Compute losses, accuracies and predictions, always in full precision where they are recorded."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tune_app.data.batches import Normalize
from tune_app.training.device import full_precision, prepare_layout

Loss = Callable[[Tensor, Tensor], Tensor]

# The fastest of 64 ... 2,560 for a CNN on one core of an AMD EPYC (Zen 3) with torch 2.15. A GPU
# is faster with larger batches.
CPU_BATCH = 256
GPU_BATCH = 2048


def build_loss(name: str, label_smoothing: float = 0.0) -> Loss:
    """Return a function from outputs `(B, outputs)` and targets to the mean loss of a batch.

    For labels, int64 `(B,)`: `cross_entropy` is in nats, with smoothed labels; `mse` is the mean
    squared difference between the softmax of the outputs and the one-hot labels, over all
    classes. For float targets `(B, 1)` the loss is the mean squared error, whatever the name.
    """

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        if targets.is_floating_point():
            return F.mse_loss(outputs, targets.to(outputs.dtype))
        if name == "cross_entropy":
            return F.cross_entropy(outputs, targets, label_smoothing=label_smoothing)
        one_hot = F.one_hot(targets, outputs.shape[1]).to(outputs.dtype)
        return F.mse_loss(outputs.softmax(1), one_hot)

    return loss


def measure(outputs: Tensor, targets: Tensor, loss: str) -> tuple[float, float | None]:
    """Return the loss without label smoothing, and the accuracy (None for regression)."""
    value, accuracy = measured(outputs, targets, loss)
    return value.item(), None if targets.is_floating_point() else accuracy.item()


def measured(outputs: Tensor, targets: Tensor, loss: str) -> tuple[Tensor, Tensor]:
    """Return the two numbers of `measure` as tensors, without waiting for a GPU.

    The accuracy is NaN for regression.
    """
    value = build_loss(loss)(outputs.double(), targets)
    if targets.is_floating_point():
        return value, torch.full_like(value, torch.nan)
    return value, (outputs.argmax(1) == targets).double().mean()


def evaluate(
    model: nn.Module, x: Tensor, y: Tensor, normalize: Normalize, *, loss: str = "cross_entropy"
) -> tuple[float, float | None]:
    """Return the loss and accuracy of `model` on `x` and `y`, which are on its device.

    The outputs come from `predict`, so the memory layout of `model` may change for good.
    """
    outputs = predict(model, x, normalize)
    with torch.inference_mode():
        return measure(outputs, y, loss)


def predict(model: nn.Module, x: Tensor, normalize: Normalize) -> Tensor:
    """Return the outputs of `model` for all of `x`, float `(N, outputs)`, on its device.

    Computes in float32 with the default kernels, whatever training uses, in batches of a fixed
    size and in one memory layout. So the same weights give the same numbers on one machine with
    the same number of threads. Restores the mode (training or evaluation) of `model`.
    """
    was_training = model.training
    prepare_layout(model)
    model.eval()
    size = GPU_BATCH if x.is_cuda else CPU_BATCH
    with torch.inference_mode(), full_precision():
        outputs = torch.cat([model(normalize(batch)) for batch in torch.split(x, size)])
    model.train(was_training)
    return outputs
