"""Plan and build convolutional networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from tune_app.errors import BuildError
from tune_app.models.network_plan import (
    ACTIVATIONS,
    Activation,
    LayerPlan,
    NetworkPlan,
    Pool,
    Shape,
    affine_weights,
    dropout_per_layer,
    expect_one_of,
    plan_linear,
)

if TYPE_CHECKING:
    from torch import nn

Conv = Literal["standard", "separable"]
Head = Literal["flatten", "gap"]


def plan_cnn(
    input_shape: Shape,
    channels_list: Sequence[int],
    outputs: int,
    *,
    kernel_size: int = 3,
    padding: int | Literal["same"] = "same",
    conv: Conv = "standard",
    residual: bool = False,
    pool: Pool = "max",
    pool_every: int = 1,
    head: Head = "flatten",
    head_widths: Sequence[int] = (),
    activation: Activation = "relu",
    batch_norm: bool = False,
    dropout: float | Sequence[float] = 0.0,
    conv_dropout: float = 0.0,
) -> NetworkPlan:
    """Return the plan of a network with conv layers of these channels, a head and an output.

    A conv layer consists of a convolution, batch norm, a skip, an activation, a 2x2 pool (after
    every `pool_every`th layer) and `conv_dropout` of whole channels:

    - A convolution has no bias if batch norm follows.
    - `separable` is a depthwise convolution without a bias, then a 1x1 convolution. The first
      layer is always standard: a depthwise layer has one filter per input channel, so on a grey
      image it would compute a single feature.
    - `residual` adds the input of a layer to the result of its convolution, from the second layer
      on. Where the shapes differ, the input is cropped or padded with zeros at the edges of the
      image and after the last channel (He et al. 2016, arXiv:1512.03385, section 3.3, option A),
      so that a skip has no weights.

    The head reads all features (`flatten`) or the mean of each channel (`gap`). Each head width
    adds a hidden layer of linear, activation and dropout. Without head widths `dropout` acts on
    the features.

    Raises:
        BuildError: A layer does not fit the output of the layers before it; the text names it.
    """
    if len(input_shape) != 3:
        raise BuildError(
            f"a cnn reads images of shape (channels, height, width), got {tuple(input_shape)}; "
            "use model fcn"
        )
    if isinstance(padding, str) and padding != "same":
        raise BuildError(f"padding: expected same or a number of pixels, got {padding!r}")
    expect_one_of("conv", conv, ("standard", "separable"))
    expect_one_of("pool", pool, ("max", "avg", "none"))
    expect_one_of("head", head, ("flatten", "gap"))
    expect_one_of("activation", activation, ACTIVATIONS)
    layers: list[LayerPlan] = []
    shape = tuple(input_shape)
    for i, channels in enumerate(channels_list, start=1):
        options = ConvOptions(
            kernel_size=kernel_size,
            padding=same_padding(kernel_size) if padding == "same" else (padding, padding),
            separable=conv == "separable" and i > 1,
            skip=residual and i > 1,
            batch_norm=batch_norm,
            activation=activation,
            pool=pool if i % pool_every == 0 else "none",
            dropout=conv_dropout,
        )
        layer = plan_conv(i, shape, channels, options)
        layers.append(layer)
        shape = layer.out_shape
    features = prod(shape) if head == "flatten" else shape[0]
    rates = dropout_per_layer(dropout, max(1, len(head_widths)))
    on_features = 0.0 if head_widths else rates[0]
    layers.append(LayerPlan(head, head, shape, (features,), dropout=on_features))
    for i, (width, rate) in enumerate(zip(head_widths, rates, strict=False), start=1):
        layers.append(
            plan_linear(f"hidden{i}", features, width, activation=activation, dropout=rate)
        )
        features = width
    layers.append(plan_linear("output", features, outputs))
    return NetworkPlan("cnn", tuple(input_shape), outputs, tuple(layers))


@dataclass(frozen=True)
class ConvOptions:
    """The components of a conv layer, except for its place in the network and its channels."""

    kernel_size: int
    padding: tuple[int, int]
    separable: bool
    skip: bool
    batch_norm: bool
    activation: Activation
    pool: Pool
    dropout: float


def plan_conv(number: int, in_shape: Shape, channels: int, options: ConvOptions) -> LayerPlan:
    """Return the plan of the conv layer with this number, counted from 1."""
    kernel_size, padding = options.kernel_size, options.padding
    in_channels, *sides = in_shape
    name = f"conv layer {number}"
    if channels < 1:
        raise BuildError(f"{name}: at least 1 channel is needed, got {channels}")
    after_conv = [side + sum(padding) - kernel_size + 1 for side in sides]
    if min(after_conv) < 1:
        padded = f" with padding {padding[0]}" if any(padding) else ""
        raise BuildError(
            f"{name}: a {kernel_size}x{kernel_size} kernel does not fit its input "
            f"({by(sides)}{padded}); use padding same, fewer pools or a smaller kernel"
        )
    after_pool = after_conv if options.pool == "none" else [side // 2 for side in after_conv]
    if min(after_pool) < 1:
        raise BuildError(
            f"{name}: a 2x2 pool does not fit its input ({by(after_conv)}); "
            "use fewer conv layers, a larger pool_every or pool none"
        )
    # Each weight of a filter multiplies once per pixel of the result; a bias multiplies never.
    spatial_products = kernel_size**2 * in_channels
    products = (
        spatial_products + in_channels * channels
        if options.separable
        else spatial_products * channels
    )
    return LayerPlan(
        name=f"conv{number}",
        kind="separable" if options.separable else "conv",
        in_shape=in_shape,
        out_shape=(channels, *after_pool),
        weights=products + affine_weights(channels, options.batch_norm),
        macs=products * prod(after_conv),
        kernel_size=kernel_size,
        padding=padding,
        batch_norm=options.batch_norm,
        skip=options.skip,
        activation=options.activation,
        pool=options.pool,
        dropout=options.dropout,
    )


def same_padding(kernel_size: int) -> tuple[int, int]:
    """Return the padding before and after each axis that keeps an image's size.

    If the total is odd, one more zero comes after than before.
    """
    before = (kernel_size - 1) // 2
    return before, kernel_size - 1 - before


def by(sides: Sequence[int]) -> str:
    """Return a size as text, like 3x3."""
    return "x".join(map(str, sides))


def build_cnn(
    input_shape: Shape,
    channels_list: Sequence[int],
    outputs: int,
    *,
    weight_init: str = "default",
    **options: Any,
) -> nn.Sequential:
    """Return the network that `plan_cnn` plans from the same arguments.

    It takes (N, *input_shape) and returns (N, outputs): logits, or the values of a regression.
    """
    from tune_app.models.build import build_plan  # here, because planning must not import torch

    return build_plan(plan_cnn(input_shape, channels_list, outputs, **options), weight_init)
