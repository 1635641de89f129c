"""Loss and accuracy: what is minimised, and what is recorded."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tune_app.data.batches import Normalize
from tune_app.training.device import full_precision, prepare_layout

Loss = Callable[[Tensor, Tensor], Tensor]

# Best of 64 ... 2,560 for a CNN on one core of an AMD EPYC (Zen 3), torch 2.15; a GPU likes more.
CPU_BATCH = 256
GPU_BATCH = 2048


def build_loss(name: str, label_smoothing: float = 0.0) -> Loss:
    """Return a loss of outputs, float `(B, outputs)`, and targets, averaged over the batch.

    For labels, int64 `(B,)`: `cross_entropy` in nats, with smoothed labels, or `mse`, the mean
    over all classes of the squared difference of the outputs' softmax and the one-hot labels. For
    float targets, `(B, 1)`, it is the mean squared error whatever the name.
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
    """Return the loss, labels not smoothed, and the accuracy, None for regression."""
    value = build_loss(loss)(outputs.double(), targets).item()
    if targets.is_floating_point():
        return value, None
    return value, (outputs.argmax(1) == targets).double().mean().item()


def evaluate(
    model: nn.Module, x: Tensor, y: Tensor, normalize: Normalize, *, loss: str = "cross_entropy"
) -> tuple[float, float | None]:
    """Return loss and accuracy of `model` on `x` and `y`, which are on its device.

    The outputs are those of `predict`.
    """
    outputs = predict(model, x, normalize)  # may bring weights into another memory layout, for good
    with torch.inference_mode():
        return measure(outputs, y, loss)


def predict(model: nn.Module, x: Tensor, normalize: Normalize) -> Tensor:
    """Return the outputs of `model`, float `(N, outputs)`, for all of `x`, which is on its device.

    In float32 by the default kernels whatever training uses, in batches of a fixed size and in
    the same memory layout: the same weights give the same numbers, on one machine with the same
    number of threads. The model is left in the mode it was in.
    """
    was_training = model.training
    prepare_layout(model)
    model.eval()
    size = GPU_BATCH if x.is_cuda else CPU_BATCH
    with torch.inference_mode(), full_precision():
        outputs = torch.cat([model(normalize(batch)) for batch in torch.split(x, size)])
    model.train(was_training)
    return outputs
