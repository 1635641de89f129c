"""Plan and build fully connected networks."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from tune_app.models.network_plan import (
    ACTIVATIONS,
    Activation,
    LayerPlan,
    NetworkPlan,
    Shape,
    dropout_per_layer,
    expect_one_of,
    plan_linear,
)

if TYPE_CHECKING:
    from torch import nn


def plan_fcn(
    input_shape: Shape,
    widths: Sequence[int],
    outputs: int,
    *,
    activation: Activation = "relu",
    batch_norm: bool = False,
    dropout: float | Sequence[float] = 0.0,
) -> NetworkPlan:
    """Return the plan of a network with hidden layers of these widths and a linear output.

    A hidden layer consists of a linear layer (without a bias if batch norm follows), batch norm,
    activation and dropout. `outputs` is the number of classes, or 1 for a regression.

    >>> plan_fcn((1, 28, 28), [128, 64], 10).weights
    109386
    """
    expect_one_of("activation", activation, ACTIVATIONS)
    layers = []
    features = prod(input_shape)
    if len(input_shape) > 1:
        layers.append(LayerPlan("flatten", "flatten", input_shape, (features,)))
    rates = dropout_per_layer(dropout, len(widths))
    for i, (width, rate) in enumerate(zip(widths, rates, strict=True), start=1):
        hidden = plan_linear(
            f"hidden{i}",
            features,
            width,
            activation=activation,
            batch_norm=batch_norm,
            dropout=rate,
        )
        layers.append(hidden)
        features = width
    layers.append(plan_linear("output", features, outputs))
    return NetworkPlan("fcn", tuple(input_shape), outputs, tuple(layers))


def build_fcn(
    input_shape: Shape,
    widths: Sequence[int],
    outputs: int,
    *,
    weight_init: str = "default",
    **options: Any,
) -> nn.Sequential:
    """Return the network that `plan_fcn` plans from the same arguments.

    It takes (N, *input_shape) and returns (N, outputs): logits, or the values of a regression.
    """
    from tune_app.models.build import build_plan  # here, because planning must not import torch

    return build_plan(plan_fcn(input_shape, widths, outputs, **options), weight_init)
