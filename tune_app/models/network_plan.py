"""Plan a network layer by layer, without torch.

A search must know the size of thousands of networks that are never built. So shapes, weights and
multiply-adds are computed in the plan, and the builder builds exactly what the plan says.

Multiply-adds (`macs`) count convolutions and linear layers for one image. Additions of biases and
skips, batch norm, activations and pooling are left out, as usual.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from tune_app.errors import BuildError

Shape = tuple[int, ...]
Activation = Literal["relu", "leaky_relu", "tanh", "sigmoid", "gelu"]
Pool = Literal["max", "avg", "none"]

ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid", "gelu")


@dataclass(frozen=True)
class LayerPlan:
    """One layer: its shapes, its cost, and everything needed to build it.

    The built layer has the same `name`: its tensors are `name.*` in the state dict, and `weights`
    of their numbers are trainable. Shapes leave out the batch.
    """

    name: str
    kind: str  # conv, separable, linear, flatten, gap; in a user's network, the class name
    in_shape: Shape  # (channels, height, width) or (features,)
    out_shape: Shape  # after pooling
    weights: int = 0
    macs: int = 0
    kernel_size: int = 0
    padding: tuple[int, int] = (0, 0)  # zeros before and after, on both axes
    batch_norm: bool = False  # replaces the bias, because its shift has the same effect
    skip: bool = False
    activation: Activation | None = None
    pool: Pool = "none"
    dropout: float = 0.0


@dataclass(frozen=True)
class NetworkPlan:
    """The layers of a network that can be built, and its cost."""

    model: str
    input_shape: Shape
    outputs: int
    layers: tuple[LayerPlan, ...]

    @property
    def weights(self) -> int:
        """The number of trainable scalars, which a weight budget limits."""
        return sum(layer.weights for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-adds per image."""
        return sum(layer.macs for layer in self.layers)


def plan_linear(
    name: str,
    inputs: int,
    outputs: int,
    *,
    activation: Activation | None = None,
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> LayerPlan:
    """Return a linear layer with its batch norm, activation and dropout."""
    if outputs < 1:
        raise BuildError(f"layer {name}: a width must be at least 1, got {outputs}")
    products = inputs * outputs
    return LayerPlan(
        name=name,
        kind="linear",
        in_shape=(inputs,),
        out_shape=(outputs,),
        weights=products + affine_weights(outputs, batch_norm),
        macs=products,
        activation=activation,
        batch_norm=batch_norm,
        dropout=dropout,
    )


def affine_weights(channels: int, batch_norm: bool) -> int:
    """Return the number of a layer's weights without its products: gains and shifts, or biases."""
    return 2 * channels if batch_norm else channels


def dropout_per_layer(dropout: float | Sequence[float], layers: int) -> list[float]:
    """Return one dropout rate for each of `layers` hidden layers."""
    if isinstance(dropout, Sequence):
        if len(dropout) != layers:
            raise BuildError(
                f"dropout: {len(dropout)} value{'s' * (len(dropout) != 1)} for {layers} hidden "
                f"layer{'s' * (layers != 1)}; give one value, or one per hidden layer"
            )
        return list(dropout)
    return [dropout] * layers


def expect_one_of(name: str, value: object, choices: Collection[str]) -> None:
    if value not in choices:
        raise BuildError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")
