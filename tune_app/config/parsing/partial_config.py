"""A sweep as far as it could be read: what the rules that join several parts work on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic.fields import FieldInfo

from tune_app.config.parameters import NETWORKS, parameter_fields
from tune_app.config.parsing.validation import Location
from tune_app.config.space import Parameter
from tune_app.config.user_functions import is_function

Findings = Iterator[tuple[Location, str]]


@dataclass(frozen=True)
class PartialConfig:
    """What is good in itself, by location, and the names of all parameters.

    The rules pass over what is not `known`, so that one mistake is one finding.
    """

    known: Mapping[Location, Any]
    names: tuple[str, ...]

    def get(self, *at: str) -> Any:
        """Return the value at a location, or None."""
        return self.known.get(at)

    @cached_property
    def fields(self) -> dict[str, FieldInfo]:
        """All parameters that are known to be read here; of any model if it is not known."""
        models = [self.get("model")] if self.get("model") else list(NETWORKS)
        return {name: info for model in models for name, info in parameter_fields(model).items()}

    @property
    def has_user_model(self) -> bool:
        """Whether a function of the user's own builds the networks."""
        return is_function(self.get("model") or "")

    @property
    def takes_any(self) -> bool:
        """Whether a function of the user's own may read parameters of any name."""
        return self.has_user_model or self.get("training") is not None

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters that could be read and that something reads."""
        read = [name for name in self.names if name in self.fields or self.takes_any]
        places = [(name, ("parameters", name)) for name in read]
        return {name: self.known[at] for name, at in places if at in self.known}

    def has_default(self, name: str) -> bool:
        """Whether a parameter surely has its default: no misspelt name may be what was meant."""
        return name not in self.names and all(other in self.fields for other in self.names)
