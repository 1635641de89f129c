"""A partially read sweep, so that rules over several sections also work on a file with mistakes.

All mistakes of a search file should be reported together. So the rules get the values
that are valid, by location, and skip what is missing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic.fields import FieldInfo

from tune_app.config.network_kinds import NETWORK_KINDS, parameter_fields
from tune_app.config.parsing.fields import annotation_of, describe, leaves_of
from tune_app.config.parsing.validation import Location, Reading
from tune_app.config.space import Constant, Parameter
from tune_app.config.user_functions import is_function

Finding = tuple[Location, str]
Findings = Iterator[Finding]


@dataclass(frozen=True)
class PartialConfig:
    """The valid values of a sweep by location, and the names of all its parameters.

    Rules skip locations that are not in `known`, so that one mistake gives one finding.
    """

    known: Mapping[Location, Any]
    names: tuple[str, ...]

    def get(self, *at: str) -> Any:
        """Return the value at a location, or None."""
        return self.known.get(at)

    @cached_property
    def fields(self) -> dict[str, FieldInfo]:
        """All parameters that this sweep reads; if its model is not known, those of any model."""
        models = [self.get("model")] if self.get("model") else list(NETWORK_KINDS)
        return {name: info for model in models for name, info in parameter_fields(model).items()}

    @property
    def has_user_model(self) -> bool:
        """Whether a user's function builds the networks."""
        return is_function(self.get("model") or "")

    @property
    def takes_any(self) -> bool:
        """Whether user code may read parameters of any name."""
        return self.has_user_model or self.get("training") is not None

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The valid parameters that the sweep reads."""
        read = [name for name in self.names if name in self.fields or self.takes_any]
        places = [(name, ("parameters", name)) for name in read]
        return {name: self.known[at] for name, at in places if at in self.known}

    @cached_property
    def wrong_values(self) -> list[Finding]:
        """The invalid values of parameters, each with its location.

        Checks every value and both ends of every range, including those that depend on a condition.
        """
        reading = Reading()
        for at, value in self.known.items():
            if at[:1] != ("parameters",) or len(at) < 2 or str(at[1]) not in self.fields:
                continue
            annotation = annotation_of(self.fields[str(at[1])])
            match at[2:]:
                case () if isinstance(value, Constant):
                    reading.value(annotation, value.value, at)
                case ("choice", int()):
                    reading.value(annotation, value, at)
                case ("int" | "float" as kind, int() as end):
                    if not (misfit := _misfit(str(kind), annotation)):
                        reading.value(annotation, value, at)
                    elif end == 0:
                        reading.find(at[:2], misfit)
        return reading.findings

    @cached_property
    def wrong_names(self) -> set[str]:
        """The parameters with a wrong value; correcting it may also satisfy another rule."""
        return {str(at[1]) for at, _ in self.wrong_values}

    def has_default(self, name: str) -> bool:
        """Tell whether a parameter certainly has its default: no misspelt name could mean it."""
        return name not in self.names and all(other in self.fields for other in self.names)


def _misfit(kind: str, annotation: Any) -> str:
    """Return why a parameter of this type cannot have a range of this kind; empty if it can."""
    leaves = set(leaves_of(annotation))
    if not {int, float} & leaves:
        return f"must be {describe(annotation)}, got a range; use choice"
    if kind == "float" and float not in leaves:
        return f"must be {describe(annotation)}, got a float range; use int"
    return ""
