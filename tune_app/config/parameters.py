"""Define every parameter that the network builders and the training loop read, each once."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from tune_app.config.parsing.fields import ConfigSection, Flag, Number, Whole
from tune_app.config.space import Parameter


@dataclass(frozen=True)
class ReadWhere:
    """Marks a parameter that is read only if another parameter has one of these values."""

    parent: str
    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        return value in self.values

    def may_hold(self, parent: Parameter) -> bool:
        return any(map(parent.contains, self.values))

    def __str__(self) -> str:
        return f"{self.parent} is {' or '.join(map(str, self.values))}"


@dataclass(frozen=True)
class ReadUnless:
    """Marks a parameter that is not read if another parameter has this value."""

    parent: str
    value: Any

    def holds(self, value: Any) -> bool:
        return bool(value != self.value)

    def may_hold(self, parent: Parameter) -> bool:
        return parent.count != 1 or not parent.contains(self.value)

    def __str__(self) -> str:
        return f"{self.parent} is not {self.value}"


Size = Annotated[Whole, Field(ge=1, le=1_000_000)]
Depth = Annotated[Whole, Field(ge=1, le=1_000)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Augmentation = Literal["flip", "shift", "cutout"]


class NetworkParameters(ConfigSection):
    """The parameters that both kinds of networks read."""

    activation: Literal["relu", "leaky_relu", "tanh", "sigmoid", "gelu"] = Field(
        default="relu", description="the function after each hidden layer"
    )
    batch_norm: Flag = Field(
        default=False, description="batch normalisation before the activations"
    )
    weight_init: Literal[
        "default", "normal", "scaled_normal", "xavier", "xavier_fan_in", "kaiming"
    ] = Field(
        default="default",
        description="the initial weights: PyTorch's default, or drawn with zero biases: "
        "normal = N(0, 0.05), scaled_normal = N(0, 0.1)/sqrt(fan_in), xavier, "
        "xavier_fan_in = variance 1/fan_in, kaiming",
    )


class FcnParameters(NetworkParameters):
    """A fully connected network."""

    widths: tuple[Size, ...] | None = Field(
        default=None,
        description="the width of each hidden layer; replaces layers, width and taper",
    )
    layers: Depth = Field(default=1, description="the number of hidden layers")
    width: Size = Field(
        default=64, description="the width of the first hidden layer; not given in fill mode"
    )
    taper: Annotated[Number, Field(gt=0, le=10), ReadUnless("layers", 1)] = Field(
        default=1.0, description="the ratio of a layer's width to that of the layer before"
    )
    dropout: Share | tuple[Share, ...] = Field(
        default=0.0, description="dropout after the hidden layers: one share, or one per layer"
    )


class CnnParameters(NetworkParameters):
    """A convolutional network. The size after its last layer is computed, not set."""

    channels_list: tuple[Size, ...] | None = Field(
        default=None,
        description="the channels of each conv layer; replaces conv_layers, channels and "
        "channel_growth",
    )
    conv_layers: Depth = Field(default=2, description="the number of conv layers")
    channels: Size = Field(
        default=16, description="the channels of the first conv layer; not given in fill mode"
    )
    channel_growth: Annotated[Number, Field(gt=0, le=10), ReadUnless("conv_layers", 1)] = Field(
        default=2.0, description="the ratio of a layer's channels to those of the layer before"
    )
    kernel_size: Annotated[Whole, Field(ge=1, le=1_000)] = Field(
        default=3, description="the side of every kernel, in pixels"
    )
    padding: Literal["same"] | Annotated[Whole, Field(ge=0, le=1_000)] = Field(
        default="same",
        description="same keeps an image's size; a number is the pixels to add on each side",
    )
    conv: Literal["standard", "separable"] = Field(
        default="standard",
        description="separable: one kernel per channel, then a 1x1 convolution; fewer weights",
    )
    residual: Flag = Field(default=False, description="add the input of a conv layer to its result")
    pool: Literal["max", "avg", "none"] = Field(
        default="max", description="how 2x2 pixels are combined into one"
    )
    pool_every: Annotated[Depth, ReadUnless("pool", "none")] = Field(
        default=1, description="the number of conv layers from one pool to the next"
    )
    head: Literal["flatten", "gap"] = Field(
        default="flatten",
        description="the values that the layers after the conv layers read: flatten: every pixel; "
        "gap: the mean of each channel",
    )
    head_widths: tuple[Size, ...] = Field(
        default=(), description="the widths of hidden layers between head and output"
    )
    dropout: Share | tuple[Share, ...] = Field(
        default=0.0, description="dropout in the head: one share, or one per hidden layer"
    )
    conv_dropout: Share = Field(
        default=0.0, description="the share of channels dropped after each conv layer"
    )


class TrainingParameters(ConfigSection):
    """The parameters that the training loop reads."""

    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"] = Field(
        default="adam", description="the update rule"
    )
    lr: Annotated[Number, Field(gt=0)] = Field(
        default=1e-3, description="the learning rate; with a schedule, its highest value"
    )
    momentum: Annotated[Share, ReadWhere("optimizer", ("sgd", "rmsprop"))] = Field(
        default=0.0, description="the share of the last step that is added to the next step"
    )
    nesterov: Annotated[Flag, ReadWhere("optimizer", ("sgd",))] = Field(
        default=False, description="Nesterov's momentum; needs a momentum above 0"
    )
    weight_decay: Annotated[Number, Field(ge=0)] = Field(
        default=0.0, description="weight decay: decoupled for adamw, L2 for the other optimizers"
    )
    lr_schedule: Literal["constant", "exponential", "step", "cosine", "one_cycle"] = Field(
        default="constant", description="how the learning rate changes during the training"
    )
    lr_gamma: Annotated[
        Number, Field(gt=0, le=1), ReadWhere("lr_schedule", ("exponential", "step"))
    ] = Field(
        default=0.9,
        description="a factor for lr: after each epoch (exponential), or after 1/2 and 3/4 of the "
        "epochs (step)",
    )
    warmup_epochs: Annotated[
        Whole, Field(ge=0, le=1_000_000), ReadUnless("lr_schedule", "one_cycle")
    ] = Field(
        default=0,
        description="epochs in which the learning rate rises to lr, before its schedule begins",
    )
    batch_size: Size = Field(default=128, description="examples per update")
    epochs: Size = Field(
        default=10,
        description="passes over the data; one number for all trials, unless the scheduler is none",
    )
    patience: Size | None = Field(
        default=None,
        description="end a trial after this many epochs without a lower validation loss",
    )
    target_loss: Annotated[Number, Field(ge=0)] | None = Field(
        default=None, description="end a trial at this training loss or a lower one"
    )
    label_smoothing: Annotated[Share, ReadWhere("loss", ("cross_entropy",))] = Field(
        default=0.0, description="the share of a label that is spread over all classes"
    )
    augment: Literal["none", "flip", "shift", "cutout"] | tuple[Augmentation, ...] = Field(
        default="none", description="random changes to training images, different in each epoch"
    )
    grad_clip: Annotated[Number, Field(gt=0)] | None = Field(
        default=None, description="the largest gradient norm; a larger gradient is scaled down"
    )
    loss: Literal["cross_entropy", "mse"] = Field(
        default="cross_entropy",
        description="mse on classes compares softmax outputs with one-hot labels; "
        "regression always uses mse",
    )
