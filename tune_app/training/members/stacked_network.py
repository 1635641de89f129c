"""Stacked networks of one architecture: one batched matrix product computes a layer of all."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tune_app.config.trial_config import training_of

# A weight tensor begins at a multiple of this many floats (64 bytes): kernels of a CPU may round
# differently on memory that is aligned differently, and `evaluate` must give the same bits for a
# member as for its exported copy.
ALIGNMENT = 16
ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.GELU)


@dataclass(frozen=True)
class Structure:
    """The layers of a network: parts that must be equal for stacking, and parts that may differ."""

    parts: tuple[tuple[object, ...], ...]
    modules: tuple[nn.Module, ...]  # one for each part
    dropout: Mapping[int, float]  # the rate after the part of that number; other parts have none

    @classmethod
    def of(cls, network: nn.Module) -> "Structure | None":
        """Read a network that `build_fcn` built; None for one that cannot be stacked."""
        parts: list[tuple[object, ...]] = []
        modules: list[nn.Module] = []
        dropout: dict[int, float] = {}
        for module in network.modules():
            if type(module) is nn.Sequential:
                continue
            if isinstance(module, nn.Dropout) and modules:
                dropout[len(modules) - 1] = module.p
                continue
            part = _describe(module)
            if part is None:
                return None
            parts.append(part)
            modules.append(module)
        return cls(tuple(parts), tuple(modules), dropout) if parts else None


def _describe(module: nn.Module) -> tuple[object, ...] | None:
    kind = type(module)
    if isinstance(module, nn.Flatten):
        return (kind, module.start_dim, module.end_dim)
    if isinstance(module, nn.Linear):
        return (kind, module.in_features, module.out_features, module.bias is not None)
    if isinstance(module, nn.BatchNorm1d):
        return (kind, module.num_features, module.eps, module.momentum)
    if isinstance(module, ACTIVATIONS):
        return (kind, getattr(module, "negative_slope", None), getattr(module, "approximate", None))
    return None


def stack_key(network: nn.Module, config: Mapping[str, Any]) -> Hashable | None:
    """Return a key that trainings must share to be stacked; None for one that must train alone.

    They share the architecture and how a step is computed: optimizer, batch size and loss.
    Everything else may differ: seed, learning rate and its schedule, weight decay, momentum,
    dropout rates, label smoothing, clipping, the number of epochs, and when they stop.
    """
    structure = Structure.of(network)
    training = training_of(config)
    if structure is None or training.augment not in ("none", (), ("none",)):
        return None
    nesterov = training.nesterov and training.momentum > 0
    return (structure.parts, training.optimizer, nesterov, training.batch_size, training.loss)


class StackedNetwork:
    """The weights of K networks as the rows of one table, and their common forward pass.

    The original networks stay usable: their weights and running statistics become views of the
    table, so every step changes them too. `release` gives a network its own memory again.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        structures = [Structure.of(network) for network in networks]
        self.networks = list(networks)
        self.structures = [structure for structure in structures if structure is not None]
        assert len(self.structures) == len(structures), "a network that cannot be stacked"
        assert len({structure.parts for structure in self.structures}) == 1, "architectures differ"
        first = networks[0]
        self.shapes = {name: weight.shape for name, weight in first.named_parameters()}
        self.table = self._build_table()
        self.leaves = self._views(self.table)
        for leaf in self.leaves.values():
            leaf.requires_grad_()
        self.buffers = self._build_buffers()
        self.layers = self._build_layers()
        self.widths = self._widths()

    def _build_table(self) -> Tensor:
        sizes = [_padded(shape.numel()) for shape in self.shapes.values()]
        device = next(self.networks[0].parameters()).device
        table = torch.zeros(len(self.networks), sum(sizes), device=device)
        for row, network in zip(table, self.networks, strict=True):
            views = self._views(row)
            for name, weight in network.named_parameters():
                views[name].copy_(weight.data)
                weight.data = views[name]
        return table

    def _views(self, table: Tensor) -> dict[str, Tensor]:
        """Return each weight tensor as a view of a table `(K, columns)` or of a row of it."""
        views = {}
        start = 0
        for name, shape in self.shapes.items():
            part = table[..., start : start + shape.numel()]
            views[name] = part.view(*table.shape[:-1], *shape)
            start += _padded(shape.numel())
        return views

    def _build_buffers(self) -> dict[str, Tensor]:
        """Stack the running statistics of batch norms, `(K, features)` each."""
        buffers = {}
        for name, buffer in self.networks[0].named_buffers():
            if not buffer.is_floating_point():
                continue  # the number of batches, which nothing here reads
            found = [network.get_buffer(name) for network in self.networks]
            buffers[name] = torch.stack(found)
            for row, each in zip(buffers[name], found, strict=True):
                each.data = row
        return buffers

    def _build_layers(self) -> list[tuple[str, nn.Module]]:
        names = {module: name for name, module in self.networks[0].named_modules()}
        return [(names[module], module) for module in self.structures[0].modules]

    def _widths(self) -> dict[int, int]:
        """Return the number of features of each part to which some network applies dropout."""
        widths, width = {}, 0
        for number, module in enumerate(self.structures[0].modules):
            width = module.out_features if isinstance(module, nn.Linear) else width
            if any(number in structure.dropout for structure in self.structures):
                widths[number] = width
        return widths

    def dropout_rates(self, number: int) -> list[float]:
        """Return each network's rate after a part, 0 for none."""
        return [structure.dropout.get(number, 0.0) for structure in self.structures]

    def __call__(self, inputs: Tensor, noise: Mapping[int, Tensor]) -> Tensor:
        """Return the outputs `(K, B, outputs)` in training mode for inputs `(K, B, ...)`.

        `noise` holds a factor `(K, B, features)` for the result of each part in `widths`.
        """
        hidden = inputs
        for number, (name, module) in enumerate(self.layers):
            if isinstance(module, nn.Flatten):
                hidden = hidden.flatten(2)
            elif isinstance(module, nn.Linear):
                hidden = self._linear(name, hidden)
            elif isinstance(module, nn.BatchNorm1d):
                hidden = self._norm(name, module, hidden)
            else:
                hidden = _activate(module, hidden)
            if number in noise:
                hidden = hidden * noise[number]
        return hidden

    def _linear(self, name: str, hidden: Tensor) -> Tensor:
        weight = self.leaves[f"{name}.weight"].transpose(1, 2)
        bias = self.leaves.get(f"{name}.bias")
        if bias is None:
            return torch.bmm(hidden, weight)
        return torch.baddbmm(bias[:, None], hidden, weight)

    def _norm(self, name: str, module: nn.BatchNorm1d, hidden: Tensor) -> Tensor:
        variance, mean = torch.var_mean(hidden, dim=1, keepdim=True, correction=0)
        count, momentum = hidden.shape[1], module.momentum
        assert momentum is not None
        with torch.no_grad():  # kept without bias, as torch's own
            unbiased = variance[:, 0] * (count / (count - 1))
            self.buffers[f"{name}.running_mean"].lerp_(mean[:, 0], momentum)
            self.buffers[f"{name}.running_var"].lerp_(unbiased, momentum)
        scaled = (hidden - mean) * torch.rsqrt(variance + module.eps)
        gain, shift = self.leaves[f"{name}.weight"], self.leaves[f"{name}.bias"]
        return torch.addcmul(shift[:, None], scaled, gain[:, None])

    def gradients(self, loss: Tensor) -> Tensor:
        """Return the gradients of a loss with respect to all weights, laid out as `table`."""
        parts = []
        for gradient in torch.autograd.grad(loss, list(self.leaves.values())):
            row = gradient.flatten(1)
            parts.append(row)
            if padding := _padded(row.shape[1]) - row.shape[1]:
                parts.append(row.new_zeros(1, 1).expand(len(row), padding))
        return torch.cat(parts, dim=1)

    def row_views(self, row: Tensor) -> list[Tensor]:
        """Return the tensors of one network in a row laid out as `table`, in its order."""
        return list(self._views(row).values())

    def fill_row(self, row: Tensor, tensors: Sequence[Tensor]) -> None:
        """Write one network's tensors, in its order of weights, into a row laid out as `table`."""
        for view, tensor in zip(self.row_views(row), tensors, strict=True):
            view.copy_(tensor)

    def count_batches(self, steps: int) -> None:
        """Add this many batches to the counter of each batch norm, as torch does."""
        for network in self.networks:
            for module in network.modules():
                if isinstance(module, nn.BatchNorm1d) and module.num_batches_tracked is not None:
                    module.num_batches_tracked += steps


def release(network: nn.Module) -> None:
    """Give a network weights and statistics of its own, with the values they have now."""
    for tensor in (*network.parameters(), *network.buffers()):
        tensor.data = tensor.data.clone()


def _activate(module: nn.Module, hidden: Tensor) -> Tensor:
    activated: Tensor = F.relu(hidden) if isinstance(module, nn.ReLU) else module(hidden)
    return activated


def _padded(count: int) -> int:
    return -(-count // ALIGNMENT) * ALIGNMENT
