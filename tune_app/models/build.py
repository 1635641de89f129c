"""Plans to torch modules."""

from collections import OrderedDict
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from tune_app.models.initialize import initialize
from tune_app.models.plan import LayerPlan, NetworkPlan

# In place is safe where the next part needs the result only, and backward the result too.
ACTIVATION_MODULES: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(inplace=True),
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
}
RISING = {"relu", "leaky_relu", "tanh", "sigmoid"}
POOL_MODULES: dict[str, Callable[[int], nn.Module]] = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}


def build_plan(plan: NetworkPlan, weight_init: str = "default") -> nn.Sequential:
    """Return the planned network: one child per layer, with the layer's name.

    Weights are drawn from torch's global generator.
    """
    network = nn.Sequential(OrderedDict((layer.name, build_layer(layer)) for layer in plan.layers))
    initialize(network, weight_init)
    return network


def build_layer(layer: LayerPlan) -> nn.Sequential:
    parts: dict[str, nn.Module] = {}
    if layer.kind == "flatten":
        parts["flatten"] = nn.Flatten()
    elif layer.kind == "gap":
        parts["mean"] = nn.AdaptiveAvgPool2d(1)
        parts["flatten"] = nn.Flatten()
    elif layer.kind == "linear":
        width = layer.out_shape[0]
        parts["linear"] = nn.Linear(layer.in_shape[0], width, bias=not layer.batch_norm)
        if layer.batch_norm:
            parts["norm"] = nn.BatchNorm1d(width)
    else:
        parts |= conv_parts(layer)
    activation: dict[str, nn.Module] = {}
    if layer.activation is not None:
        activation["activation"] = ACTIVATION_MODULES[layer.activation]()
    pool: dict[str, nn.Module] = {}
    if layer.pool != "none":
        pool["pool"] = POOL_MODULES[layer.pool](2)
    # The maximum of a rising function is the function of the maximum: same result, same
    # gradient, and the activation has a quarter of the pixels to do (16-32-64 channels on
    # 28x28, batch 128, one CPU core: 48 ms a step for 55 ms).
    pool_first = layer.pool == "max" and layer.activation in RISING
    parts |= pool | activation if pool_first else activation | pool
    if layer.dropout > 0:
        convolutional = layer.kind in ("conv", "separable")
        parts["dropout"] = (nn.Dropout2d if convolutional else nn.Dropout)(layer.dropout)
    return nn.Sequential(OrderedDict(parts))


def conv_parts(layer: LayerPlan) -> dict[str, nn.Module]:
    """Return the parts of a conv layer up to its activation."""
    in_channels, channels = layer.in_shape[0], layer.out_shape[0]
    kernel, (before, after), bias = layer.kernel_size, layer.padding, not layer.batch_norm
    parts: dict[str, nn.Module] = {}
    padding = before
    if before != after:
        parts["padding"] = nn.ZeroPad2d((before, after, before, after))
        padding = 0
    if layer.kind == "separable":
        parts["depthwise"] = nn.Conv2d(
            in_channels, in_channels, kernel, padding=padding, groups=in_channels, bias=False
        )
        parts["pointwise"] = nn.Conv2d(in_channels, channels, 1, bias=bias)
    else:
        parts["conv"] = nn.Conv2d(in_channels, channels, kernel, padding=padding, bias=bias)
    if layer.batch_norm:
        parts["norm"] = nn.BatchNorm2d(channels)
    if layer.skip:
        grown = before + after - kernel + 1
        # Result pixel i sees input pixels i - before ... i - before + kernel - 1.
        first = before - (kernel - 1) // 2
        return {
            "residual": Residual(parts, (first, grown - first) * 2 + (0, channels - in_channels))
        }
    return parts


class Residual(nn.Sequential):
    """Parts in a row, whose input is added to their result.

    `fit` makes the input the result's shape, as `torch.nn.functional.pad` takes it: zeros to
    add, below 0 pixels or channels to leave out.
    """

    def __init__(self, parts: dict[str, nn.Module], fit: tuple[int, ...]) -> None:
        super().__init__(OrderedDict(parts))
        self.fit = fit if any(fit) else None

    def forward(self, input: Tensor) -> Tensor:
        # In place: neither a convolution nor a batch norm needs its result for the gradient.
        result: Tensor = super().forward(input)  # type: ignore[no-untyped-call]
        return result.add_(input if self.fit is None else F.pad(input, self.fit))
