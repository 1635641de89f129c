"""A network's loss as a function of its weights: its value, gradient and Hessian.

The weights are one vector of all trainable tensors in the order of `named_parameters`. The network
is in evaluation mode: dropout is off, batch norm uses its running statistics, and labels are not
smoothed. Thus the function is deterministic, and the loss of an example does not depend on the
others.
"""

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call

from tune_app.diagnostics.examples import SplitExamples
from tune_app.training.evaluate import build_loss

Product = Callable[[Tensor], Tensor]  # of a symmetric matrix and a vector

DOUBLE_UP_TO = 20_000  # weights: larger networks only get estimates, for which float32 suffices
BATCH = 1_000
COLUMNS = 64  # of a Hessian, which are computed in one batched backward pass


def flat_weights(network: nn.Module) -> Tensor:
    """Return a copy of all trainable weights as one vector."""
    with torch.no_grad():
        return torch.cat([weight.reshape(-1) for weight in _trainable(network).values()])


def layer_slices(network: nn.Module) -> dict[str, slice]:
    """Return the slice of `flat_weights` that belongs to each layer (a child with weights)."""
    places: dict[str, slice] = {}
    start = 0
    for name, weight in _trainable(network).items():
        layer = name.partition(".")[0]
        first = places[layer].start if layer in places else start
        start += weight.numel()
        places[layer] = slice(first, start)
    return places


def set_weights(network: nn.Module, weights: Tensor) -> None:
    """Copy a vector in the order of `flat_weights` into a network."""
    with torch.no_grad():
        for weight, part in zip(
            _trainable(network).values(), _split(weights, network), strict=True
        ):
            weight.copy_(part)


class Landscape:
    """The mean loss over `examples` as a function of a network's weights."""

    def __init__(
        self, network: nn.Module, examples: SplitExamples, *, dtype: torch.dtype | None = None
    ) -> None:
        count = sum(weight.numel() for weight in _trainable(network).values())
        self.dtype = dtype or (torch.float64 if count <= DOUBLE_UP_TO else torch.float32)
        self.network = copy.deepcopy(network).to(self.dtype).eval()
        self.examples = examples
        self.start = flat_weights(self.network)  # the current weights of the network
        self._loss = build_loss(examples.loss)

    @property
    def size(self) -> int:
        """The number of weights."""
        return len(self.start)

    def value(self, weights: Tensor) -> float:
        """Return the mean loss."""
        with torch.no_grad():
            return float(sum(self._parts(weights), start=torch.zeros(())))

    def gradient(self, weights: Tensor) -> tuple[float, Tensor]:
        """Return the mean loss and its gradient, a vector."""
        weights = weights.detach().requires_grad_()
        value, gradient = 0.0, torch.zeros_like(weights)
        for part in self._parts(weights):
            (slope,) = torch.autograd.grad(part, weights)
            value += part.item()
            gradient += slope
        return value, gradient

    def hessian_product(self, weights: Tensor) -> Product:
        """Return a function that multiplies a vector by the Hessian at `weights`.

        It differentiates the product of gradient and vector (Pearlmutter 1994, "Fast Exact
        Multiplication by the Hessian"), which is exact and costs about two gradients.
        """
        weights = weights.detach().requires_grad_()
        if len(self.examples) <= BATCH:  # one graph can be kept for all products
            (slope,) = self._slopes(weights)
            return lambda vector: _product(slope, weights, vector, keep=True)

        def product(vector: Tensor) -> Tensor:
            total = torch.zeros_like(vector)
            for slope in self._slopes(weights):
                total += _product(slope, weights, vector, keep=False)
            return total

        return product

    def hessian(self, weights: Tensor) -> Tensor:
        """Return the whole Hessian, (n, n), symmetric to the last bit.

        It takes n products and 8 n² bytes: seconds for a thousand weights, a minute for a few
        thousand.
        """
        weights = weights.detach().requires_grad_()
        size = len(weights)
        total = torch.zeros(size, size, dtype=self.dtype, device=weights.device)
        for slope in self._slopes(weights):
            for first in range(0, size, COLUMNS):
                # Row i of `units` is a unit vector e: the product H e is a column of the Hessian.
                columns = torch.arange(first, min(first + COLUMNS, size), device=weights.device)
                units = torch.zeros(len(columns), size, dtype=self.dtype, device=weights.device)
                units[columns - first, columns] = 1
                (rows,) = torch.autograd.grad(
                    slope, weights, units, retain_graph=True, is_grads_batched=True
                )
                total[columns] += rows
        # Rounding makes the two halves differ slightly, but eigenvalue solvers need symmetry.
        return (total + total.T) / 2

    def _parts(self, weights: Tensor) -> Iterator[Tensor]:
        """Yield each batch's share of the mean loss."""
        tensors = dict(zip(_trainable(self.network), _split(weights, self.network), strict=True))
        for x, y in self.examples.batches(BATCH, self.dtype):
            outputs = functional_call(self.network, tensors, (x,))
            yield self._loss(outputs, y) * (len(x) / len(self.examples))

    def _slopes(self, weights: Tensor) -> Iterator[Tensor]:
        """Yield each batch's share of the gradient with a graph for a second differentiation."""
        for part in self._parts(weights):
            (slope,) = torch.autograd.grad(part, weights, create_graph=True)
            yield slope


def _product(slope: Tensor, weights: Tensor, vector: Tensor, *, keep: bool) -> Tensor:
    if not slope.requires_grad:  # a loss that is linear in the weights
        return torch.zeros_like(vector)
    (product,) = torch.autograd.grad(slope, weights, vector, retain_graph=keep)
    return product


def _trainable(network: nn.Module) -> dict[str, Tensor]:
    return {name: weight for name, weight in network.named_parameters() if weight.requires_grad}


def _split(weights: Tensor, network: nn.Module) -> list[Tensor]:
    tensors = list(_trainable(network).values())
    parts = torch.split(weights, [tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
