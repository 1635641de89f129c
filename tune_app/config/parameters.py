"""What the builders and the training loop read: the one definition of every parameter."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo

from tune_app.config.parsing.fields import ConfigSection, Flag, Number, Whole, one_of, thaw
from tune_app.config.parsing.validation import Reading
from tune_app.config.space import Parameter
from tune_app.config.user_functions import is_function
from tune_app.errors import SpaceError


@dataclass(frozen=True)
class ReadWhere:
    """Marks a parameter that matters only where another one has one of these values."""

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
    """Marks a parameter that does not matter where another one has this value."""

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
    """What both kinds of networks read."""

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
        description="how weights start: as PyTorch does by itself, or drawn with zero biases: "
        "normal = N(0, 0.05), scaled_normal = N(0, 0.1)/sqrt(fan_in), xavier, "
        "xavier_fan_in = variance 1/fan_in, kaiming",
    )


class FcnParameters(NetworkParameters):
    """A fully connected network."""

    widths: tuple[Size, ...] | None = Field(
        default=None, description="the width of each hidden layer; excludes layers, width, taper"
    )
    layers: Depth = Field(default=1, description="the number of hidden layers")
    width: Size = Field(
        default=64, description="the width of the first hidden layer; not given in fill mode"
    )
    taper: Annotated[Number, Field(gt=0, le=10), ReadUnless("layers", 1)] = Field(
        default=1.0, description="the ratio of a layer's width to that of the layer before"
    )
    dropout: Share | tuple[Share, ...] = Field(
        default=0.0, description="after the hidden layers: one share, or one for each of them"
    )


class CnnParameters(NetworkParameters):
    """A convolutional network. The size after its last layer is computed, never asked."""

    channels_list: tuple[Size, ...] | None = Field(
        default=None,
        description="the channels of each conv layer; excludes conv_layers, channels, "
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
        default="same", description="same keeps an image's size; a number adds so many pixels"
    )
    conv: Literal["standard", "separable"] = Field(
        default="standard",
        description="separable: a kernel per channel, then 1x1, which takes fewer weights",
    )
    residual: Flag = Field(
        default=False, description="add a conv layer's input to what it computes"
    )
    pool: Literal["max", "avg", "none"] = Field(
        default="max", description="how 2x2 pixels become one"
    )
    pool_every: Annotated[Depth, ReadUnless("pool", "none")] = Field(
        default=1, description="the number of conv layers from one pool to the next"
    )
    head: Literal["flatten", "gap"] = Field(
        default="flatten",
        description="what comes after the conv layers: every pixel, or (gap) the mean of each "
        "channel",
    )
    head_widths: tuple[Size, ...] = Field(
        default=(), description="the widths of hidden layers between head and output"
    )
    dropout: Share | tuple[Share, ...] = Field(
        default=0.0, description="in the head: one share, or one for each of its hidden layers"
    )
    conv_dropout: Share = Field(
        default=0.0, description="the share of channels dropped after each conv layer"
    )


class TrainingParameters(ConfigSection):
    """What the training loop reads."""

    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"] = Field(
        default="adam", description="the update rule"
    )
    lr: Annotated[Number, Field(gt=0)] = Field(
        default=1e-3, description="the learning rate; the highest one of a schedule"
    )
    momentum: Annotated[Share, ReadWhere("optimizer", ("sgd", "rmsprop"))] = Field(
        default=0.0, description="the share of the last step that the next one keeps"
    )
    nesterov: Annotated[Flag, ReadWhere("optimizer", ("sgd",))] = Field(
        default=False, description="Nesterov's momentum; needs a momentum above 0"
    )
    weight_decay: Annotated[Number, Field(ge=0)] = Field(
        default=0.0, description="decay of the weights: decoupled for adamw, L2 for the others"
    )
    lr_schedule: Literal["constant", "exponential", "step", "cosine", "one_cycle"] = Field(
        default="constant", description="how the learning rate goes on from epoch to epoch"
    )
    lr_gamma: Annotated[
        Number, Field(gt=0, le=1), ReadWhere("lr_schedule", ("exponential", "step"))
    ] = Field(
        default=0.9,
        description="a factor: after each epoch (exponential), or at 1/2 and 3/4 of them (step)",
    )
    warmup_epochs: Annotated[
        Whole, Field(ge=0, le=1_000_000), ReadUnless("lr_schedule", "one_cycle")
    ] = Field(
        default=0, description="epochs in which the rate rises to lr, before its schedule begins"
    )
    batch_size: Size = Field(default=128, description="examples per update")
    epochs: Size = Field(
        default=10, description="passes over the data; one number for all trials under asha"
    )
    patience: Size | None = Field(
        default=None, description="end a trial after so many epochs without a lower validation loss"
    )
    target_loss: Annotated[Number, Field(ge=0)] | None = Field(
        default=None, description="end a trial at a training loss of this, or lower"
    )
    label_smoothing: Annotated[Share, ReadWhere("loss", ("cross_entropy",))] = Field(
        default=0.0, description="the share of a label spread over all classes"
    )
    augment: Literal["none", "flip", "shift", "cutout"] | tuple[Augmentation, ...] = Field(
        default="none", description="changes to training images, drawn anew in each epoch"
    )
    grad_clip: Annotated[Number, Field(gt=0)] | None = Field(
        default=None, description="the largest norm of the gradient; longer ones are shortened"
    )
    loss: Literal["cross_entropy", "mse"] = Field(
        default="cross_entropy",
        description="mse on classes compares softmax outputs with one-hot labels; "
        "regression always uses mse",
    )


NETWORKS: dict[str, type[FcnParameters] | type[CnnParameters]] = {
    "fcn": FcnParameters,
    "cnn": CnnParameters,
}
# In place of the first, a network's sizes can be given by the others; the second is what fill
# mode solves.
SIZES = {
    "fcn": ("widths", "width", ("layers", "width", "taper")),
    "cnn": ("channels_list", "channels", ("conv_layers", "channels", "channel_growth")),
}


def parameter_fields(model: str) -> dict[str, FieldInfo]:
    """Return every parameter that a sweep of this model reads, but for those of a function."""
    network = {} if is_function(model) else NETWORKS[model].model_fields
    return {**network, **TrainingParameters.model_fields}


def resolve_parameters(
    model: str, values: Mapping[str, Any], *, fill: bool, more: bool = False
) -> dict[str, Any]:
    """Return a trial's complete configuration: `values`, and defaults for the rest, as JSON has it.

    Sizes come in one way only: `widths`, or `layers` and the like; in fill mode without the
    `width` or `channels` that is yet to be solved. Where a function builds the network, or with
    `more`, where one trains it, values that nothing here knows are kept as they are.

    Raises:
        SpaceError: `values` do not combine, or one of them is wrong or unknown.
    """
    fields = parameter_fields(model)
    unknown = [name for name in values if name not in fields]
    if unknown and not (more or is_function(model)):
        raise SpaceError(one_of(unknown[0], fields, noun="parameter"))
    config: dict[str, Any] = {name: thaw(values[name]) for name in unknown}
    parts = [TrainingParameters] if is_function(model) else [NETWORKS[model], TrainingParameters]
    for part in parts:
        own = {name: value for name, value in values.items() if name in part.model_fields}
        try:
            config |= part.model_validate(own).model_dump(mode="json")
        except ValidationError:
            reading = Reading()
            reading.fields(part, own)
            (name,), text = reading.findings[0]
            raise SpaceError(f"{name}: {text}") from None
    if is_function(model):
        _check_training(config)
        return config
    listed, solved, spelled = SIZES[model]
    if values.get(listed) is not None:
        if given := [name for name in spelled if name in values]:
            raise SpaceError(f"{listed} and {given[0]} both say how large the layers are")
        if fill:
            raise SpaceError(f"{listed} leaves a budget nothing to fill")
        for name in spelled:
            del config[name]
    else:
        del config[listed]
        if fill:
            if solved in values:
                raise SpaceError(f"{solved} is solved in fill mode, and given")
            del config[solved]
    _check_training(config)
    _check_network(model, config)
    return config


def _check_training(config: Mapping[str, Any]) -> None:
    if config["nesterov"] and config["optimizer"] == "sgd" and config["momentum"] == 0:
        raise SpaceError("nesterov needs a momentum above 0")


def _check_network(model: str, config: Mapping[str, Any]) -> None:
    if config["batch_norm"] and config["batch_size"] == 1:
        raise SpaceError("batch_norm needs a batch_size of at least 2")
    if isinstance(rates := config["dropout"], list):
        if model == "fcn":
            layers = len(config["widths"]) if "widths" in config else config["layers"]
        else:
            layers = max(1, len(config["head_widths"]))
        if len(rates) != layers:
            raise SpaceError(f"dropout lists {len(rates)} shares for {layers} hidden layers")
