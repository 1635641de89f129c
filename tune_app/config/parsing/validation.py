"""Explain what is wrong with plain data that should describe a model, all findings at once.

The pydantic models alone decide whether data are valid. Valid data become a model in one step, and
this module only notes its values. Where a model refuses data, `Reading` looks for the smallest
parts that are refused: it asks for each section, then for each field of it, then for each item of
a list. So the findings follow from the same models, and the valid parts next to them are known
for the rules that join several parts.
"""

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from tune_app.config.parsing.fields import (
    ConfigSection,
    annotation_of,
    describe,
    keys_of,
    must_be,
    one_of,
)
from tune_app.config.parsing.similar_names import proposal

Location = tuple[str | int, ...]  # keys and list positions from the top of the file
MAX_REPORTED = 100  # problems of one kind in one place; a file with more is not a search file


@dataclass(frozen=True)
class ReadBy:
    """Marks a field type that has its own function to find problems."""

    read: "Callable[[Reading, Any, Location], None]"


@dataclass
class Reading:
    """The findings and the valid values of one reading, both by location.

    `known` lacks a location if its value is wrong, or if its default is doubtful because a
    misspelt key in the same section may mean it.
    """

    findings: list[tuple[Location, str]] = field(default_factory=list)
    known: dict[Location, Any] = field(default_factory=dict)

    def find(self, at: Location, text: str) -> None:
        self.findings.append((at, text))

    def section(self, model: type[ConfigSection], raw: Any, at: Location = ()) -> None:
        """Read a section. If it is valid, `known[at]` is the model afterwards."""
        try:
            self.known |= flatten(model.read(raw), at)
        except ValidationError as error:
            before = len(self.findings)
            self.fields(model, raw, at)
            if len(self.findings) == before:  # each field is valid, so their combination is not
                self.find(at, rule_text(error) or str(error))

    def fields(self, model: type[ConfigSection], raw: Any, at: Location = ()) -> None:
        """Read the fields of a section one by one, without the rules that join several fields."""
        if not isinstance(raw, Mapping):
            way_out = "; leave the key out for the defaults" if raw is None else ""
            self.find(at, must_be(model, raw) + way_out)
            return
        keys = keys_of(model)
        unknown = [key for key in raw if key not in keys]
        for key in unknown[:MAX_REPORTED]:
            self.find((*at, key), one_of(key, keys, noun="key"))
        for key, info in keys.items():
            here = (*at, key)
            if key in raw:
                self.value(annotation_of(info), raw[key], here)
            elif any(proposal(word, [key]) for word in unknown[:MAX_REPORTED]):
                continue
            elif info.is_required():
                self.find(here, f"is missing; it must be {describe(annotation_of(info))}")
            elif not unknown:
                self.known |= flatten(info.get_default(call_default_factory=True), here)

    def value(self, annotation: Any, raw: Any, at: Location) -> None:
        """Read one value: a section, a list, or a plain value."""
        inner, *metadata = (
            get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
        )
        for item in metadata:
            if isinstance(item, ReadBy):
                item.read(self, raw, at)
                return
        choices = get_args(inner) if get_origin(inner) in (Union, types.UnionType) else (inner,)
        for choice in choices:
            if isinstance(choice, type) and issubclass(choice, ConfigSection):
                if raw is None and type(None) in choices:
                    self.known[at] = None
                else:
                    self.section(choice, raw, at)
                return
        try:
            value = _adapter(annotation).validate_python(raw, by_alias=True, by_name=False)
            self.known |= flatten(value, at)
        except ValidationError as error:
            before = len(self.findings)
            if get_origin(inner) is tuple and isinstance(raw, list | tuple):
                for position, item in enumerate(raw):
                    self.value(get_args(inner)[0], item, (*at, position))
                    if len(self.findings) - before == MAX_REPORTED:
                        break
            if len(self.findings) == before:
                self.find(at, rule_text(error) or must_be(annotation, raw))


@lru_cache(maxsize=1024)  # building an adapter takes longer than everything else about a value
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def rule_text(failure: ValidationError) -> str:
    """Return the text of the first error that a rule of this package raised; empty if none did."""
    errors = (error for error in failure.errors() if error["type"] == "value_error")
    return next((str(error["ctx"]["error"]) for error in errors), "")


def flatten(value: Any, at: Location = ()) -> dict[Location, Any]:
    """Return the values in a model by location; lists count as a whole and item by item."""
    parts: dict[Location, Any] = {}
    if isinstance(value, ConfigSection):
        for name, info in type(value).model_fields.items():
            parts |= flatten(getattr(value, name), (*at, info.alias or name))
    for position, item in enumerate(value if isinstance(value, tuple) else ()):
        parts |= flatten(item, (*at, position))
    return {**parts, at: value}
