"""Counting on a built network: what the closed forms of a plan must equal."""

from typing import Any

import torch
from torch import Tensor, nn

from tune_app.models.plan import Shape


def count_weights(model: nn.Module) -> int:
    """Return the number of trainable scalars in `model`, biases and norm gains included.

    A tensor shared by two layers counts once, as in a checkpoint. Buffers (batch-norm
    running statistics) do not count. This is the number a weight budget limits.
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def count_macs(model: nn.Module, input_shape: Shape) -> int:
    """Return the multiply-adds of convolutions and linear layers, counted in a forward pass.

    The pass is of one zero image on the model's device (`meta` will do), in evaluation mode.
    """
    total = 0

    def add(layer: Any, _inputs: Any, output: Tensor) -> None:
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    counted = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(add) for layer in counted]
    was_training = model.training
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, *input_shape, device=next(model.parameters()).device))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return total
