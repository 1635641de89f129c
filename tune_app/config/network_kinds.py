"""Describe what is particular to each kind of network, fcn and cnn.

The search, the tables and the exports treat all kinds alike and ask here for the names of the
parameters that give a network its size. Only the planners in `tune_app.models` know more.
"""

from dataclasses import dataclass

from pydantic.fields import FieldInfo

from tune_app.config.parameters import CnnParameters, FcnParameters, TrainingParameters
from tune_app.config.user_functions import is_function


@dataclass(frozen=True)
class NetworkKind:
    """One kind of network: its parameters, and the names of those that give its size.

    A network's size is given in one of two ways: `listed` holds the size of every layer; or
    `count`, `first` and `ratio` describe a geometric sequence. Fill mode solves the sizes from a
    budget, with `count` and `ratio`, but without `first`.
    """

    name: str
    parameters: type[FcnParameters] | type[CnnParameters]
    listed: str
    count: str
    first: str
    ratio: str
    unit: str  # of a layer's size, for messages
    needs_images: bool = False

    @property
    def described(self) -> tuple[str, str, str]:
        """The parameters that together replace `listed`."""
        return self.count, self.first, self.ratio


NETWORK_KINDS = {
    kind.name: kind
    for kind in (
        NetworkKind("fcn", FcnParameters, "widths", "layers", "width", "taper", "unit"),
        NetworkKind(
            "cnn",
            CnnParameters,
            "channels_list",
            "conv_layers",
            "channels",
            "channel_growth",
            "channel",
            needs_images=True,
        ),
    )
}


def parameter_fields(model: str) -> dict[str, FieldInfo]:
    """Return the parameters that a sweep of this model reads, without those of user code."""
    network = {} if is_function(model) else NETWORK_KINDS[model].parameters.model_fields
    return {**network, **TrainingParameters.model_fields}


def geometric_sizes(first: float, ratio: float, count: int) -> list[int]:
    """Return `count` sizes, each `ratio` times the one before, rounded, none below 1.

    >>> geometric_sizes(100, 0.5, 4)
    [100, 50, 25, 12]
    """
    return [max(1, round(first * ratio**i)) for i in range(count)]
