"""Hold the complete configuration of one trial, and resolve it from the values of a draw."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from tune_app.config.network_kinds import (
    NETWORK_KINDS,
    NetworkKind,
    geometric_sizes,
    parameter_fields,
)
from tune_app.config.parameters import (
    CnnParameters,
    FcnParameters,
    NetworkParameters,
    TrainingParameters,
)
from tune_app.config.parsing.fields import freeze, one_of, thaw
from tune_app.config.parsing.validation import Reading
from tune_app.config.user_functions import is_function
from tune_app.errors import SpaceError

Part = TypeVar("Part", NetworkParameters, FcnParameters | CnnParameters, TrainingParameters)


@dataclass(frozen=True, eq=False)  # equal to any mapping with the same values
class TrialConfig(Mapping[str, Any]):
    """The complete configuration that a trial's network is built and trained with.

    The parameters in use are those in `model_fields_set` of the two parts: a network whose
    `widths` are listed, for example, does not use `layers`. As a mapping, which is how user code
    reads it, the configuration has only these, with the values of JSON.
    """

    training: TrainingParameters
    network: FcnParameters | CnnParameters | None = None  # None: a user's function builds it
    user_values: Mapping[str, Any] = field(default_factory=dict)  # read by user code only

    @classmethod
    def from_json(cls, model: str, values: Mapping[str, Any]) -> Self:
        """Return the configuration that `to_json` wrote, without checking the values again."""
        kind = NETWORK_KINDS.get(model)
        network = None if kind is None else _part(kind.parameters, values)
        fields = parameter_fields(model) if model else TrainingParameters.model_fields
        user_values = {name: value for name, value in values.items() if name not in fields}
        return cls(_part(TrainingParameters, values), network, user_values)

    def to_json(self) -> dict[str, Any]:
        """Return the parameters in use by name, with lists in place of tuples."""
        parts = [part for part in (self.network, self.training) if part is not None]
        return {name: thaw(value) for name, value in self.user_values.items()} | {
            name: thaw(getattr(part, name))
            for part in parts
            for name in type(part).model_fields
            if name in part.model_fields_set
        }

    @cached_property
    def _json(self) -> dict[str, Any]:
        return self.to_json()

    def __getitem__(self, name: str) -> Any:
        return self._json[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._json)

    def __len__(self) -> int:
        return len(self._json)

    @property
    def kind(self) -> NetworkKind:
        """The kind of the network. There is none if a user's function builds it."""
        return next(
            kind for kind in NETWORK_KINDS.values() if isinstance(self.network, kind.parameters)
        )

    @property
    def layer_sizes(self) -> list[int]:
        """The widths of the hidden layers (fcn), or the channels of the conv layers (cnn)."""
        kind, network = self.kind, self.network
        if (listed := getattr(network, kind.listed)) is not None:
            return list(listed)
        if network is None or not {*kind.described} <= network.model_fields_set:
            raise SpaceError(f"the configuration has neither {kind.listed} nor {kind.first}")
        count, first, ratio = (getattr(network, name) for name in kind.described)
        return geometric_sizes(first, ratio, count)

    def with_sizes(self, sizes: Iterable[int]) -> Self:
        """Return the configuration with these layer sizes instead of those that it describes."""
        assert self.network is not None
        kind = self.kind
        used = (self.network.model_fields_set - {*kind.described}) | {kind.listed}
        network = self.network.model_copy(update={kind.listed: tuple(sizes)})
        return replace(self, network=_using(network, used))

    def with_user_values(self, **values: Any) -> Self:
        """Return the configuration with more values for user code."""
        return replace(self, user_values={**self.user_values, **values})

    def with_training(self, **values: Any) -> Self:
        """Return the configuration with other values of training parameters."""
        return replace(self, training=self.training.model_copy(update=values))


def training_of(config: Mapping[str, Any]) -> TrainingParameters:
    """Return the training parameters of a configuration, which may also be a plain mapping."""
    if isinstance(config, TrialConfig):
        return config.training
    return TrialConfig.from_json("", config).training


def resolve_parameters(
    model: str, values: Mapping[str, Any], *, fill: bool, more: bool = False
) -> TrialConfig:
    """Return a trial's complete configuration: `values`, and defaults for the rest.

    Sizes have only one form: `widths`, or `layers`, `width` and `taper`. In fill mode `width` or
    `channels` is missing, because it is solved later. Unknown values are kept for user code, if a
    user's function builds the network or, with `more`, trains it.

    Raises:
        SpaceError: `values` cannot be combined, or one of them is wrong or unknown.
    """
    fields = parameter_fields(model)
    unknown = [name for name in values if name not in fields]
    if unknown and not (more or is_function(model)):
        raise SpaceError(one_of(unknown[0], fields, noun="parameter"))
    network = None if is_function(model) else _network(NETWORK_KINDS[model], values, fill=fill)
    training = _checked_part(TrainingParameters, values)
    training = _using(training, set(TrainingParameters.model_fields))
    if training.nesterov and training.optimizer == "sgd" and training.momentum == 0:
        raise SpaceError("nesterov needs a momentum above 0")
    config = TrialConfig(training, network, {name: values[name] for name in unknown})
    if network is not None:
        _check_network(config, network)
    return config


def _network(
    kind: NetworkKind, values: Mapping[str, Any], *, fill: bool
) -> FcnParameters | CnnParameters:
    network = _checked_part(kind.parameters, values)
    used = set(kind.parameters.model_fields)
    if values.get(kind.listed) is None:
        if fill and kind.first in values:
            raise SpaceError(f"{kind.first} is solved in fill mode; remove it")
        return _using(network, used - {kind.listed, *([kind.first] if fill else [])})
    if doubled := [name for name in kind.described if name in values]:
        raise SpaceError(f"{kind.listed} and {doubled[0]} both give the sizes; remove one of them")
    if fill:
        raise SpaceError(f"{kind.listed} leaves a budget nothing to fill; remove it")
    return _using(network, used - {*kind.described})


def _check_network(config: TrialConfig, network: FcnParameters | CnnParameters) -> None:
    if network.batch_norm and config.training.batch_size == 1:
        raise SpaceError("batch_norm needs a batch_size of at least 2")
    if isinstance(network.dropout, tuple):
        if isinstance(network, CnnParameters):
            layers = max(1, len(network.head_widths))
        else:
            layers = network.layers if network.widths is None else len(network.widths)
        if len(network.dropout) != layers:
            raise SpaceError(
                f"dropout lists {len(network.dropout)} shares for {layers} hidden layers"
            )


def _checked_part(part: type[Part], values: Mapping[str, Any]) -> Part:
    """Return the parameters of `part` among `values`, validated."""
    chosen = {name: value for name, value in values.items() if name in part.model_fields}
    try:
        return part.model_validate(chosen)
    except ValidationError:
        reading = Reading()
        reading.fields(part, chosen)
        (name,), text = reading.findings[0]
        raise SpaceError(f"{name}: {text}") from None


def _part(part: type[Part], values: Mapping[str, Any]) -> Part:
    """Return the parameters of `part` among `values`, which were validated before."""
    used = {name: freeze(values[name]) for name in part.model_fields if name in values}
    return part.model_construct(set(used), **used)


def _using(part: Part, used: set[str]) -> Part:
    """Return `part` after changing the names of its parameters in use.

    Use this only for a part that nobody else refers to yet. Thousands of draws pass here, and
    rebuilding the frozen model would make each a third slower.
    """
    object.__setattr__(part, "__pydantic_fields_set__", used)
    return part
