"""Initialise the weights of a network by a named method."""

from collections.abc import Callable

import torch
from torch import nn

from tune_app.models.network_plan import expect_one_of

# The variance as a function of fan_in, the number of weights that one output reads, and fan_out,
# the number of weights that read one input.
VARIANCES: dict[str, Callable[[int, int], float]] = {
    "normal": lambda _in, _out: 0.05**2,
    "scaled_normal": lambda fan_in, _out: 0.1**2 / fan_in,
    "xavier": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "xavier_fan_in": lambda fan_in, _out: 1 / fan_in,
    "kaiming": lambda fan_in, _out: 2 / fan_in,
}


@torch.no_grad()
def initialize(network: nn.Module, name: str) -> None:
    """Redraw the weights of every convolution and linear layer in place.

    `default` keeps PyTorch's initialisation: weights and biases uniform in ±1/sqrt(fan_in). The
    other methods draw weights from a normal distribution with mean 0 and set biases to 0:

    - `normal`: standard deviation 0.05, as Keras's RandomNormal
    - `scaled_normal`: N(0, 0.1) / sqrt(fan_in), so standard deviation 0.1/sqrt(fan_in)
    - `xavier`: variance 2/(fan_in + fan_out) (Glorot and Bengio 2010, eq. 12)
    - `xavier_fan_in`: variance 1/fan_in (LeCun et al. 1998, section 4.6)
    - `kaiming`: variance 2/fan_in, for rectifiers (He et al. 2015, arXiv:1502.01852, eq. 10)

    The fans of a convolution include its kernel: fan_in is in_channels/groups * kernel_size².
    Batch norms keep a gain of 1 and a shift of 0.
    """
    expect_one_of("weight_init", name, ("default", *VARIANCES))
    if name == "default":
        return
    variance = VARIANCES[name]
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
            fan_in = layer.weight[0].numel()
            fan_out = layer.weight[:, 0].numel() // groups
            layer.weight.normal_(0, variance(fan_in, fan_out) ** 0.5)
            if layer.bias is not None:
                layer.bias.zero_()
