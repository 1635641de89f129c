"""Compute the sizes of a network's layers from a trial's configuration."""

from collections.abc import Mapping
from typing import Any

from tune_app.config.parameters import SIZES


def layer_sizes(model: str, config: Mapping[str, Any]) -> list[int]:
    """Return the widths of the hidden layers (fcn), or the channels of the conv layers (cnn)."""
    listed, _, (count, first, ratio) = SIZES[model]
    if config.get(listed) is not None:
        return list(config[listed])
    return geometric_sizes(config[first], config[ratio], config[count])


def geometric_sizes(first: float, ratio: float, count: int) -> list[int]:
    """Return `count` sizes, each `ratio` times the one before, rounded, none below 1.

    >>> geometric_sizes(100, 0.5, 4)
    [100, 50, 25, 12]
    """
    return [max(1, round(first * ratio**i)) for i in range(count)]
