"""Random configurations for tests: every option of both builders, in any combination."""

from random import Random
from typing import Any

from tune_app.config.trial_config import resolve_parameters

IMAGE_SHAPES = [(1, 8, 8), (1, 14, 14), (3, 16, 16), (1, 12, 20), (2, 9, 7)]
ACTIVATIONS = ["relu", "leaky_relu", "tanh", "sigmoid", "gelu"]


def draw_network(
    model: str, rng: Random, *, fill: bool = False, max_layers: int = 5
) -> tuple[dict[str, Any], tuple[int, ...], int]:
    """Return a config, an input shape and a number of outputs; not all of them can be built."""
    draw = {"fcn": draw_fcn, "cnn": draw_cnn}[model]
    shapes = IMAGE_SHAPES if model == "cnn" else [(1,), (5,), *IMAGE_SHAPES]
    config = resolve_parameters(model, draw(rng, fill, max_layers), fill=fill)
    return config, rng.choice(shapes), rng.choice([1, 2, 10])


def draw_fcn(rng: Random, fill: bool, max_layers: int) -> dict[str, Any]:
    layers = rng.randint(1, max_layers)
    values = {
        "activation": rng.choice(ACTIVATIONS),
        "batch_norm": rng.random() < 0.5,
        "dropout": rng.choice([0.0, 0.25, [rng.random() for _ in range(layers)]]),
    }
    if not fill and rng.random() < 0.3:
        return values | {"widths": [rng.randint(1, 60) for _ in range(layers)]}
    if not fill:
        values["width"] = rng.randint(1, 60)
    return values | {"layers": layers, "taper": rng.choice([0.3, 0.5, 0.8, 1.0, 1.7])}


def draw_cnn(rng: Random, fill: bool, max_layers: int) -> dict[str, Any]:
    conv_layers = rng.randint(1, max_layers)
    head_widths = [rng.randint(1, 40) for _ in range(rng.choice([0, 0, 1, 2]))]
    values = {
        "kernel_size": rng.randint(1, 7),
        "padding": rng.choice(["same", "same", 0, 1, 2, 4]),
        "conv": rng.choice(["standard", "separable"]),
        "residual": rng.random() < 0.5,
        "pool": rng.choice(["max", "avg", "none"]),
        "pool_every": rng.randint(1, 3),
        "head": rng.choice(["flatten", "gap"]),
        "head_widths": head_widths,
        "activation": rng.choice(ACTIVATIONS),
        "batch_norm": rng.random() < 0.5,
        "dropout": rng.choice([0.0, 0.3, [rng.random() for _ in head_widths] or 0.5]),
        "conv_dropout": rng.choice([0.0, 0.1]),
    }
    if not fill and rng.random() < 0.3:
        return values | {"channels_list": [rng.randint(1, 20) for _ in range(conv_layers)]}
    if not fill:
        values["channels"] = rng.randint(1, 20)
    growth = rng.choice([0.5, 0.9, 1.0, 1.3, 2.0])
    return values | {"conv_layers": conv_layers, "channel_growth": growth}
