"""Define the strict field types of all configuration models, and put their rules into words.

The words serve both the messages and the documentation, so the two cannot disagree.
"""

import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from pydantic import AfterValidator, AllowInfNan, BaseModel, ConfigDict, Strict
from pydantic.fields import FieldInfo

from tune_app.config.parsing.similar_names import proposal
from tune_app.errors import SpaceError


class ConfigSection(BaseModel):
    """Base of all parts of a sweep's description: frozen, and without unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )

    @classmethod
    def read(cls, raw: Any) -> Self:
        """Return the section that plain data describe, with the keys that a search file uses."""
        return cls.model_validate(raw, by_alias=True, by_name=False)


@dataclass(frozen=True)
class Phrase:
    """The words for a type whose parts do not explain it; they complete "must be ..."."""

    text: str


def plain_text(text: str) -> str:
    """Return `text` if it is one line of printable text without `${`."""
    if "${" in text:
        raise SpaceError("environment variables are not expanded; write the value itself")
    if not text or not text.isprintable():
        raise SpaceError(f"must be one line of printable text, got {show(text)}")
    return text


# Strict, because YAML distinguishes 1, 1.0, true and "1", and silent conversions hide mistakes.
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), AllowInfNan(False)]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Strict(), AfterValidator(plain_text)]


def freeze(value: Any) -> Any:
    """Return `value` with all lists in it turned into tuples."""
    return tuple(map(freeze, value)) if isinstance(value, list | tuple) else value


def plain_value(value: Any) -> Any:
    """Return `value` frozen, after checking that a search file can hold it.

    Raises:
        SpaceError: It contains anything but finite numbers, texts, true, false, null and lists.
    """
    if isinstance(value, list | tuple):
        return tuple(map(plain_value, value))
    if isinstance(value, float) and not math.isfinite(value):
        raise SpaceError(f"numbers must be finite, got {show(value)}")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise SpaceError(f"must be a number, a text, true, false, null or a list, got {show(value)}")


def thaw(value: Any) -> Any:
    """Return `value` with all tuples in it turned into lists, as JSON has them."""
    return list(map(thaw, value)) if isinstance(value, list | tuple) else value


def same(one: Any, other: Any) -> bool:
    """Tell whether two frozen values are the same: 1 and 1.0 are, but 1 and true are not.

    >>> same(1, 1.0), same(1, True), same((1,), (True,))
    (True, False, False)
    """
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def show(value: Any) -> str:
    """Return `value` as a search file writes it, shortened if it is long.

    >>> show("adam"), show([True, None, 0.1]), show({"int": [1, 2]})
    ("'adam'", '[true, null, 0.1]', '{int: [1, 2]}')
    """
    if isinstance(value, list | tuple):
        text = f"[{', '.join(map(show, value[:20]))}]"
    elif isinstance(value, Mapping):
        text = f"{{{', '.join(f'{key}: {show(item)}' for key, item in value.items())}}}"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, float) and not math.isfinite(value):
        text = repr(value).replace("inf", ".inf").replace("nan", ".nan")
    else:
        text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:56]} ..."


def one_of(word: Any, known: Iterable[str], *, noun: str) -> str:
    """Return the message for a `word` that is not among the `known` words."""
    names = list(known)
    near = proposal(word, names)
    # With a proposal at hand, a long list would only distract from it.
    listed = "" if near and len(names) > 12 else f", expected one of {', '.join(names)}"
    return f"unknown {noun} {show(word)}{listed}{near}"


def must_be(annotation: Any, value: Any) -> str:
    """Return the message for a `value` that a field of this type does not accept."""
    return f"must be {describe(annotation)}, got {show(value)}{_way_out(annotation, value)}"


def describe(annotation: Any) -> str:
    """Return the words that complete "must be ..." for a field of this type.

    >>> describe(int | None), describe(tuple[Literal["flip", "shift"], ...])
    ('a whole number, or null', 'a list, each one of flip, shift')
    """
    metadata: list[Any] = []
    if get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
    for item in metadata:
        if isinstance(item, Phrase):
            return item.text
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        said = [describe(argument) for argument in arguments]
        lists = {f"a list, each {one}": "a list of such" for one in said}
        return ", or ".join(lists.get(one, one) for one in said)
    if origin is Literal:
        listed = ", ".join(map(str, arguments))
        return f"one of {listed}" if len(arguments) > 1 else listed
    if origin is tuple:
        return f"a list, each {describe(arguments[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a mapping with keys among {', '.join(keys_of(annotation))}"
    words = {bool: "true or false", str: "a text", type(None): "null"}
    if annotation in words:
        return words[annotation]
    return ("a whole number" if annotation is int else "a number") + _bounds(metadata)


def keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of `model` by their keys in a search file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def annotation_of(field: FieldInfo) -> Any:
    """Return the type of a field, including its bounds."""
    return field.rebuild_annotation()


def _bounds(metadata: list[Any]) -> str:
    found: dict[str, str] = {}
    for item in metadata:
        for rule in item.metadata if isinstance(item, FieldInfo) else [item]:
            for name in ("ge", "gt", "le", "lt"):
                if (bound := getattr(rule, name, None)) is not None:
                    found[name] = f"{bound:,}"
    match found:
        case {"ge": low, "le": high}:
            return f" from {low} to {high}"
        case {"ge": low, "lt": high}:
            return f" from {low} to below {high}"
        case {"gt": low, "le": high}:
            return f" above {low}, up to {high}"
        case {"gt": low, "lt": high}:
            return f" between {low} and {high}, both excluded"
        case {"ge": low}:
            return f" of at least {low}"
        case {"gt": low}:
            return f" above {low}"
    return ""


def _way_out(annotation: Any, value: Any) -> str:
    """Return the end of a message that proposes what was probably meant, or an empty text."""
    inner = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    leaves = set(leaves_of(annotation))
    word = str(value)
    if isinstance(value, str | int) and len(word) <= 40 and word.isprintable():
        if get_origin(inner) is tuple:
            return f"; write [{word}]"
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            return f"; write {{{next(iter(keys_of(inner)))}: {word}}}"
    if isinstance(value, str):
        words = [leaf for leaf in leaves if isinstance(leaf, str)]
        if near := proposal(value, sorted(words)):
            return near
        if bool in leaves and value.lower() in ("yes", "on", "no", "off", "true", "false"):
            return f"; write {'true' if value.lower() in ('yes', 'on', 'true') else 'false'}"
        if {int, float} & leaves and _is_number(value):
            return "; remove the quotes"
    whole = int in leaves and float not in leaves
    if whole and isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"; write {int(value)}"
    return ""


def leaves_of(annotation: Any) -> Iterable[Any]:
    """Yield the plain types and the literal values in an annotation."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) is Annotated:
        yield from leaves_of(get_args(annotation)[0])
    elif arguments := get_args(annotation):
        for argument in arguments:
            yield from leaves_of(argument)
    else:
        yield annotation


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
