"""From plain data to models: every finding at once, and every value that is good in itself."""

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from tune_app.config.parsing.fields import (
    ConfigSection,
    annotation_of,
    describe,
    did_you_mean,
    keys_of,
    must_be,
    one_of,
)

Location = tuple[str | int, ...]  # keys and list positions from the top of the file
MAX_REPORTED = 100  # problems of one kind in one place; with more, it is no search file


@dataclass(frozen=True)
class ReadBy:
    """Marks a field type that is read by a function of its own."""

    read: "Callable[[Reading, Any, Location], None]"


@dataclass
class Reading:
    """What reading has found so far.

    A location is missing in `known` where the value is wrong, and where a default is doubtful
    because a misspelt key beside it may be what was meant.
    """

    findings: list[tuple[Location, str]] = field(default_factory=list)
    known: dict[Location, Any] = field(default_factory=dict)

    def find(self, at: Location, text: str) -> None:
        self.findings.append((at, text))

    def model(self, model: type[BaseModel], raw: Any, at: Location = ()) -> Any:
        """Return the model that `raw` describes, or None where something is wrong."""
        before = len(self.findings)
        self.fields(model, raw, at)
        if len(self.findings) > before:
            return None
        try:
            return model.model_validate(raw, by_name=False, by_alias=True)
        except ValidationError as error:
            self.find(at, rule_text(error.errors()) or str(error))
        return None

    def fields(self, model: type[BaseModel], raw: Any, at: Location = ()) -> None:
        """Read the fields of `model`, leaving out the rules that join several of them."""
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
            elif any(did_you_mean(word, [key]) for word in unknown[:MAX_REPORTED]):
                continue
            elif info.is_required():
                self.find(here, f"is missing; it must be {describe(annotation_of(info))}")
            elif not unknown:
                self.known |= flatten(info.get_default(call_default_factory=True), here)

    def value(self, annotation: Any, raw: Any, at: Location) -> None:
        """Read one value: a model, a list of models or a plain value."""
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
                    self.model(choice, raw, at)
                return
        before = len(self.findings)
        if get_origin(inner) is tuple and isinstance(raw, list | tuple):
            for position, item in enumerate(raw):
                self.value(get_args(inner)[0], item, (*at, position))
                if len(self.findings) - before == MAX_REPORTED:
                    break
        if len(self.findings) == before:
            try:
                self.known[at] = _adapter(annotation).validate_python(raw)
            except ValidationError as error:
                self.find(at, rule_text(error.errors()) or must_be(annotation, raw))


@lru_cache(maxsize=1024)  # to build one takes longer than all the rest of reading a value
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def rule_text(errors: list[ErrorDetails]) -> str:
    """Return the text of the first error that one of our own rules raised; empty if none did."""
    texts = (str(error["ctx"]["error"]) for error in errors if error["type"] == "value_error")
    return next(texts, "")


def flatten(value: Any, at: Location = ()) -> dict[Location, Any]:
    """Return the values of a model by location, as reading it would have made them known."""
    known: dict[Location, Any] = {}
    if isinstance(value, ConfigSection):
        for name, info in type(value).model_fields.items():
            known |= flatten(getattr(value, name), (*at, info.alias or name))
        return known
    for position, item in enumerate(value if isinstance(value, tuple) else ()):
        known |= flatten(item, (*at, position))
    return {**known, at: value}
