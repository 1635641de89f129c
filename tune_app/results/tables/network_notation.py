"""A network in a few characters."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from tune_app.config.parameters import FcnParameters
from tune_app.config.parsing.fields import show
from tune_app.config.trial_config import TrialConfig


def architecture_text(
    model: str, config: Mapping[str, Any], input_shape: Sequence[int], outputs: int
) -> str:
    """Return the layers of a network as a short text; defaults (relu, max pool) are left out.

    >>> architecture_text("fcn", {"widths": [256, 128]}, [1, 28, 28], 10)
    '784-256-128-10'
    >>> config = {"channels_list": [16, 32, 64], "kernel_size": 3, "head": "gap"}
    >>> architecture_text("cnn", config, [1, 28, 28], 10)
    '3 conv 16-32-64, k3, gap'
    """
    built = TrialConfig.from_json(model, config)
    network = built.network
    if network is None:
        values = [f"{name} {show(v)}" for name, v in built.user_values.items() if name != "fill"]
        return ": ".join(filter(None, [model, ", ".join(values)]))
    sizes = "-".join(map(str, built.layer_sizes))
    own = [] if network.activation == "relu" else [network.activation]
    if isinstance(network, FcnParameters):
        layers = "-".join(filter(None, [str(prod(input_shape)), sizes, str(outputs)]))
        return " ".join([layers, *own])
    parts = [f"{sizes.count('-') + 1} conv {sizes}", f"k{network.kernel_size}", *own]
    if network.conv == "separable":
        parts.append("separable")
    if network.residual:
        parts.append("residual")
    if network.padding != "same":
        parts.append(f"padding {network.padding}" if network.padding else "no padding")
    parts += _pool_text(network.pool, network.pool_every)
    return ", ".join([*parts, "-".join([network.head, *map(str, network.head_widths)])])


def _pool_text(pool: str, every: int) -> list[str]:
    if pool == "none":
        return ["no pool"]
    if every > 1:
        return [f"{pool} pool every {every}"]
    return [] if pool == "max" else [f"{pool} pool"]
