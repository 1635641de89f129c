"""Count the weights and multiply-adds of a built network; they must equal those of its plan."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tune_app.models.network_plan import LayerPlan, Shape


def count_weights(model: nn.Module) -> int:
    """Return the number of trainable scalars in `model`, biases and norm gains included.

    A tensor shared by two layers counts once, as in a checkpoint. Buffers (batch-norm
    running statistics) do not count. This is the number a weight budget limits.
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


@dataclass(frozen=True)
class LayerCosts:
    """The layers and costs of a built network, observed in a forward pass."""

    layers: tuple[LayerPlan, ...]  # modules that hold weights or multiply, in the model's order
    out_shape: Shape  # of one example

    @classmethod
    def of(cls, model: nn.Module, input_shape: Shape) -> "LayerCosts":
        """Return the costs of `model`, from a pass of two zero images in evaluation mode.

        The pass runs on the model's device, which may be `meta`. Multiply-adds count convolutions
        and linear layers. A tensor that layers share counts for the first of these layers.
        """
        shapes: dict[nn.Module, tuple[Shape, Shape, int]] = {}

        def note(layer: Any, inputs: Any, output: Any) -> None:
            ends = [
                tuple(end.shape[1:]) if isinstance(end, Tensor) else ()
                for end in (inputs[0] if inputs else None, output)
            ]
            macs = 0
            if isinstance(layer, _MULTIPLYING) and isinstance(output, Tensor):
                macs = output[0].numel() * layer.weight[0].numel()
            before = shapes.get(layer, ((), (), 0))[2]
            shapes[layer] = (ends[0], ends[1], before + macs)

        was_training = model.training
        hooks = [layer.register_forward_hook(note) for layer in model.modules()]
        device = next((weight.device for weight in model.parameters()), None)
        try:
            with torch.no_grad():
                output = model.eval()(torch.zeros(2, *input_shape, device=device))
        finally:
            model.train(was_training)
            for hook in hooks:
                hook.remove()
        seen: set[Tensor] = set()
        layers = []
        for name, layer in model.named_modules():
            new = [w for w in layer.parameters(recurse=False) if w.requires_grad and w not in seen]
            seen.update(new)
            in_shape, out_shape, macs = shapes.get(layer, ((), (), 0))
            if new or macs:
                weights = sum(weight.numel() for weight in new)
                kind = type(layer).__name__
                layers.append(
                    LayerPlan(name or "network", kind, in_shape, out_shape, weights, macs)
                )
        return cls(tuple(layers), tuple(output.shape[1:]) if isinstance(output, Tensor) else ())


_MULTIPLYING = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def count_macs(model: nn.Module, input_shape: Shape) -> int:
    """Return the multiply-adds of a network's convolutions and linear layers for one example."""
    return sum(layer.macs for layer in LayerCosts.of(model, input_shape).layers)
