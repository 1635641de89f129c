"""A network in a few characters."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from tune_app.config.layer_sizes import layer_sizes
from tune_app.config.parameters import TrainingParameters
from tune_app.config.parsing.fields import show
from tune_app.config.user_functions import is_function


def architecture_text(
    model: str, config: Mapping[str, Any], input_shape: Sequence[int], outputs: int
) -> str:
    """Return what a network is made of; what is usual (relu, max pool, same size) is not said.

    >>> architecture_text("fcn", {"widths": [256, 128]}, [1, 28, 28], 10)
    '784-256-128-10'
    >>> config = {"channels_list": [16, 32, 64], "kernel_size": 3, "head": "gap"}
    >>> architecture_text("cnn", config, [1, 28, 28], 10)
    '3 conv 16-32-64, k3, gap'
    """
    if is_function(model):
        known = {*TrainingParameters.model_fields, "fill"}
        values = [f"{name} {show(value)}" for name, value in config.items() if name not in known]
        return ": ".join(filter(None, [model, ", ".join(values)]))
    sizes = "-".join(map(str, layer_sizes(model, config)))
    activation = config.get("activation", "relu")
    own = [] if activation == "relu" else [str(activation)]
    if model == "fcn":
        layers = "-".join(filter(None, [str(prod(input_shape)), sizes, str(outputs)]))
        return " ".join([layers, *own])
    parts = [f"{sizes.count('-') + 1} conv {sizes}", f"k{config['kernel_size']}", *own]
    if config.get("conv") == "separable":
        parts.append("separable")
    if config.get("residual"):
        parts.append("residual")
    padding = config.get("padding", "same")
    if padding != "same":
        parts.append(f"padding {padding}" if padding else "no padding")
    parts += _pool_text(config.get("pool", "max"), config.get("pool_every", 1))
    hidden = [str(width) for width in config.get("head_widths", ())]
    return ", ".join([*parts, "-".join([str(config.get("head", "flatten")), *hidden])])


def _pool_text(pool: str, every: int) -> list[str]:
    if pool == "none":
        return ["no pool"]
    if every > 1:
        return [f"{pool} pool every {every}"]
    return [] if pool == "max" else [f"{pool} pool"]
